import { describe, expect, it } from 'vitest';

import {
  bucketAt,
  bucketShift,
  bucketWord,
  numBuckets,
  recordOf,
  slotAt,
  stateWords,
} from '../src/records.js';
import { MAX_CAPACITY, MAX_MEMORY_INDEX, MAX_MODULE_ID } from '../src/state.js';

const capacities = [0, 1, 2, 3, 4, 5, 63, 64, 65, 1000, 1_000_000, 2 ** 20, MAX_CAPACITY];

describe.each(capacities)('with %i slots', (capacity) => {
  it('every word number is a signed 32-bit integer within the state', () => {
    expect(stateWords(capacity)).toBe(16 + 8 * capacity);
    for (const slot of [0, 1, 2, capacity - 1].filter(
      (candidate) => candidate < capacity && candidate >= 0,
    )) {
      expect(recordOf(slot)).toBe(16 + 8 * slot);
      expect(slotAt(recordOf(slot))).toBe(slot);
    }
  });

  it('there is a power of two of buckets, at least one and at most one a slot', () => {
    const buckets = numBuckets(capacity);
    expect(Number.isInteger(Math.log2(buckets))).toBe(true);
    expect(buckets).toBeGreaterThanOrEqual(1);
    expect(buckets).toBeLessThanOrEqual(Math.max(capacity, 1));
    expect(2 * buckets).toBeGreaterThan(capacity);
    expect(bucketAt(buckets - 1)).toBeLessThan(stateWords(capacity));
  });

  it('every key has a bucket', () => {
    for (const moduleId of [0, 1, 2, 3, 1000, 65_536, MAX_MODULE_ID]) {
      for (const memoryIndex of [0, 1, 2, MAX_MEMORY_INDEX]) {
        const word = bucketWord(moduleId + 1, memoryIndex, bucketShift(capacity));
        expect(word % 8).toBe(7);
        expect(word).toBeGreaterThanOrEqual(bucketAt(0));
        expect(word).toBeLessThanOrEqual(bucketAt(numBuckets(capacity) - 1));
      }
    }
  });
});

describe('chains stay short', () => {
  /** Key number `i` of patterns that module ids come in. */
  const patterns: Record<string, (i: number) => [tag: number, memoryIndex: number]> = {
    'modules in a row': (i) => [i + 1, 0],
    'two memories a module': (i) => [(i >> 1) + 1, i & 1],
    'sixteen memories a module': (i) => [(i >> 4) + 1, i & 15],
    'every thousandth number': (i) => [i * 1000 + 1, 0],
    'multiples of a page': (i) => [((i * 4096) % MAX_MODULE_ID) + 1, 0],
  };
  const cases = Object.entries(patterns).flatMap(([name, key]) =>
    [64, 1024, 65_536].map((n) => ({ name, key, n })),
  );

  it.each(cases)('$name, $n keys', ({ key, n }) => {
    const lengths = new Map<number, number>();
    for (let i = 0; i < n; i++) {
      const word = bucketWord(...key(i), bucketShift(n));
      lengths.set(word, (lengths.get(word) ?? 0) + 1);
    }
    const numProbes = [...lengths.values()].reduce((sum, length) => sum + (length * (length + 1)) / 2, 0);
    expect(numProbes / n).toBeLessThan(2);
  });
});
