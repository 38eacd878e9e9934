/** Who waits for a slot of one stripe: first come, first served, and whoever leaves costs the others nothing. */

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  /** Takes the slot; undefined while there is none. */
  readonly attempt: () => T | undefined;
  readonly owner: object;
  /** Undoes the abort listener. */
  readonly forget: () => void;
}

/** What a waiter brings. */
export interface WaitRequest<T> {
  /** Tries to take what is waited for; `undefined` means not yet, a throw rejects this waiter alone. */
  readonly attempt: () => T | undefined;
  /** Whom {@link WaitQueue.rejectOwner} finds the waiter by. */
  readonly owner: object;
  readonly signal?: AbortSignal | undefined;
}

/** A queue of promises. A `Set` keeps insertion order and lets anyone leave from the middle in constant time. */
export class WaitQueue<T> {
  readonly #waiters = new Set<Waiter<T>>();
  #serving = false;

  /** How many wait. */
  get length(): number {
    return this.#waiters.size;
  }

  /** Waits behind everybody else. Rejects with `signal.reason` when it is aborted. */
  wait(request: WaitRequest<T>): Promise<T> {
    const { signal, attempt, owner } = request;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.delete(waiter);
        reject(signal?.reason);
      };
      const forget = () => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter<T> = { resolve, reject, attempt, owner, forget };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /**
   * Lets those in front try, until one finds nothing. Call it when something came free. A call from inside an attempt
   * does nothing: the outer one goes on as long as attempts succeed.
   */
  serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (const waiter of this.#waiters) if (!this.#serveOne(waiter)) return;
    } finally {
      this.#serving = false;
    }
  }

  /** Returns whether the next in line may try. */
  #serveOne(waiter: Waiter<T>): boolean {
    try {
      const value = waiter.attempt();
      if (value === undefined) return false;
      this.#leave(waiter);
      waiter.resolve(value);
    } catch (error) {
      this.#reject(waiter, error);
    }
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
    this.#leave(waiter);
    waiter.reject(reason);
  }

  #leave(waiter: Waiter<T>): void {
    this.#waiters.delete(waiter);
    waiter.forget();
  }
}
