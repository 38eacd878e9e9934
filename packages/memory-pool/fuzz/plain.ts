/**
 * The same module with memories of 64 KiB pages, for a V8 that knows no other: each memory becomes as many of those as its
 * bytes need. Its data goes to the same places; what lies between its end and that of the last page must stay zero.
 */
import { unsigned } from '@guardstripe/wasm-builder';
import { join, leb, split, type Section } from './sections.ts';

const PAGE = 65_536n;
const CUSTOM_PAGE_SIZE = 8;

/** `undefined` if the module has no memory with a page size of its own. */
export function withPlainPages(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  let found = false;
  const rewrite = (payload: Uint8Array, at: number, out: number[]): number => {
    found ||= ((payload[at] ?? 0) & CUSTOM_PAGE_SIZE) !== 0;
    return rewriteMemory(payload, at, out);
  };
  const sections = split(bytes).map((section): Section => {
    if (section.id === 5) return { ...section, payload: entries(section.payload, rewrite) };
    if (section.id !== 2) return section;
    return {
      ...section,
      payload: entries(section.payload, (payload, at, out) => rewriteImport(payload, at, out, rewrite)),
    };
  });
  return found ? join(sections) : undefined;
}

/** Rewrites the entry at a place, and returns where the next one is. */
type Rewrite = (payload: Uint8Array, at: number, out: number[]) => number;

function entries(payload: Uint8Array, rewrite: Rewrite): Uint8Array {
  const count = leb(payload, 0);
  const out: number[] = [...payload.subarray(0, count.end)];
  let at = count.end;
  for (let rest = count.value; rest > 0 && at < payload.length; rest--) at = rewrite(payload, at, out);
  out.push(...payload.subarray(at));
  return Uint8Array.from(out);
}

function rewriteMemory(payload: Uint8Array, at: number, out: number[]): number {
  const flags = payload[at] ?? 0;
  let position = at + 1;
  const next = (): bigint => {
    const { end } = leb(payload, position);
    let value = 0n;
    for (let i = position; i < end; i++) value |= BigInt(payload[i]! & 0x7f) << BigInt(7 * (i - position));
    position = end;
    return value;
  };
  const limits = [next(), ...(flags & 1 ? [next()] : [])];
  const pageBytes = flags & CUSTOM_PAGE_SIZE ? 2n ** next() : PAGE;
  out.push(flags & ~CUSTOM_PAGE_SIZE);
  for (const limit of limits) out.push(...unsigned((limit * pageBytes + PAGE - 1n) / PAGE));
  return position;
}

function rewriteImport(payload: Uint8Array, at: number, out: number[], memory: Rewrite): number {
  const module = leb(payload, at);
  const name = leb(payload, module.end + module.value);
  const kindAt = name.end + name.value;
  out.push(...payload.subarray(at, kindAt + 1));
  if (payload[kindAt] === 2) return memory(payload, kindAt + 1, out);
  const end = descriptionEnd(payload, kindAt);
  out.push(...payload.subarray(kindAt + 1, end));
  return end;
}

function descriptionEnd(payload: Uint8Array, kindAt: number): number {
  const at = kindAt + 1;
  switch (payload[kindAt]) {
    case 1: {
      const limitsAt = typeEnd(payload, at);
      const minimum = leb(payload, limitsAt + 1);
      return (payload[limitsAt] ?? 0) & 1 ? leb(payload, minimum.end).end : minimum.end;
    }
    case 3:
      return typeEnd(payload, at) + 1;
    case 4:
      return leb(payload, at + 1).end;
    default:
      return leb(payload, at).end;
  }
}

/** References to types of the module have more than one byte. */
const typeEnd = (payload: Uint8Array, at: number): number =>
  payload[at] === 0x63 || payload[at] === 0x64 ? leb(payload, at + 1).end : at + 1;
