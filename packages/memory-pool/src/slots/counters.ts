/** The pool's numbers, in one typed array, so that sharing them with other threads is a change of buffer. */
import { PoolCorruptedError } from '../errors.js';
import type { RestoreStrategy } from '@guardstripe/mmap';

const NAMES = [
  'liveMemories',
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
] as const;

/** Names of the numbers. */
export type Counter = (typeof NAMES)[number];

const INDEX = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Readonly<
  Record<Counter, number>
>;

const BYTES_COPIED = INDEX.bytesCopied;
const RESETS: Readonly<Record<RestoreStrategy, number>> = {
  scan: INDEX.scanResets,
  watch: INDEX.watchResets,
  copy: INDEX.writeResets,
  drop: INDEX.decommitResets,
};

/** Counts. Doubles, because bytes copied pass 2^32 within the hour. */
export class Counters {
  readonly #values = new Float64Array(NAMES.length);

  add(counter: Counter, amount: number): void {
    const index = INDEX[counter];
    const value = this.#values[index]! + amount;
    if (!(value >= 0)) throw new PoolCorruptedError(`${counter} becomes ${value}`);
    this.#values[index] = value;
  }

  /** Counts a slot's reset and the bytes that it wrote. */
  addReset(strategy: RestoreStrategy, bytesWritten: number): void {
    const values = this.#values;
    const index = RESETS[strategy];
    values[index] = values[index]! + 1;
    values[BYTES_COPIED] = values[BYTES_COPIED]! + bytesWritten;
  }

  get(counter: Counter): number {
    return this.#values[INDEX[counter]]!;
  }

  set(counter: Counter, value: number): void {
    this.#values[INDEX[counter]] = value;
  }
}
