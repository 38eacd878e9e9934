/** Damage to modules: in bytes, in sections, in numbers. What comes out may be valid or not. */
import { unsigned } from '@guardstripe/wasm-builder';
import type { Random } from './random.ts';
import { join, leb, split } from './sections.ts';

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

/** Bytes that mean something in many places: ends, flags, opcodes, the borders of numbers. */
const TELLING_BYTES = [
  0, 1, 2, 3, 4, 5, 8, 9, 0x0b, 0x0c, 0x10, 0x23, 0x40, 0x41, 0x42, 0x7f, 0x80, 0xfb, 0xff,
];

const flipBit: Mutation = (bytes, random) => {
  const copy = Uint8Array.from(bytes);
  const at = random.below(copy.length);
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
};

const setByte: Mutation = (bytes, random) => {
  const copy = Uint8Array.from(bytes);
  copy[random.below(copy.length)] = random.pick(TELLING_BYTES);
  return copy;
};

const truncate: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1));

const insertByte: Mutation = (bytes, random) => {
  const at = random.below(bytes.length + 1);
  const inserted = random.pick(TELLING_BYTES);
  return Uint8Array.from([...bytes.subarray(0, at), inserted, ...bytes.subarray(at)]);
};

const removeByte: Mutation = (bytes, random) => {
  const at = random.below(bytes.length);
  return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]);
};

const swapSections: Mutation = (bytes, random) => {
  const sections = split(bytes);
  if (sections.length < 2) return bytes;
  const [first, second] = [random.below(sections.length), random.below(sections.length)];
  return join(sections.with(first, sections[second]!).with(second, sections[first]!));
};

const repeatSection: Mutation = (bytes, random) => {
  const sections = split(bytes);
  if (sections.length === 0) return bytes;
  return join(sections.toSpliced(random.below(sections.length), 0, random.pick(sections)));
};

const dropSection: Mutation = (bytes, random) => {
  const sections = split(bytes);
  return sections.length === 0 ? bytes : join(sections.toSpliced(random.below(sections.length), 1));
};

const takeSection: Mutation = (bytes, random, other) => {
  const taken = split(other);
  if (taken.length === 0) return bytes;
  const section = random.pick(taken);
  const sections = split(bytes);
  const at = sections.findIndex(({ id }) => id === section.id);
  return join(at === -1 ? [...sections, section] : sections.with(at, section));
};

/** The count at the head of a section, or another number there, in more bytes than it needs. */
const padNumber: Mutation = (bytes, random) => {
  const sections = split(bytes);
  if (sections.length === 0) return bytes;
  const at = random.below(sections.length);
  const { id, payload } = sections[at]!;
  const { value, end } = leb(payload, 0);
  const padded = Uint8Array.from([...unsigned(value, random.between(end, 7)), ...payload.subarray(end)]);
  return join(sections.with(at, { id, payload: padded }));
};

const changeCount: Mutation = (bytes, random) => {
  const sections = split(bytes);
  if (sections.length === 0) return bytes;
  const at = random.below(sections.length);
  const { id, payload } = sections[at]!;
  const { value, end } = leb(payload, 0);
  const count = random.pick([value + 1, Math.max(0, value - 1), 0xffff_ffff, 100_001]);
  const changed = Uint8Array.from([...unsigned(count), ...payload.subarray(end)]);
  return join(sections.with(at, { id, payload: changed }));
};

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  flipBit,
  flipBit,
  setByte,
  setByte,
  truncate,
  insertByte,
  removeByte,
  swapSections,
  repeatSection,
  dropSection,
  takeSection,
  padNumber,
  changeCount,
];

/** One to three mutations. `other` is a module to take from. */
export function mutate(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let mutant = bytes;
  for (let rest = random.pick([1, 1, 1, 2, 3]); rest > 0 && mutant.length > 0; rest--)
    mutant = random.pick(MUTATIONS)(mutant, random, other);
  return mutant;
}
