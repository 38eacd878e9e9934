/**
 * Who waits, and how that ends: on a turn of its own. Whatever frees, aborts, disposes or closes may run in a script that `vm`'s timeout
 * ends, at any call, and the thread lives on; an answer that is being given there is lost, and with it what it gives. So whoever is about
 * to change something calls the turn *first*, and the turn finds out what is to be said.
 */
import type { AbortSignalLike } from '@guardstripe/common';
import type { MemoryKey } from '@guardstripe/index-allocator';

/** Resolved: what is added to it runs when the script or the callback that runs now has ended. */
export const NEXT_TURN = Promise.resolve();

/**
 * For an answer that somebody is about to wait for, before anybody can give it. Where `vm`'s timeout ends the call before it is returned,
 * nobody is left to hear of a rejection, and one that nobody hears ends the process.
 */
export function heardAnyway(answer: Promise<unknown>): void {
  answer.catch(() => undefined);
}

/** What a waiter brings. */
export interface WaitRequest<T> {
  /** Tries to take what is waited for; `undefined` means not yet, a throw rejects this waiter alone. */
  readonly attempt: () => T | undefined;
  /** Gives back what an attempt took for somebody who left while it ran. */
  readonly giveUp: (value: T) => void;
  /** Why nothing is to be had any more, if that is so. */
  readonly refusal: () => Error | undefined;
  readonly signal?: AbortSignalLike | undefined;
  /** What the slot is for. */
  readonly key?: MemoryKey;
}

/** Somebody who waits. */
export interface Waiter<T> extends WaitRequest<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  /** Undoes the abort listener. */
  readonly forget: () => void;
}

/** Those that have to do with the waiters. */
export interface WaitersUser<T> {
  /** Told of each change of their number. */
  onLength(): void;
  /** Has {@link Waiters.refuse} called on a turn of its own. */
  answerSoon(): void;
  /** Told of one who was refused. */
  onRefused?(waiter: Waiter<T>, reason: unknown): void;
}

/** Those who wait, in the order in which they came. Whoever leaves costs the others nothing. */
export class Waiters<T> {
  readonly #user: WaitersUser<T>;
  /** A `Set` keeps the order, and lets anyone leave from the middle in constant time. */
  readonly #all = new Set<Waiter<T>>();
  readonly #aborted = new Set<Waiter<T>>();
  #isRecheckDue = false;

  constructor(user: WaitersUser<T>) {
    this.#user = user;
  }

  get length(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Waiter<T>> {
    return this.#all.values();
  }

  has(waiter: Waiter<T>): boolean {
    return this.#all.has(waiter);
  }

  /**
   * Waits behind everybody else. Rejects with `signal.reason` when it is aborted.
   *
   * @param onArrival - called first
   */
  enter(request: WaitRequest<T>, onArrival?: (waiter: Waiter<T>) => void): Promise<T> {
    const { signal } = request;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    heardAnyway(promise);
    const onAbort = (): void => {
      this.#user.answerSoon();
      this.#aborted.add(waiter);
    };
    const forget = () => signal?.removeEventListener('abort', onAbort);
    const waiter: Waiter<T> = { ...request, resolve, reject, forget };
    onArrival?.(waiter);
    this.#all.add(waiter);
    this.#user.onLength();
    // An aborted signal tells nobody any more.
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  /** What some wait for is about to come to an end: has all looked at on the next turn. */
  recheck(): void {
    this.#isRecheckDue = true;
    this.#user.answerSoon();
  }

  /** Rejects those who gave up, and those for whom there is nothing any more. Only on a turn of its own, as all that follows. */
  refuse(): void {
    for (const waiter of this.#isRecheckDue ? this.#all : this.#aborted) this.refuseIfOver(waiter);
    this.#isRecheckDue = false;
    this.#aborted.clear();
  }

  /** Returns whether the waiter was rejected, or has left before. */
  refuseIfOver(waiter: Waiter<T>): boolean {
    const { signal } = waiter;
    const isAborted = signal?.aborted === true;
    const reason: unknown = isAborted ? signal.reason : waiter.refusal();
    if (isAborted || reason !== undefined) this.reject(waiter, reason);
    return !this.#all.has(waiter);
  }

  reject(waiter: Waiter<T>, reason: unknown): void {
    if (!this.#leave(waiter)) return;
    waiter.reject(reason);
    this.#user.onRefused?.(waiter, reason);
  }

  /** Answers, unless the waiter has left, or has nothing to get any more: then the value is given back. */
  resolve(waiter: Waiter<T>, value: T): void {
    try {
      if (this.refuseIfOver(waiter)) waiter.giveUp(value);
      else if (this.#leave(waiter)) waiter.resolve(value);
    } catch (error) {
      this.reject(waiter, error);
    }
  }

  /** Returns whether it was still there. */
  #leave(waiter: Waiter<T>): boolean {
    if (!this.#all.delete(waiter)) return false;
    this.#user.onLength();
    waiter.forget();
    return true;
  }
}
