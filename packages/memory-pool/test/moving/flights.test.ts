/** Flights that are not as their own thread left them; every order of right steps is in every-order.test.ts. */
import { runInThisContext } from 'node:vm';
import { expect, it } from 'vitest';
import { FLIGHT_WORDS } from '../../src/moving/flight-steps.js';
import { Flights, type Departed } from '../../src/moving/flights.js';

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

it('a flight is launched by who has begun it, and once', () => {
  const { words, as } = three();
  const [one, two] = [as(1), as(2)];
  const flight = one.begin();
  one.describe(flight, 1, HASH);
  const before = Int32Array.from(words);
  expect(() => two.launch(flight, [])).toThrow(CORRUPTED);
  expect(Int32Array.from(words)).toEqual(before);
  one.launch(flight, []);
  expect(two.isFlying(flight, HASH)).toBe(true);
  expect(() => one.launch(flight, [])).toThrow(CORRUPTED);
});

it.each([
  [-1, 8],
  [Number.NaN, 8],
  [1, 7],
  [1, 9],
])('a flight is not described as one of %d memories, and %d words of hash', (memories, hashWords) => {
  const { words, as } = three();
  const one = as(1);
  const flight = one.begin();
  const before = Int32Array.from(words);
  expect(() => one.describe(flight, memories, new Int32Array(hashWords))).toThrow(CORRUPTED);
  expect(Int32Array.from(words)).toEqual(before);
});

it.each([0, -1, 2 ** 30, Number.NaN])('thread %d has no place in a flight', (self) => {
  expect(() => three().as(self)).toThrow(CORRUPTED);
});

it('what a taker left in a flight that it broke off is not forgotten when the next store flies in it', () => {
  const { as } = three();
  const [one, two] = [as(1), as(2)];
  const [a, b, c] = [5, 6, 7].map((slot) => ({ slot, generation: 1 })) as [Departed, Departed, Departed];
  const launch = (...departed: Departed[]) => {
    const flight = one.begin();
    one.describe(flight, departed.length, HASH);
    one.launch(flight, departed);
    return flight;
  };
  const first = launch(a, b);
  const adopt = (slot: number): boolean => {
    if (slot === a.slot) return true;
    throw new Error('broken off');
  };
  expect(() => two.take(first, HASH, { slots: [5, 6], adopt, giveUp: () => undefined })).toThrow(
    'broken off',
  );
  expect(launch(c)).toBe(first);
  expect(one.settle(false)).toEqual([]);
  expect(one.settle(true)).toEqual([a, b, c]);
  expect(one.departures).toBe(0);
});
