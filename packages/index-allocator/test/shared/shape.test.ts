import fc from 'fast-check';
import { expect, it } from 'vitest';

import { stateWords } from '../../src/records.js';
import { bitWords, defaultShards, placeShards, seatAt } from '../../src/shared/shape.js';
import { CONTROL_WORDS, LINE_WORDS, MAX_SEATS } from '../../src/shared/words.js';

it('every part of every shard has its room, on cache lines of its own, and nothing between them', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 100_000 }),
    fc.nat(100_000),
    fc.integer({ min: 1, max: 16 }),
    (capacity, limit, wished) => {
      const warmLimit = Math.min(limit, capacity);
      const places = placeShards(capacity, warmLimit, wished);
      let at = seatAt(MAX_SEATS);
      let slot = 0;
      for (const place of places) {
        expect(place).toMatchObject({ firstSlot: slot, control: at });
        expect(place.capacity).toBeGreaterThan(0);
        const needs = [
          [place.control, CONTROL_WORDS],
          [place.holders, place.capacity],
          [place.groups, bitWords(bitWords(place.capacity))],
          [place.bits, bitWords(place.capacity)],
          [place.state, stateWords(place.capacity)],
        ] as const;
        for (const [start, numWords] of needs) {
          expect([start, start % LINE_WORDS]).toEqual([at, 0]);
          at = Math.ceil((start + numWords) / LINE_WORDS) * LINE_WORDS;
        }
        expect(place.end).toBe(at);
        slot += place.capacity;
      }
      expect(slot).toBe(capacity);
      expect(places.length).toBeLessThanOrEqual(wished);
      const limits = places.map((place) => place.warmLimit);
      expect(limits.reduce((sum, each) => sum + each, 0)).toBe(warmLimit);
      expect(limits).toEqual(limits.toSorted((one, other) => other - one));
      expect(limits[0]! - limits.at(-1)!).toBeLessThanOrEqual(1);
    },
  );
  fc.assert(property, { numRuns: 50 });
});

it('there are as many shards as cores, from 128 slots on, up to 16 and at least one', () => {
  expect([127, 128, 1000].map((capacity) => defaultShards(capacity, 8))).toEqual([1, 8, 8]);
  expect([0, 1, 16, 17].map((cores) => defaultShards(1000, cores))).toEqual([1, 1, 16, 16]);
});
