/** Who waits for a slot of one stripe: first come, first served, and whoever leaves costs the others nothing. */
import type { AbortSignalLike } from '@guardstripe/common';
import type { MemoryKey } from '@guardstripe/index-allocator';
import { PoolCorruptedError } from '../errors.js';

interface Waiter<T> extends WaitRequest<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  /** Undoes the abort listener. */
  readonly forget: () => void;
}

/** What a waiter brings. */
export interface WaitRequest<T> {
  /** Tries to take what is waited for; `undefined` means not yet, a throw rejects this waiter alone. */
  readonly attempt: () => T | undefined;
  /** Gives back what an attempt took for somebody who left while it ran. */
  readonly giveUp: (value: T) => void;
  /** Whom {@link WaitQueue.rejectOwner} finds the waiter by. */
  readonly owner: object;
  readonly signal?: AbortSignalLike | undefined;
  /** What the slot is for. */
  readonly key?: MemoryKey;
}

/** A queue of promises. A `Set` keeps insertion order and lets anyone leave from the middle in constant time. */
export class WaitQueue<T> {
  /** How many wait. */
  length = 0;
  readonly #waiters = new Set<Waiter<T>>();
  #isServing = false;

  /** Waits behind everybody else. Rejects with `signal.reason` when it is aborted. */
  wait(request: WaitRequest<T>): Promise<T> {
    const { signal } = request;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => this.#reject(waiter, signal?.reason);
      const forget = () => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter<T> = { ...request, resolve, reject, forget };
      this.#waiters.add(waiter);
      this.length = this.#waiters.size;
      // An aborted signal tells nobody any more.
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /**
   * Lets those in front try, until one finds nothing. Attempts run code of others, which may free, abort and wait here: whoever
   * came is behind, and whoever left while their attempt ran gives back what it took. Not to be called from an attempt;
   * {@link FreeSlots.serve} sees to that.
   */
  serve(): void {
    // The inner call would serve those behind the one whose attempt it is in, and the outer one would serve them again.
    if (this.#isServing)
      throw new PoolCorruptedError('those who wait are served from an attempt of one of them');
    this.#isServing = true;
    try {
      for (const waiter of this.#waiters) if (!this.#serveOne(waiter)) return;
    } finally {
      this.#isServing = false;
    }
  }

  /** Returns whether the next in line may try. */
  #serveOne(waiter: Waiter<T>): boolean {
    const { attempt, giveUp, signal } = waiter;
    if (signal?.aborted === true) {
      // Another listener of the signal gave something back, and ours comes after it.
      this.#reject(waiter, signal.reason);
      return true;
    }
    let value: T | undefined;
    try {
      value = attempt();
    } catch (error) {
      this.#reject(waiter, error);
      return true;
    }
    if (value === undefined) return !this.#waiters.has(waiter);
    if (!this.#leave(waiter)) giveUp(value);
    else waiter.resolve(value);
    return true;
  }

  /** Rejects those that belong to `owner`. */
  rejectOwner(owner: object, reason: () => unknown): void {
    for (const waiter of this.#waiters) if (waiter.owner === owner) this.#reject(waiter, reason());
  }

  /** Rejects everybody. */
  rejectAll(reason: () => unknown): void {
    for (const waiter of this.#waiters) this.#reject(waiter, reason());
  }

  #reject(waiter: Waiter<T>, reason: unknown): void {
    if (this.#leave(waiter)) waiter.reject(reason);
  }

  /** Returns whether it was still there. */
  #leave(waiter: Waiter<T>): boolean {
    if (!this.#waiters.delete(waiter)) return false;
    this.length = this.#waiters.size;
    waiter.forget();
    return true;
  }
}
