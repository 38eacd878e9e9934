/** The pool's numbers, in one typed array: a thread's own, and in a pool that threads share one of many. */
import { PoolCorruptedError } from '../errors.js';
import type { RestoreStrategy } from '@guardstripe/mmap';

const NAMES = [
  'liveMemories',
  'waitingAllocations',
  'cooledMemories',
  'scanResets',
  'watchResets',
  'writeResets',
  'decommitResets',
  'bytesCopied',
  'decommits',
  'failedResets',
  'refusedCalls',
  'bytesTrimmed',
  'recoveredMemories',
] as const;

/** Names of the numbers. */
export type Counter = (typeof NAMES)[number];

const INDEX = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Readonly<
  Record<Counter, number>
>;

// What every tenancy counts goes by a constant: looking a name up costs more than counting.
const LIVE_MEMORIES = INDEX.liveMemories;
const DECOMMITS = INDEX.decommits;
const BYTES_COPIED = INDEX.bytesCopied;
const SCAN_RESETS = INDEX.scanResets;
const WATCH_RESETS = INDEX.watchResets;
const WRITE_RESETS = INDEX.writeResets;
const DECOMMIT_RESETS = INDEX.decommitResets;

/** How many numbers there are. */
export const NUM_COUNTERS = NAMES.length;

/** Counts. Doubles, because bytes copied pass 2^32 within the hour. */
export class Counters {
  readonly #values: Float64Array;

  /** @param values - where they are */
  constructor(values: Float64Array = new Float64Array(NUM_COUNTERS)) {
    this.#values = values;
  }

  add(counter: Counter, amount: number): void {
    this.#add(INDEX[counter], amount);
  }

  /** A memory came, or went. */
  addLive(amount: number): void {
    this.#add(LIVE_MEMORIES, amount);
  }

  /** A call dropped pages. */
  addDecommit(): void {
    this.#add(DECOMMITS, 1);
  }

  /** Counts a slot's reset and the bytes that it wrote. */
  addReset(strategy: RestoreStrategy, bytesWritten: number): void {
    const values = this.#values;
    const index = resetOf(strategy);
    values[index] = values[index]! + 1;
    values[BYTES_COPIED] = values[BYTES_COPIED]! + bytesWritten;
  }

  /** Of the whole pool. */
  get(counter: Counter): number {
    return this.#values[INDEX[counter]]!;
  }

  /** What this thread has counted. */
  own(counter: Counter): number {
    return this.#values[INDEX[counter]]!;
  }

  set(counter: Counter, value: number): void {
    if (!(value >= 0)) throw new PoolCorruptedError(`${counter} becomes ${value}`);
    this.#values[INDEX[counter]] = value;
  }

  #add(index: number, amount: number): void {
    const value = this.#values[index]! + amount;
    if (!(value >= 0)) throw new PoolCorruptedError(`${NAMES[index]} becomes ${value}`);
    this.#values[index] = value;
  }
}

function resetOf(strategy: RestoreStrategy): number {
  switch (strategy) {
    case 'scan':
      return SCAN_RESETS;
    case 'drop':
      return DECOMMIT_RESETS;
    case 'watch':
      return WATCH_RESETS;
    case 'copy':
      return WRITE_RESETS;
  }
}

/** The place of a number among those of one thread. */
export function placeOf(counter: Counter): number {
  return INDEX[counter];
}
