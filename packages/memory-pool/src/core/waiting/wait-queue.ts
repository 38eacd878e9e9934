/** Who waits for a slot of one stripe: first come, first served. */
import { Waiters, type Waiter, type WaitersUser, type WaitRequest } from './waiters.js';

/** A queue of promises. */
export class WaitQueue<T> {
  readonly #waiters: Waiters<T>;

  constructor(user: WaitersUser<T>) {
    this.#waiters = new Waiters(user);
  }

  /** How many wait. */
  get length(): number {
    return this.#waiters.length;
  }

  /** Waits behind everybody else. Rejects with `signal.reason` when it is aborted. */
  wait(request: WaitRequest<T>): Promise<T> {
    return this.#waiters.enter(request);
  }

  /** What some wait for is about to come to an end. */
  recheck(): void {
    this.#waiters.recheck();
  }

  /**
   * On a turn of its own: lets those in front try, until one finds nothing. Attempts run code of others, which may free, abort and wait
   * here: whoever came is behind, and whoever left while their attempt ran gives back what it took.
   */
  answer(): void {
    this.#waiters.refuse();
    for (const waiter of this.#waiters) if (!this.#serve(waiter)) return;
  }

  /** Returns whether the next in line may try. */
  #serve(waiter: Waiter<T>): boolean {
    // The attempt of the one before may have ended it.
    if (this.#waiters.refuseIfOver(waiter)) return true;
    let value: T | undefined;
    try {
      value = waiter.attempt();
    } catch (error) {
      this.#waiters.reject(waiter, error);
      return true;
    }
    if (value === undefined) return this.#waiters.refuseIfOver(waiter);
    this.#waiters.resolve(waiter, value);
    return true;
  }
}
