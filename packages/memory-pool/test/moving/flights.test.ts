/** Flights that are not as their own thread left them; every order of right steps is in every-order.test.ts. */
import { runInThisContext } from 'node:vm';
import { expect, it } from 'vitest';
import { FLIGHT_WORDS } from '../../src/moving/flight-steps.js';
import { Flights } from '../../src/moving/flights.js';

const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });
const MEMORIES = 2;
const HASH = new Int32Array(8);

function three() {
  const words = new Int32Array(new SharedArrayBuffer(3 * FLIGHT_WORDS * 4));
  const as = (self: number) => new Flights(words, { self, isAlive: () => true });
  return { words, as };
}

it('a flight is written by who has begun it, and stays as it is where another one tries', () => {
  const { words, as } = three();
  const [one, two] = [as(1), as(2)];
  expect(one.begin()).toBe(0);
  expect(two.begin()).toBe(1);
  const before = Int32Array.from(words);
  for (const [flights, flight] of [
    [one, 1],
    [two, 0],
    [two, 2],
  ] as const)
    expect(() => flights.describe(flight, 1, HASH)).toThrow(CORRUPTED);
  expect(Int32Array.from(words)).toEqual(before);
  one.describe(0, 2, HASH);
  one.launch(0, []);
  expect(() => one.describe(0, 1, HASH)).toThrow(CORRUPTED);
  expect(two.memories).toBe(2);
});

it('a flight that carries fewer memories than none hides no others', () => {
  const { words, as } = three();
  const flights = as(1);
  for (const memories of [3, 2]) {
    const flight = flights.begin();
    flights.describe(flight, memories, HASH);
    flights.launch(flight, []);
  }
  expect(flights.memories).toBe(5);
  words[FLIGHT_WORDS + MEMORIES] = -3;
  expect(() => flights.memories).toThrow(CORRUPTED);
});

it('a flight whose taker was cut short ends with what the taker does next, and nobody has a part of it', () => {
  const { as } = three();
  const [one, two] = [as(1), as(2)];
  const given: number[] = [];
  /** Takes a flight of three slots over, and the script is ended at the third. */
  const cutShort = (taker: Flights): void => {
    const flight = one.begin();
    one.describe(flight, 3, HASH);
    one.launch(flight, []);
    const adopt = (slot: number): boolean => {
      if (slot !== 7) return true;
      process.kill(process.pid, 'SIGINT');
      for (;;);
    };
    const take = () =>
      taker.take(flight, HASH, { slots: [5, 6, 7], adopt, giveUp: (slot) => given.push(slot) });
    Object.assign(globalThis, { cutShortByFlightsTest: take });
    expect(() => runInThisContext('cutShortByFlightsTest()', { breakOnSigint: true })).toThrow(/interrupted/);
  };
  /** Waited for ever. */
  const leave = (): void => {
    Object.assign(globalThis, { leaveByFlightsTest: () => one.settle(true) });
    runInThisContext('leaveByFlightsTest()', { timeout: 2000 });
  };
  for (const taker of [one, two]) {
    cutShort(taker);
    expect(given.splice(0)).toEqual([]);
    taker.settle(false);
    expect(given.splice(0)).toEqual([6, 5]);
    leave();
    expect([one.memories, one.departures]).toEqual([0, 0]);
  }
  // The thread that released them and was cut short itself, twice, leaves at once.
  cutShort(one);
  cutShort(one);
  leave();
  expect(given).toEqual([6, 5, 6, 5]);
});
