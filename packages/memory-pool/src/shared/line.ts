/**
 * Who waits in this thread for a slot of a stripe that threads share. Its index allocator decides whose turn it is, over all threads;
 * here is what a waiter brings.
 */
import type { WaitRequest } from '../core/wait-queue.js';
import type { SlotAllocator } from './stripe-allocator.js';

interface Waiter {
  readonly owner: object;
  /** Ends the wait in the allocator's line. */
  readonly abort: AbortController;
  readonly reject: (reason: unknown) => void;
  /** Undoes the abort listener. */
  readonly forget: () => void;
}

/** What a slot goes through on its way from the allocator to a waiter. */
export interface SlotGate {
  readonly isClosed: boolean;
  /** Whether a slot that was taken may be used. */
  admit(slot: number): boolean;
  /** Runs an attempt that takes this very slot; without one, or where it does not, the slot is free again. */
  grant<T>(slot: number, attempt?: () => T | undefined): T | undefined;
}

/** A thread's part of the line. */
export class SharedLine<T> {
  /** How many wait in this thread. */
  length = 0;
  readonly #waiters = new Set<Waiter>();
  readonly #allocator: SlotAllocator;
  readonly #gate: SlotGate;
  readonly #onLength: () => void;
  #standing = 0;

  /** @param onLength - told of each change of the length */
  constructor(allocator: SlotAllocator, gate: SlotGate, onLength: () => void) {
    this.#allocator = allocator;
    this.#gate = gate;
    this.#onLength = onLength;
  }

  /** Waits behind everybody else, of all threads. Rejects with `signal.reason` when it is aborted. */
  wait(request: WaitRequest<T>): Promise<T> {
    const { owner, signal } = request;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => this.#reject(waiter, signal?.reason);
      const forget = () => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = { owner, abort: new AbortController(), reject, forget };
      this.#waiters.add(waiter);
      this.#count();
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#standing++;
      void this.#stand(waiter, request, resolve)
        .catch((error: unknown) => this.#reject(waiter, error))
        .finally(() => this.#standing--);
    });
  }

  /** Rejects those that belong to `owner`. */
  rejectOwner(owner: object, reason: () => unknown): void {
    for (const waiter of this.#waiters) if (waiter.owner === owner) this.#reject(waiter, reason());
  }

  /** Rejects everybody. */
  rejectAll(reason: () => unknown): void {
    for (const waiter of this.#waiters) this.#reject(waiter, reason());
  }

  /** Whether somebody waits here, or has been given a slot that nobody has been told of. */
  get isBusy(): boolean {
    return this.#standing > 0;
  }

  async #stand(waiter: Waiter, request: WaitRequest<T>, resolve: (value: T) => void): Promise<void> {
    const { attempt, giveUp, key } = request;
    const gate = this.#gate;
    while (this.#waiters.has(waiter)) {
      const slot = await this.#allocator.allocAsync(key, { signal: waiter.abort.signal });
      // The thread has left meanwhile, and the slot went back with all others.
      if (gate.isClosed) return;
      if (!gate.admit(slot)) continue;
      // Whoever left meanwhile wants it no more.
      const value = gate.grant(slot, this.#waiters.has(waiter) ? attempt : undefined);
      if (value === undefined) continue;
      if (this.#leave(waiter)) resolve(value);
      else giveUp(value);
      return;
    }
  }

  #reject(waiter: Waiter, reason: unknown): void {
    if (!this.#leave(waiter)) return;
    waiter.reject(reason);
    waiter.abort.abort(reason);
  }

  /** Returns whether it was still there. */
  #leave(waiter: Waiter): boolean {
    if (!this.#waiters.delete(waiter)) return false;
    this.#count();
    waiter.forget();
    return true;
  }

  #count(): void {
    this.length = this.#waiters.size;
    this.#onLength();
  }
}
