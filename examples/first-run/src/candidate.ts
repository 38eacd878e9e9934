/** A memory of a module that the pool takes: described, allocated once, and compared with V8's. */
import { Buffer } from 'node:buffer';
import {
  describeModule,
  ModuleNotPoolableError,
  InvalidModuleError,
  type MemoryPool,
  type ModuleMemory,
  type PoolModule,
  type Store,
} from '@guardstripe/memory-pool';
import type { Checks } from './checks.ts';
import { bytes as formatBytes, count, hex, oneLine } from './format.ts';
import type { ModuleSource } from './modules.ts';
import { instantiate, memoryOf, v8Template, type V8Template } from './v8-start.ts';

/** One memory of one module, ready for the later steps. */
export interface Candidate {
  readonly name: string;
  readonly module: PoolModule;
  readonly memory: ModuleMemory;
  readonly initialBytes: number;
  /** What the memory starts with: V8's memory itself where there is one, else a copy of the first allocation. */
  readonly reference: Uint8Array;
  readonly comparison: Comparison;
  readonly v8: V8Template | undefined;
}

/** How a memory compares with the one that V8's own instance of the module starts with. */
export type Comparison =
  | { readonly kind: 'equal'; readonly bytes: number; readonly changes: readonly string[] }
  | { readonly kind: 'different'; readonly what: string }
  | { readonly kind: 'not compared'; readonly reason: string };

/** A source that came to nothing. `fault`: the file is missing or broken; else a good module that no pool can hold. */
export interface Refusal {
  readonly name: string;
  readonly reason: string;
  readonly fault: boolean;
}

export type Admission =
  | { readonly kind: 'admitted'; readonly candidates: readonly Candidate[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Describes a module, allocates each of its memories, and compares every byte with V8's. */
export function admit(source: ModuleSource, pool: MemoryPool, checks: Checks): Admission {
  const refuse = (reason: string, fault: boolean): Admission => ({
    kind: 'refused',
    refusal: { name: source.name, reason: oneLine(reason), fault },
  });
  if (source.kind === 'unreadable') return refuse(source.reason, true);
  let module: PoolModule | undefined;
  try {
    module = describeModule(source.bytes);
    pool.validateModule(module);
    const defined = module.memories.filter((memory) => memory.kind === 'defined');
    if (defined.length === 0) {
      module.close();
      return refuse(whyNoMemory(module), false);
    }
    const candidates = compareMemories(source.name, source.bytes, module, defined, pool, checks);
    return { kind: 'admitted', candidates };
  } catch (error) {
    module?.close();
    if (error instanceof InvalidModuleError) return refuse(error.message, true);
    if (error instanceof ModuleNotPoolableError) return refuse(error.message, false);
    throw error;
  }
}

function whyNoMemory(module: PoolModule): string {
  const imported = module.memories[0];
  return imported === undefined
    ? 'The module has no memory'
    : `Memory ${imported.index} of the module ${imported.obstacle ?? 'is imported'}`;
}

function compareMemories(
  name: string,
  bytes: Uint8Array,
  module: PoolModule,
  memories: readonly ModuleMemory[],
  pool: MemoryPool,
  checks: Checks,
): Candidate[] {
  const v8 = v8Template(bytes, module);
  const exports = v8.kind === 'template' ? instantiate(v8) : undefined;
  using store = pool.openStore();
  return memories.map((memory) => {
    const label = memories.length === 1 ? name : `${name} #${memory.index}`;
    const { reference, comparison } = compareMemory(
      store,
      module,
      memory,
      exports === undefined ? undefined : new Uint8Array(memoryOf(exports, memory.index).buffer),
      v8.kind === 'none' ? v8.reason : '',
      v8.kind === 'none' ? [] : v8.changes,
    );
    checks.expect(
      comparison.kind !== 'different',
      () => `${label}: ${(comparison as { what: string }).what}`,
    );
    return {
      name: label,
      module,
      memory,
      initialBytes: reference.byteLength,
      reference,
      comparison,
      v8: v8.kind === 'none' ? undefined : v8,
    };
  });
}

function compareMemory(
  store: Store,
  module: PoolModule,
  memory: ModuleMemory,
  v8Bytes: Uint8Array | undefined,
  reason: string,
  changes: readonly string[],
): { reference: Uint8Array; comparison: Comparison } {
  using pooled = store.allocate({ module, memoryIndex: memory.index });
  const ours = new Uint8Array(pooled.unsafeBuffer);
  if (v8Bytes === undefined) {
    return { reference: ours.slice(), comparison: { kind: 'not compared', reason: oneLine(reason) } };
  }
  const what = firstDifference(ours, v8Bytes, 'V8');
  const comparison: Comparison =
    what === undefined ? { kind: 'equal', bytes: ours.byteLength, changes } : { kind: 'different', what };
  return { reference: v8Bytes, comparison };
}

const CHUNK_BYTES = 2 ** 20;

/** Compares every byte; says where the first difference is, or nothing if there is none. */
export function firstDifference(ours: Uint8Array, theirs: Uint8Array, whose: string): string | undefined {
  if (ours.byteLength !== theirs.byteLength) {
    return `has ${count(ours.byteLength)} bytes, ${whose} has ${count(theirs.byteLength)}`;
  }
  for (let start = 0; start < ours.byteLength; start += CHUNK_BYTES) {
    const end = Math.min(start + CHUNK_BYTES, ours.byteLength);
    if (Buffer.compare(ours.subarray(start, end), theirs.subarray(start, end)) === 0) continue;
    let at = start;
    while (ours[at] === theirs[at]) at++;
    return `byte ${hex(at)} is ${hex(ours[at] ?? 0)}, ${whose} has ${hex(theirs[at] ?? 0)}`;
  }
  return undefined;
}

/** The memory's size and image in words, for the line that says what was found. */
export function describeCandidate(candidate: Candidate): string {
  const { memory, comparison } = candidate;
  const image =
    memory.image === undefined
      ? memory.initialization === 'zeros'
        ? 'no image, zeros only'
        : `no image (${memory.initialization})`
      : `image of ${formatBytes(memory.image.byteLength)} at ${hex(memory.image.offsetBytes)}`;
  const maximum = memory.maximumPages === undefined ? '' : `..${memory.maximumPages}`;
  const size = `${formatBytes(candidate.initialBytes)} (${memory.initialPages}${maximum} pages)`;
  return `${size}, ${image}, ${describeComparison(comparison)}`;
}

function describeComparison(comparison: Comparison): string {
  switch (comparison.kind) {
    case 'equal': {
      const note = comparison.changes.length === 0 ? '' : ` (${comparison.changes.join(', ')})`;
      return `all ${count(comparison.bytes)} bytes equal V8's${note}`;
    }
    case 'different':
      return `DIFFERS FROM V8: ${comparison.what}`;
    case 'not compared':
      return `not compared with V8: ${comparison.reason}`;
  }
}
