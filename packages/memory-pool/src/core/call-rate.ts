/** How often something may be done. */

// The global one is a getter that loads something, and what cuts that off breaks it for good.
import { performance } from 'node:perf_hooks';

const SECOND_MS = 1000;

/** Counts calls in windows of a second. */
export class CallRate {
  readonly #maxPerSecond: number;
  #windowStart = Number.NEGATIVE_INFINITY;
  #calls = 0;

  constructor(maxPerSecond: number) {
    this.#maxPerSecond = maxPerSecond;
  }

  /** Whether one more call may be made now. */
  mayCall(): boolean {
    if (this.#calls < this.#maxPerSecond) return true;
    if (performance.now() - this.#windowStart < SECOND_MS) return false;
    this.#calls = 0;
    return true;
  }

  /** A call was made. */
  count(): void {
    if (this.#calls++ === 0) this.#windowStart = performance.now();
  }
}
