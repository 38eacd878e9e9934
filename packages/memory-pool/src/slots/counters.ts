/** The pool's numbers, in one typed array, so that sharing them with other threads is a change of buffer. */

const NAMES = [
  'liveMemories',
  'scanResets',
  'writeResets',
  'decommitResets',
  'bytesCopied',
  'decommits',
  'failedResets',
  'failedScans',
] as const;

/** Names of the numbers. */
export type Counter = (typeof NAMES)[number];

const INDEX = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Readonly<
  Record<Counter, number>
>;

/** Counts. Doubles, because bytes copied pass 2^32 within the hour. */
export class Counters {
  readonly #values = new Float64Array(NAMES.length);

  add(counter: Counter, amount: number): void {
    const index = INDEX[counter];
    this.#values[index] = this.#values[index]! + amount;
  }

  get(counter: Counter): number {
    return this.#values[INDEX[counter]]!;
  }

  set(counter: Counter, value: number): void {
    this.#values[INDEX[counter]] = value;
  }
}
