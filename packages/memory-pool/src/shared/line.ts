/**
 * Who waits in this thread for a slot of a stripe that threads share. Its index allocator decides whose turn it is, over all threads;
 * here is what a waiter brings.
 */
import {
  NEXT_TURN,
  Waiters,
  type Waiter,
  type WaitersUser,
  type WaitRequest,
} from '../core/waiting/waiters.js';
import type { SlotAllocator } from './stripe-allocator.js';

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
  readonly #waiters: Waiters<T>;
  readonly #allocator: SlotAllocator;
  readonly #gate: SlotGate;
  /** Those who have not come to the allocator yet. */
  readonly #coming = new Set<Waiter<T>>();
  /** What ends the wait of the others there. */
  readonly #standing = new Map<Waiter<T>, AbortController>();
  /** Slots that the allocator has taken for waiters that were not told yet. */
  readonly #onTheirWay = new Set<number>();

  constructor(allocator: SlotAllocator, gate: SlotGate, user: WaitersUser<T>) {
    this.#allocator = allocator;
    this.#gate = gate;
    this.#waiters = new Waiters({
      onLength: () => user.onLength(),
      answerSoon: () => user.answerSoon(),
      onRefused: (waiter, reason) => this.#standing.get(waiter)?.abort(reason),
    });
  }

  /** How many wait in this thread. */
  get length(): number {
    return this.#waiters.length;
  }

  /** Whether somebody is about to stand in line, whom the allocator does not know of yet. */
  get isAwaitingArrivals(): boolean {
    return this.#coming.size > 0;
  }

  /** Whether a slot was taken for somebody who was not told yet. */
  isOnItsWay(slot: number): boolean {
    return this.#onTheirWay.has(slot);
  }

  /** Waits behind everybody else, of all threads. Rejects with `signal.reason` when it is aborted. */
  wait(request: WaitRequest<T>): Promise<T> {
    return this.#waiters.enter(request, (waiter) => {
      // Cut short in the allocator, it would stand in line for ever, or have a slot that nobody knows of.
      void NEXT_TURN.then(() => this.#stand(waiter));
      this.#coming.add(waiter);
    });
  }

  /** What some wait for is about to come to an end. */
  recheck(): void {
    this.#waiters.recheck();
  }

  /** On a turn of its own: tells those who wait in vain. Slots come from the allocator. */
  answer(): void {
    this.#waiters.refuse();
  }

  async #stand(waiter: Waiter<T>): Promise<void> {
    this.#coming.delete(waiter);
    const abort = new AbortController();
    this.#standing.set(waiter, abort);
    const options = { signal: abort.signal, onTaken: (slot: number) => void this.#onTheirWay.add(slot) };
    try {
      while (this.#waiters.has(waiter)) {
        const slot = await this.#allocator.allocAsync(waiter.key, options);
        // Else the thread has left meanwhile, and the slot went back with all others.
        if (!this.#gate.isClosed) this.#hand(slot, waiter);
      }
    } catch (error) {
      if (!this.#waiters.refuseIfOver(waiter)) this.#waiters.reject(waiter, error);
    } finally {
      this.#standing.delete(waiter);
    }
  }

  #hand(slot: number, waiter: Waiter<T>): void {
    try {
      if (!this.#gate.admit(slot)) return;
      // Whoever left meanwhile wants it no more.
      const value = this.#gate.grant(slot, this.#waiters.has(waiter) ? waiter.attempt : undefined);
      if (value !== undefined) this.#waiters.resolve(waiter, value);
    } finally {
      this.#onTheirWay.delete(slot);
    }
  }
}
