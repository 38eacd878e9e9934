/** What each thread of a shared pool counts, in a seat of its own. */
import { describe, expect, it } from 'vitest';
import { Flights } from '../../src/moving/flights.js';
import { Attachments } from '../../src/shared/attachments.js';
import { SharedCounters } from '../../src/shared/counters.js';
import { COUNTERS_OF_SEAT, MAX_SEATS, SEAT_WORDS } from '../../src/shared/state.js';

const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

function seats() {
  const all = new Float64Array(MAX_SEATS * COUNTERS_OF_SEAT);
  const words = new Int32Array(new SharedArrayBuffer(64));
  const taken = new Int32Array(new SharedArrayBuffer(MAX_SEATS * SEAT_WORDS * 4));
  const threads = { self: 1, isAlive: () => true };
  const attachments = new Attachments({ words, seats: taken }, threads);
  const flights = new Flights(new Int32Array(0), threads);
  return { all, countersOf: (seat: number) => new SharedCounters(all, seat, attachments, flights) };
}

describe('the counters of a shared pool', () => {
  it('are each thread’s own, and summed when somebody asks', () => {
    const { countersOf } = seats();
    const threads = [0, 1, MAX_SEATS - 1].map(countersOf);
    for (const [n, counters] of threads.entries()) counters.add('decommits', n + 1);
    expect(threads.map((counters) => counters.own('decommits'))).toEqual([1, 2, 3]);
    expect(threads.map((counters) => counters.get('decommits'))).toEqual([6, 6, 6]);
  });

  it.each([-1, MAX_SEATS, Number.NaN])('are not those of seat %d, which is none', (seat) => {
    const { countersOf } = seats();
    expect(() => countersOf(seat)).toThrow(CORRUPTED);
    expect(() => countersOf(0).of(seat, 'decommits')).toThrow(CORRUPTED);
  });

  it.each([-1, Number.NaN])('that another thread has set to %d are no sum of anything', (value) => {
    const { all, countersOf } = seats();
    const counters = countersOf(0);
    all.fill(value, COUNTERS_OF_SEAT, 2 * COUNTERS_OF_SEAT);
    expect(() => counters.get('decommits')).toThrow(CORRUPTED);
  });
});
