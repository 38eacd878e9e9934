/** The numbers of a shared pool: each thread counts for itself, and a sum is made when somebody asks. */
import { PoolCorruptedError } from '../errors.js';
import { Counters, NUM_COUNTERS, placeOf, type Counter } from '../slots/counters.js';
import type { Flights } from '../moving/flights.js';
import type { Attachments } from './attachments.js';
import { COUNTERS_OF_SEAT, MAX_SEATS } from './state.js';

/** What a thread has now, and has no more when it ends. */
const NOW: readonly Counter[] = ['liveMemories', 'waitingAllocations'];

/** One thread's counters, and the sums over all. */
export class SharedCounters extends Counters {
  readonly #all: Float64Array;
  readonly #attachments: Attachments;
  readonly #flights: Flights;

  constructor(all: Float64Array, seat: number, attachments: Attachments, flights: Flights) {
    super(countersOf(all, seat));
    this.#all = all;
    this.#attachments = attachments;
    this.#flights = flights;
    // Whoever sat here before may have ended with memories. What else was counted here stays.
    for (const counter of NOW) this.set(counter, 0);
  }

  override get(counter: Counter): number {
    let sum = 0;
    if (NOW.includes(counter)) {
      if (counter === 'liveMemories') sum = this.#flights.memories;
      for (const { seat } of this.#attachments.living()) sum += this.of(seat, counter);
    } else for (let seat = 0; seat < MAX_SEATS; seat++) sum += this.of(seat, counter);
    return sum;
  }

  /** What the thread in a seat has counted. */
  of(seat: number, counter: Counter): number {
    const value = this.#all[seat * COUNTERS_OF_SEAT + placeOf(counter)];
    // Also for a seat that there is not.
    if (value === undefined || !(value >= 0))
      throw new PoolCorruptedError(`seat ${seat} has counted ${value} ${counter}`);
    return value;
  }
}

function countersOf(all: Float64Array, seat: number): Float64Array {
  const values = all.subarray(seat * COUNTERS_OF_SEAT, seat * COUNTERS_OF_SEAT + NUM_COUNTERS);
  // What is counted elsewhere would be counted for another thread, or nowhere.
  if (!(seat >= 0) || values.length !== NUM_COUNTERS)
    throw new PoolCorruptedError(`seat ${seat} has no counters`);
  return values;
}
