/**
 * Asks the engine for a collection when somebody wants a slot and slots cool: only a collection tells that the last view is gone,
 * and one that comes by itself may take its time. A full one takes 4 ms on a small heap, so it is asked for only while all
 * of them together stay under a share of the time; each that brought nothing back doubles the wait for the next.
 */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How much longer the wait becomes at most, for views that somebody just keeps. */
const MAX_BACKOFF = 16;

/** What a collector is for. */
export interface CollectorUser {
  /** Whether a collection could bring back something that is wanted. */
  readonly wantsCollection: boolean;
  /** Whether the process must not end before that. */
  readonly isWaitedFor: boolean;
  /** How much collections have brought back, ever. */
  readonly numCollected: number;
  /** Runs the collection, and in the same turn whatever must be done before and after it. */
  collect(gc: () => void): void;
}

/** The engine's `gc`; `null` where it cannot be had. One heap, one clock, whatever the number of pools. */
let engineGc: (() => void) | null | undefined;
let lastEnd = Number.NEGATIVE_INFINITY;
let lastDuration = 0;

/** Collects for one pool. */
export class Collector {
  /** Collections that were asked for. */
  collections = 0;
  readonly #user: CollectorUser;
  readonly #maxShare: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #backoff = 1;
  #collectedBefore = 0;

  /** @param maxShare - most of the time that collections may take, 0 for none at all, below 1 */
  constructor(user: CollectorUser, maxShare: number) {
    this.#user = user;
    this.#maxShare = maxShare;
  }

  /** Has a collection made as soon as there is time for one, if it is still wanted then. Cheap to call again and again. */
  request(): void {
    if (this.#maxShare === 0 || engineGc === null) return;
    if (this.#timer === undefined) {
      const earliest = lastEnd + lastDuration * (1 / this.#maxShare - 1) * this.#backoff;
      // Never at once: whoever asks is in the middle of an allocation, and finalizers are heard between turns only.
      this.#timer = setTimeout(() => this.#run(), Math.max(earliest - performance.now(), 0)).unref();
    }
    if (this.#user.isWaitedFor) this.#timer.ref();
  }

  #run(): void {
    const user = this.#user;
    this.#timer = undefined;
    if (!user.wantsCollection) return;
    const isFruitless = this.collections > 0 && user.numCollected === this.#collectedBefore;
    this.#backoff = isFruitless ? Math.min(this.#backoff * 2, MAX_BACKOFF) : 1;
    this.#collectedBefore = user.numCollected;
    engineGc ??= findGc();
    if (engineGc === null) return;
    const start = performance.now();
    user.collect(engineGc);
    lastEnd = performance.now();
    lastDuration = lastEnd - start;
    this.collections++;
    // What it brings back is heard in a later turn. By the next time it is known whether more is wanted.
    this.request();
  }
}

/** The engine gives its function to new contexts while the flag is on. */
function findGc(): (() => void) | null {
  if (typeof globalThis.gc === 'function') return globalThis.gc;
  try {
    setFlagsFromString('--expose-gc');
    return runInNewContext('gc') as () => void;
  } catch {
    return null;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
