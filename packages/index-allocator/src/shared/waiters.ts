/** One thread's waiters: promises, in the order in which they came, and the thread's seat in the line of all. */
import type { AbortSignalLike } from '@guardstripe/common';
import { drawTicket, moveOn, standInLine, tryInTurn } from './line.js';
import { seatAt } from './shape.js';
import { SEAT_CALL } from './words.js';

/** How long the first of a thread waits for a call before it looks whether somebody died who should have called. */
const PATIENCE_MS = 50;

interface Waiter {
  readonly ticket: number;
  /** Takes a slot; -1 if there is none. */
  readonly attempt: () => number;
  readonly resolve: (slot: number) => void;
  readonly reject: (reason: unknown) => void;
  /** Undoes the abort listener. */
  readonly forget: () => void;
}

export class Waiters {
  readonly #head: Int32Array;
  readonly #seat: number;
  readonly #buryDead: () => void;
  /** A `Set` keeps the order, and lets anyone leave from the middle in constant time. */
  readonly #waiters = new Set<Waiter>();
  #isListening = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(head: Int32Array, seat: number, buryDead: () => void) {
    this.#head = head;
    this.#seat = seat;
    this.#buryDead = buryDead;
  }

  /** Waits behind everybody else, of all threads. Rejects with the signal's reason when it is aborted. */
  wait(attempt: () => number, signal: AbortSignalLike | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#leave(waiter, () => reject(signal?.reason));
      const forget = () => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = { ticket: drawTicket(this.#head), attempt, resolve, reject, forget };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (this.#waiters.size === 1) standInLine(this.#head, this.#seat, waiter.ticket);
      this.#serve();
      this.#listen();
    });
  }

  /** Rejects everybody. */
  rejectAll(reason: unknown): void {
    for (const waiter of this.#waiters) this.#leave(waiter, () => waiter.reject(reason));
  }

  /** Lets the first of this thread try, and the next, as long as they are the first of all and find a slot. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      let slot: number;
      try {
        slot = tryInTurn(this.#head, this.#seat, waiter.attempt);
      } catch (error) {
        this.#leave(waiter, () => waiter.reject(error));
        continue;
      }
      if (slot === -1) break;
      this.#leave(waiter, () => waiter.resolve(slot));
    }
    this.#keepPatience();
  }

  /** Serves whenever this thread is called. */
  #listen(): void {
    if (this.#isListening) return;
    const callAt = seatAt(this.#seat) + SEAT_CALL;
    // Read first: a call that comes while this thread tries makes the wait end at once.
    const calls = Atomics.load(this.#head, callAt);
    this.#serve();
    if (this.#waiters.size === 0) return;
    this.#isListening = true;
    const again = (): void => {
      this.#isListening = false;
      this.#listen();
    };
    const called = Atomics.waitAsync(this.#head, callAt, calls);
    if (called.async) void called.value.then(again);
    else queueMicrotask(again);
  }

  #leave(waiter: Waiter, tell: () => void): void {
    const [first] = this.#waiters;
    if (!this.#waiters.delete(waiter)) return;
    waiter.forget();
    if (waiter === first) {
      const [next] = this.#waiters;
      moveOn(this.#head, this.#seat, next?.ticket ?? 0);
    }
    this.#keepPatience();
    tell();
  }

  /** The timer also keeps Node's event loop alive, which a pending `waitAsync` does not. */
  #keepPatience(): void {
    if (this.#waiters.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#buryDead();
        this.#serve();
      }, PATIENCE_MS);
    }
  }
}
