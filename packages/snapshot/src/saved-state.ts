/** Everything that a snapshot holds of its target, in words that fit any instance of the same module. */
import type { VirtualMemory } from '@guardstripe/mmap';

import { TargetCollectedError, WrongTargetError } from './errors.js';
import { keeperOf } from './memory/keeper.js';
import { SavedMemory } from './memory/saved-memory.js';
import { readGlobals, translateGlobals } from './target/globals.js';
import { describer, type Reference } from './target/references.js';
import { readTables, translateTables } from './target/tables.js';
import type { ExportShape, Target } from './target/target.js';
import { growMemory, webAssembly, WASM_PAGE_BYTES, type MemoryLike } from './target/webassembly.js';

/** What a target's globals and tables hold. Functions are those of one instance. */
export interface Values {
  readonly globals: readonly unknown[];
  /** Not known of a fork whose tables were as its module makes them, and the snapshot's as well. */
  readonly tables: readonly (readonly unknown[])[] | undefined;
}

/** Refers to no part of the target it was taken of, so that this can be collected. */
export interface SavedState {
  readonly memories: readonly SavedMemory[];
  readonly areShared: readonly boolean[];
  readonly globals: readonly Reference[];
  readonly tables: readonly (readonly Reference[])[];
  readonly shape: readonly ExportShape[];
}

/** Reads a target's values, and describes them. Nothing is changed. */
export function saveValues(target: Target): {
  readonly values: Values;
  readonly described: Pick<SavedState, 'globals' | 'tables'>;
} {
  const values = { globals: readGlobals(target), tables: readTables(target) };
  const describe = describer(target);
  const described = {
    globals: values.globals.map(describe),
    tables: values.tables.map((entries) => entries.map(describe)),
  };
  return { values, described };
}

/** Copies the bytes of a target's memories; all of them or, after an error, none. */
export function saveMemories(target: Target, virtualMemory: VirtualMemory | undefined): SavedMemory[] {
  const saved: SavedMemory[] = [];
  try {
    for (const memory of target.memories) saved.push(new SavedMemory(keeperOf(memory).bytes, virtualMemory));
    return saved;
  } catch (error) {
    for (const each of saved) each.close();
    throw error;
  }
}

/**
 * Whether a state fits another instance, whose memories and tables grow to hold it; and what its functions are there.
 *
 * @param readsTables - false if the other's tables hold what they should without a look
 * @throws {@link WrongTargetError} before any byte, global or entry is written
 */
export function fit(state: SavedState, other: Target, readsTables: boolean): Values {
  compareShapes(state, other);
  const globals = translateGlobals(state.globals, other);
  state.memories.forEach((saved, i) => growTo(other.memories[i]!, saved.byteLength));
  return { globals, tables: readsTables ? translateTables(state.tables, other) : undefined };
}

function compareShapes(state: SavedState, other: Target): void {
  const { shape } = state;
  if (shape.length !== other.shape.length)
    throw new WrongTargetError(`it has ${other.shape.length} exports, not ${shape.length}`);
  for (let i = 0; i < shape.length; i++) {
    const expected = shape[i]!;
    const found = other.shape[i]!;
    if (!isSameShape(expected, found))
      throw new WrongTargetError(`export ${i} is ${describe(found)}, not ${describe(expected)}`);
  }
  // One that is exported twice here may be two there.
  compareCounts('memories', state.memories, other.memories);
  compareCounts('mutable globals', state.globals, other.globals);
  compareCounts('tables', state.tables, other.tables);
  state.areShared.forEach((shared, i) => {
    if (other.areShared[i] !== shared)
      throw new WrongTargetError(`memory ${i} is ${shared ? 'not ' : ''}shared`);
  });
}

function compareCounts(
  what: string,
  expected: { readonly length: number },
  found: { readonly length: number },
): void {
  if (found.length !== expected.length)
    throw new WrongTargetError(`it has ${found.length} different ${what}, not ${expected.length}`);
}

function isSameShape(left: ExportShape, right: ExportShape): boolean {
  return (
    left.kind === right.kind &&
    left.exportName === right.exportName &&
    left.number === right.number &&
    left.length === right.length &&
    left.isMutable === right.isMutable
  );
}

function describe({ kind, exportName, number, length, isMutable }: ExportShape): string {
  if (kind === 'function') return `function #${number}(${length}) ${exportName}`;
  return `${isMutable ? 'mutable ' : ''}${kind} ${exportName}`;
}

function growTo(memory: MemoryLike, byteLength: number): void {
  const missingBytes = byteLength - webAssembly().bufferOf(memory).byteLength;
  if (missingBytes <= 0) return;
  try {
    growMemory(memory, Math.ceil(missingBytes / WASM_PAGE_BYTES));
  } catch (error) {
    throw new WrongTargetError(`its memory cannot grow to ${byteLength} bytes (${(error as Error).message})`);
  }
}

/** Finds a living memory among weak references; the values of all hang on each. */
export function firstLiving(memories: readonly WeakRef<MemoryLike>[]): MemoryLike {
  for (const reference of memories) {
    const memory = reference.deref();
    if (memory !== undefined) return memory;
  }
  throw new TargetCollectedError('what the snapshot was taken of');
}
