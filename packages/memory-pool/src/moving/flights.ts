/** The flights of a pool as one thread has them. What is done to them is in `flight-steps.ts`. */
import type { Threads } from '@guardstripe/index-allocator';
import { PoolCorruptedError } from '../errors.js';
import {
  adoptAll,
  begin,
  cancel,
  claim,
  countMemories,
  describeFlight,
  FLIGHT_WORDS,
  giveUpIfTaken,
  isCrew,
  isFlying,
  launch,
  settle,
  type Slots,
} from './flight-steps.js';

/** What left this thread. */
export interface Departed {
  readonly slot: number;
  readonly generation: number;
}

/** A thread's flights, and those of others that it takes. */
export class Flights {
  readonly #words: Int32Array;
  readonly #threads: Threads;
  /** What this thread has launched and has not heard of again. */
  readonly #departed = new Map<number, readonly Departed[]>();

  /** What this thread is about to take. `vm`'s timeout ends that without running `finally`: what is found here later was cut short. */
  #taking: { readonly flight: number; readonly slots: Slots; numAdopted: number } | undefined;

  constructor(words: Int32Array, threads: Threads) {
    if (!isCrew(threads.self))
      throw new PoolCorruptedError(`thread ${threads.self} has no place in a flight`);
    this.#words = words;
    this.#threads = threads;
  }

  /** Memories in flight, of all threads. */
  get memories(): number {
    return countMemories(this.#words, this.#threads);
  }

  /** How many this thread has not heard of again. */
  get departures(): number {
    return this.#departed.size;
  }

  /** As many stores can be in flight at a time. */
  get capacity(): number {
    return this.#words.length / FLIGHT_WORDS;
  }

  /** -1 if there is none. */
  begin(): number {
    return begin(this.#words, this.#threads);
  }

  cancel(flight: number): void {
    cancel(this.#words, flight, this.#threads);
  }

  describe(flight: number, numMemories: number, hash: Int32Array): void {
    describeFlight(this.#words, flight, this.#threads, numMemories, hash);
  }

  launch(flight: number, departed: readonly Departed[]): void {
    // What an earlier store in it left here is looked after with this one: whoever took that may have broken off.
    this.#departed.set(flight, [...(this.#departed.get(flight) ?? []), ...departed]);
    launch(this.#words, flight, this.#threads);
  }

  isFlying(flight: number, hash: Int32Array): boolean {
    return this.#has(flight) && isFlying(this.#words, flight, hash);
  }

  /** Takes all slots of a flight, or none: then it is not to be had any more. */
  take(flight: number, hash: Int32Array, slots: Slots): boolean {
    this.#finishTaking();
    const taking = { flight, slots, numAdopted: 0 };
    this.#taking = taking;
    const from = claim(this.#words, flight, this.#threads, hash);
    const isTaken = from !== 0 && adoptAll(this.#words, flight, from, slots, taking);
    this.#taking = undefined;
    return isTaken;
  }

  /**
   * Looks after what this thread has launched. Returns what was in flights that are over; most of it is another thread's by now.
   *
   * @param isEnding - ends those that fly
   */
  settle(isEnding: boolean): Departed[] {
    this.#finishTaking();
    const over: Departed[] = [];
    for (const [flight, departed] of this.#departed) {
      if (settle(this.#words, flight, this.#threads, isEnding) === 'flying') continue;
      this.#departed.delete(flight);
      over.push(...departed);
    }
    return over;
  }

  /** What this thread has launched. */
  *departedSlots(): Iterable<Departed> {
    for (const departed of this.#departed.values()) yield* departed;
  }

  #finishTaking(): void {
    const taking = this.#taking;
    if (taking === undefined) return;
    giveUpIfTaken(this.#words, taking.flight, this.#threads, taking.slots, taking);
    this.#taking = undefined;
  }

  #has(flight: number): boolean {
    return flight >= 0 && flight < this.capacity;
  }
}
