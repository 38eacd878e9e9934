/**
 * The type of a memory: a byte of flags, a minimum, a maximum, a page size.
 *
 * ```
 * flags  0x01 has a maximum   0x02 shared   0x04 memory64: limits are 64-bit   0x08 custom page size: its log2 follows
 * ```
 *
 * Sources: the core specification ("Limits"), the threads, memory64 and custom-page-sizes proposals.
 */
import type { Cursor } from './cursor.js';
import type { MemoryType } from '../types.js';

const HAS_MAXIMUM = 0x01;
const SHARED = 0x02;
const INDEX_I64 = 0x04;
const CUSTOM_PAGE_SIZE = 0x08;
const KNOWN_FLAGS = HAS_MAXIMUM | SHARED | INDEX_I64 | CUSTOM_PAGE_SIZE;

/** A memory type and where it is written. */
export interface PlacedMemoryType {
  readonly type: MemoryType;
  readonly start: number;
  readonly end: number;
}

/** Reads one memory type and checks its limits as the specification does. @throws {@link InvalidModuleError} */
export function readMemoryType(cursor: Cursor, imported: MemoryType['imported']): PlacedMemoryType {
  const start = cursor.position;
  const flags = cursor.byte();
  if ((flags & ~KNOWN_FLAGS) !== 0) throw cursor.error(`a memory has unknown flags 0x${flags.toString(16)}`);
  const index = flags & INDEX_I64 ? 'i64' : 'i32';
  const limit = (): bigint => (index === 'i64' ? cursor.u64() : BigInt(cursor.u32()));
  const minimumPages = limit();
  const maximumPages = flags & HAS_MAXIMUM ? limit() : undefined;
  const pageSize = flags & CUSTOM_PAGE_SIZE ? readPageSize(cursor) : 65_536;
  const shared = (flags & SHARED) !== 0;
  const type: MemoryType = { minimumPages, maximumPages, shared, index, pageSize, imported };
  checkLimits(type, cursor);
  return { type, start, end: cursor.position };
}

/** Reads past the limits of a table, which have the first and the third flag. @throws {@link InvalidModuleError} */
export function readLimits(cursor: Cursor): void {
  const flags = cursor.byte();
  if ((flags & ~(HAS_MAXIMUM | INDEX_I64)) !== 0)
    throw cursor.error(`a table has unknown flags 0x${flags.toString(16)}`);
  for (let rest = flags & HAS_MAXIMUM ? 2 : 1; rest > 0; rest--) {
    if (flags & INDEX_I64) cursor.u64();
    else cursor.u32();
  }
}

/** Whether a memory's flags name a proposal that a V8 may lack, or have limits that V8 sets lower than the specification. */
export function isUnusualMemory(flags: number): boolean {
  return (flags & (INDEX_I64 | CUSTOM_PAGE_SIZE)) !== 0;
}

/** The same kind of memory, as small as can be: what any V8 that knows shared and 64-bit memories accepts. */
export function plainMemoryType(type: MemoryType): readonly number[] {
  const flags = (type.shared ? SHARED : 0) | (type.index === 'i64' ? INDEX_I64 : 0);
  return type.maximumPages === undefined ? [flags, 0] : [flags | HAS_MAXIMUM, 0, 1];
}

function readPageSize(cursor: Cursor): 1 | 65_536 {
  const log2 = cursor.u32();
  if (log2 === 0) return 1;
  if (log2 === 16) return 65_536;
  throw cursor.error(`a memory's page size must be 1 or 2^16, received 2^${log2}`);
}

function checkLimits(type: MemoryType, cursor: Cursor): void {
  const { minimumPages, maximumPages, shared, index, pageSize } = type;
  const mostPages = (index === 'i64' ? 2n ** 64n : 2n ** 32n) / BigInt(pageSize);
  if (minimumPages > mostPages || (maximumPages ?? 0n) > mostPages) {
    throw cursor.error(
      `a memory with ${index} addresses has at most ${mostPages} pages of ${pageSize} bytes`,
    );
  }
  if (maximumPages !== undefined && maximumPages < minimumPages) {
    throw cursor.error(`a memory's maximum of ${maximumPages} pages is below its minimum of ${minimumPages}`);
  }
  if (shared && maximumPages === undefined) throw cursor.error('a shared memory must have a maximum');
}
