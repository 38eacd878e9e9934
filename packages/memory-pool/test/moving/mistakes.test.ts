/** Mistakes that one could make with stores in flight, put in on purpose: trying every order finds each of them. */
import { Violation } from '@guardstripe/test-support/exploring';
import { describe, expect, it } from 'vitest';
import { SCENARIOS, type Steps } from '../support/flight-world.js';

const right = await import('../../src/moving/flight-steps.js');

const STATE = 0;
const RELEASER = 1;
const FLYING = 0x4000_0000;
const THREAD_MASK = 0x3fff_ffff;
const TAKEN = -0x8000_0000;

/** What is found first, with some of the functions replaced. */
function finds(wrong: Partial<Steps>): string | undefined {
  for (const { run } of SCENARIOS) {
    try {
      run({ ...right, ...wrong });
    } catch (error) {
      if (error instanceof Violation) return error.message;
      throw error;
    }
  }
  return undefined;
}

const isFlying = (word: number) => word > 0 && (word & FLYING) !== 0;

describe('is found:', () => {
  it('nothing where there is none', () => expect(finds({})).toBeUndefined());

  it('a flight that is looked at, and then simply taken', () =>
    expect(
      finds({
        claim(words, flight, crew, hash) {
          const word = Atomics.load(words, STATE);
          if (!isFlying(word) || !right.isFlying(words, flight, hash)) return 0;
          Atomics.store(words, STATE, TAKEN | crew.self);
          return word & THREAD_MASK;
        },
      }),
    ).toMatch(/two had the store|was told that it has it|does not know it/));

  it('a token that is compared before its flight is taken, and not behind', () =>
    expect(
      finds({
        claim(words, flight, crew, hash) {
          const word = Atomics.load(words, STATE);
          if (!isFlying(word) || !right.isFlying(words, flight, hash)) return 0;
          const taken = TAKEN | crew.self;
          return Atomics.compareExchange(words, STATE, word, taken) === word ? word & THREAD_MASK : 0;
        },
      }),
    ).toMatch(/was had by nobody/));

  it('another store, taken by that mistake, that is not put back', () =>
    expect(
      finds({
        claim(words, flight, crew, hash) {
          const word = Atomics.load(words, STATE);
          if (!isFlying(word) || !right.isFlying(words, flight, hash)) return 0;
          if (Atomics.compareExchange(words, STATE, word, TAKEN | crew.self) !== word) return 0;
          return Atomics.load(words, 8) === hash[0] ? word & THREAD_MASK : 0;
        },
      }),
    ).toMatch(/does not know it/));

  it('a releaser that leaves while somebody takes', () =>
    expect(
      finds({
        settle(words, flight, crew, isEnding) {
          const word = Atomics.load(words, STATE);
          if (isEnding && word < 0) return 'over';
          return right.settle(words, flight, crew, isEnding);
        },
      }),
    ).toMatch(/was told that it has it/));

  it('a taker whose death nobody notices', () =>
    expect(
      finds({
        settle(words, flight, crew, isEnding) {
          const word = Atomics.load(words, STATE);
          if (word < 0 && !isEnding && Atomics.load(words, RELEASER) === crew.self) return 'flying';
          return right.settle(words, flight, crew, isEnding);
        },
      }),
    ).toMatch(/never free again|does not know it/));

  it('a part of a store that is kept', () =>
    expect(
      finds({
        adoptAll: (words, flight, from, parcel) =>
          right.adoptAll(words, flight, from, { ...parcel, giveUp: () => undefined }),
      }),
    ).toMatch(/does not know it/));

  it('a leaver that nobody tells that its store was taken', () =>
    expect(
      finds({
        adoptAll(words, _, from, parcel) {
          const { slots } = parcel;
          const had = slots.filter((slot) => parcel.adopt(slot, from));
          if (had.length < slots.length) for (const slot of had) parcel.giveUp(slot);
          Atomics.store(words, STATE, 0);
          return had.length === slots.length;
        },
      }),
    ).toMatch(/waits for ever/));

  it('a flight of the dead that is never written anew', () =>
    expect(
      finds({
        begin: (words, crew) => (Atomics.compareExchange(words, STATE, 0, crew.self) === 0 ? 0 : -1),
      }),
    ).toMatch(/never free again/));
});
