/** Limiters that take their time, and who gives up on them: nobody hangs because a limiter does. */
import type { AbortSignalLike } from '@guardstripe/common';

/** What the answer is waited for: a tenancy whose memory is to be made, or the slot of one that is to grow. */
export type PendingFor = object | number;

/** Answers that are waited for. */
export class PendingAnswers {
  /** Of how many keys there are some. */
  size = 0;
  readonly #pending = new Map<PendingFor, Set<(reason: unknown) => void>>();

  /**
   * Waits for an answer. Rejects with `signal.reason` when it is aborted, and with what {@link PendingAnswers.end} is told; whatever
   * the answer would have been is then nobody's.
   */
  wait<T>(answer: PromiseLike<T>, key: PendingFor, signal: AbortSignalLike | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => end(signal?.reason);
      const leave = (): void => {
        signal?.removeEventListener('abort', onAbort);
        const others = this.#pending.get(key);
        others?.delete(end);
        if (others?.size === 0) this.#pending.delete(key);
        this.size = this.#pending.size;
      };
      const end = (reason: unknown): void => {
        leave();
        reject(reason);
      };
      const those = this.#pending.get(key);
      if (those === undefined) this.#pending.set(key, new Set([end]));
      else those.add(end);
      this.size = this.#pending.size;
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
      const heard = (value: T): void => {
        leave();
        resolve(value);
      };
      answer.then(heard, end);
    });
  }

  /** Whether an answer is waited for for the sake of `key`. */
  has(key: PendingFor): boolean {
    return this.#pending.has(key);
  }

  /** Ends what is waited for for the sake of `key`. */
  end(key: PendingFor, reason: () => unknown): void {
    for (const end of this.#pending.get(key) ?? []) end(reason());
  }

  /** Ends everything. */
  endAll(reason: () => unknown): void {
    for (const key of this.#pending.keys()) this.end(key, reason);
  }
}
