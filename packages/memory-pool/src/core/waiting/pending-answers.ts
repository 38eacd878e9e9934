/**
 * Limiters that take their time, and who gives up on them: nobody hangs because a limiter does. Whoever gives up is told on a turn of
 * its own, as those who wait for slots are; see `waiters.ts`.
 */
import type { AbortSignalLike } from '@guardstripe/common';
import { heardAnyway, NEXT_TURN } from './waiters.js';

/** What the answer is waited for: a tenancy whose memory is to be made, or the slot of one that is to grow. */
export type PendingFor = object | number;

type End = (reason: unknown) => void;

/** Answers that are waited for. */
export class PendingAnswers {
  /** Of how many keys there are some. */
  size = 0;
  readonly #pending = new Map<PendingFor, Set<End>>();

  /**
   * Waits for an answer. Rejects with `signal.reason` when it is aborted, and with what {@link PendingAnswers.end} is told; whatever
   * the answer would have been is then nobody's.
   */
  wait<T>(answer: PromiseLike<T>, key: PendingFor, signal: AbortSignalLike | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    heardAnyway(promise);
    const onAbort = () => endSoon([end], () => signal?.reason);
    const those = this.#pending.get(key) ?? new Set();
    const leave = (): void => {
      signal?.removeEventListener('abort', onAbort);
      those.delete(end);
      if (those.size === 0) this.#forget(key, those);
    };
    const end = (reason: unknown): void => {
      leave();
      reject(reason);
    };
    those.add(end);
    this.#pending.set(key, those);
    this.size = this.#pending.size;
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    const heard = (value: T): void => {
      leave();
      resolve(value);
    };
    answer.then(heard, end);
    return promise;
  }

  /** Whether an answer is waited for for the sake of `key`. */
  has(key: PendingFor): boolean {
    return this.#pending.has(key);
  }

  /** Ends what is waited for for the sake of `key`. */
  end(key: PendingFor, reason: () => unknown): void {
    const those = this.#pending.get(key);
    if (those === undefined) return;
    endSoon(those, reason);
    // Who comes now waits for something else.
    this.#forget(key, those);
  }

  /** Ends everything. */
  endAll(reason: () => unknown): void {
    for (const key of this.#pending.keys()) this.end(key, reason);
  }

  #forget(key: PendingFor, those: Set<End>): void {
    if (this.#pending.get(key) === those) this.#pending.delete(key);
    this.size = this.#pending.size;
  }
}

function endSoon(those: Iterable<End>, reason: () => unknown): void {
  const endThose = (): void => {
    for (const end of those) end(reason());
  };
  void NEXT_TURN.then(endThose);
}
