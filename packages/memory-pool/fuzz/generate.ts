/** Valid modules of many shapes: what compilers write, what they could write, and what nobody would. */
import {
  codeSection,
  customSection,
  dataCountSection,
  dataSection,
  exportSection,
  functionSection,
  globalSection,
  globalType,
  importEntry,
  importSection,
  memorySection,
  memoryType,
  moduleOf,
  section,
  signed,
  startSection,
  typeSection,
  unsigned,
  type Expression,
  type GlobalShape,
  type MemoryShape,
  type SegmentShape,
} from '@guardstripe/wasm-builder';
import type { Random } from './random.ts';
import { webAssembly } from './web-assembly.ts';

const PAGE = 65_536;
const HOST_PAGE = 4096;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const GLOBAL_GET = 0x23;

/** Node 22.12 has no 64-bit memories. */
const HAS_MEMORY64 = webAssembly.validate(moduleOf(memorySection({ minimum: 1, index: 'i64' })));

interface Parts {
  readonly memories: readonly MemoryShape[];
  readonly globals: readonly GlobalShape[];
  readonly segments: readonly SegmentShape[];
}

/** A module that V8 accepts, apart from custom page sizes. Whether its segments fit is another matter: most do. */
export function generateModule(random: Random): Uint8Array<ArrayBuffer> {
  const imported = random.list(random.oneIn(3) ? random.between(1, 2) : 0, (index) => ({
    ...memory(random),
    importName: ['env', `memory${index}`] as const,
  }));
  const memories = [...imported, ...random.list(random.pick([0, 1, 1, 1, 2, 3, 5]), () => memory(random))];
  const globals = makeGlobals(random);
  const count = random.pick([0, 1, 2, 3, 5, 8, 13, random.oneIn(10) ? 400 : 4]);
  const segments = memories.length === 0 ? [] : random.list(count, () => segment(random, memories, globals));
  return assemble(random, { memories, globals, segments });
}

function assemble(random: Random, { memories, globals, segments }: Parts): Uint8Array<ArrayBuffer> {
  const defined = memories.filter(({ importName }) => importName === undefined);
  const ownGlobals = globals.filter(({ importName }) => importName === undefined);
  const hasCode = random.oneIn(3);
  const writes = hasCode && memories[0]?.index !== 'i64' && memories.length > 0;
  const sections: number[][] = [
    hasCode ? typeSection(random.between(1, 3)) : [],
    importSection(imports(random, memories, globals, hasCode)),
    hasCode ? functionSection() : [],
    random.oneIn(8) ? section(4, [1, 0x70, 0, 4]) : [],
    defined.length > 0 || random.oneIn(4) ? memorySection(...defined) : [],
    ownGlobals.length > 0 ? globalSection(...ownGlobals) : [],
    random.oneIn(2) && memories.length > 0 ? exportSection(['memory', 2, 0]) : [],
    hasCode && random.oneIn(3) ? startSection(0) : [],
    random.oneIn(3) ? dataCountSection(segments.length) : [],
    // i32.const 0, i32.const 99, i32.store8: what a start function does to the memory is not of the module's image.
    hasCode ? codeSection(writes ? [I32_CONST, 0, I32_CONST, 0xe3, 0, 0x3a, 0, 0] : []) : [],
    segments.length > 0 || random.oneIn(6) ? dataSection(...segments) : [],
  ].map((bytes) => (bytes.length > 0 && random.oneIn(6) ? padLength(random, bytes) : bytes));
  const strewn = sections.flatMap((bytes) =>
    random.oneIn(12) ? [customSection('x', [1, 2, 3]), bytes] : [bytes],
  );
  return moduleOf(...strewn);
}

/** The same section, its length written in more bytes than it needs. */
function padLength(random: Random, [id, ...rest]: readonly number[]): number[] {
  const end = rest.findIndex((byte) => byte < 0x80) + 1;
  const payload = rest.slice(end);
  return [id!, ...unsigned(payload.length, random.between(end, 5)), ...payload];
}

/** No functions: the start function is number 0. */
function imports(
  random: Random,
  memories: readonly MemoryShape[],
  globals: readonly GlobalShape[],
  hasCode: boolean,
): number[][] {
  const entries: number[][] = [];
  for (const shape of memories)
    if (shape.importName !== undefined)
      entries.push(importEntry(shape.importName, [2, ...memoryType(shape)]));
  for (const shape of globals)
    if (shape.importName !== undefined)
      entries.push(importEntry(shape.importName, [3, ...globalType(shape)]));
  if (hasCode && random.oneIn(30)) entries.push(importEntry(['größe', '\uFEFFtable'], [1, 0x70, 0, 2]));
  return entries;
}

function memory(random: Random): MemoryShape {
  const index = HAS_MEMORY64 && random.oneIn(4) ? ('i64' as const) : ('i32' as const);
  if (random.oneIn(6)) return customMemory(random, index);
  const minimum = random.pick([0, 1, 1, 2, 3, 5, random.oneIn(4) ? 64 : 1]);
  const shared = random.oneIn(15);
  const maximum = minimum + random.pick([0, 1, 7, 1000]);
  return { minimum, index, ...(shared || random.oneIn(2) ? { maximum } : {}), ...(shared ? { shared } : {}) };
}

export function customMemory(random: Random, index: 'i32' | 'i64'): MemoryShape {
  if (random.oneIn(4)) return { minimum: random.below(4), index, pageSizeLog2: 16 };
  const nearby = random.pick([0, HOST_PAGE, 2 * HOST_PAGE, PAGE, 3 * PAGE]) + random.between(-3, 3);
  const minimum = Math.max(0, random.oneIn(3) ? random.below(2 * PAGE) : nearby);
  return { minimum, index, pageSizeLog2: 0, ...(random.oneIn(2) ? { maximum: minimum + 5000 } : {}) };
}

/** @param mayImport - an imported global has no value here */
export function makeGlobals(random: Random, mayImport = true): GlobalShape[] {
  const globals: GlobalShape[] = [];
  const count = random.oneIn(3) ? random.between(1, 5) : 0;
  const imported = mayImport && random.oneIn(4) ? random.between(1, 2) : 0;
  for (let index = 0; index < imported; index++) {
    globals.push({ type: random.pick(['i32', 'i64'] as const), importName: ['env', `global${index}`] });
  }
  for (let index = 0; index < count; index++) {
    const type = random.pick(['i32', 'i64'] as const);
    globals.push({ type, mutable: random.oneIn(6), init: initialValue(random, type, globals) });
  }
  return globals;
}

function initialValue(random: Random, type: 'i32' | 'i64', before: readonly GlobalShape[]): Expression {
  const value = random.pick([0, 1, HOST_PAGE, PAGE - 1, random.below(2 * PAGE)]);
  return random.oneIn(3) ? computed(random, type, value, before) : value;
}

/** Instructions whose result is `value`, unless a global that is not known takes part. */
function computed(
  random: Random,
  type: 'i32' | 'i64',
  value: number,
  globals: readonly GlobalShape[],
): number[] {
  const constant = (number: number | bigint): number[] => [
    type === 'i32' ? I32_CONST : I64_CONST,
    ...signed(BigInt.asIntN(type === 'i32' ? 32 : 64, BigInt(number))),
  ];
  const base = type === 'i32' ? 0x6a : 0x7c;
  const readable = globals.flatMap((global, index) =>
    global.type === type && !global.mutable ? [index] : [],
  );
  const some = random.below(1 << 20);
  switch (random.below(4)) {
    case 0:
      return [...constant(value - some), ...constant(some), base];
    case 1:
      return [...constant(value + some), ...constant(some), base + 1];
    case 2:
      return [...constant(value), ...constant(1), base + 2, ...constant(0), base];
    default:
      if (readable.length === 0) return constant(value);
      // What the global holds takes no part in the result, or all of it.
      return random.oneIn(2)
        ? [GLOBAL_GET, random.pick(readable)]
        : [GLOBAL_GET, random.pick(readable), ...constant(0), base + 2, ...constant(value), base];
  }
}

export function segment(
  random: Random,
  memories: readonly MemoryShape[],
  globals: readonly GlobalShape[],
): SegmentShape {
  const length = random.pick([0, 1, 2, 7, 40, 64, random.oneIn(5) ? random.below(9000) : 3]);
  const data = Uint8Array.from(random.list(length, () => random.between(1, 255)));
  if (random.oneIn(8)) return { data };
  const memoryIndex = random.below(memories.length);
  const { minimum, pageSizeLog2, index = 'i32' } = memories[memoryIndex]!;
  const byteLength = Number(minimum) * 2 ** (pageSizeLog2 ?? 16);
  const last = byteLength - length;
  const beyond = random.oneIn(60) ? random.between(1, 3) : 0;
  const place = random.pick([
    0,
    1,
    HOST_PAGE - 1,
    HOST_PAGE,
    last,
    last - 1,
    random.below(Math.max(1, last)),
  ]);
  const offset = Math.max(0, Math.min(place, last)) + beyond;
  if (random.oneIn(5)) return { memoryIndex, index, data, offset: computed(random, index, offset, globals) };
  return { memoryIndex, index, data, offset };
}
