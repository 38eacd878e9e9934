/** The books notice what is wrong: a check that never fails would make every other test here worthless. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { InconsistentStateError, ModuleAffinityIndexAllocator } from '../src/index.js';
import { bucketShift, bucketWord, recordOf } from '../src/records.js';
import {
  AFFINE,
  BYTES_LOW,
  CAPACITY_STAMP,
  CHAIN,
  INDEX_AND_HIGH,
  NEWER,
  OLDER,
  RING,
  TAG,
  TOUCHED_SLOTS,
  UNUSED_HIGH,
  UNUSED_LOW,
  USED_BIT,
  WARM_LIMIT_STAMP,
  WARM_SLOTS,
} from '../src/state.js';

const A = { moduleId: 1, memoryIndex: 0 };
const B = { moduleId: 2, memoryIndex: 3 };
const CAPACITY = 9;

/**
 * Warm: 0, 2 and 4 for A, 1 and 3 for B, 5 for nobody. Used: 6. Cold: 7 and 8. Freed in the order 1, 0, 3, 2, 5,
 * 4.
 */
function prepared(): { allocator: ModuleAffinityIndexAllocator; words: Int32Array } {
  const allocator = new ModuleAffinityIndexAllocator(CAPACITY, CAPACITY);
  for (const key of [A, B, A, B, A, undefined, A]) allocator.alloc(key);
  for (const slot of [1, 0, 3, 2, 5, 4]) allocator.free(slot, 1000 + slot);
  allocator.checkConsistency();
  return { allocator, words: new Int32Array(allocator.buffer) };
}

const bucketOfA = bucketWord(2, 0, bucketShift(CAPACITY));

describe('checkConsistency names the rule', () => {
  it.each<[rule: string, what: string, spoil: (words: Int32Array) => void]>([
    ['header', 'another capacity', (w) => (w[CAPACITY_STAMP] = 3)],
    ['header', 'another limit', (w) => (w[WARM_LIMIT_STAMP] = 3)],
    ['header', 'more touched slots than there are', (w) => (w[TOUCHED_SLOTS] = CAPACITY + 1)],
    ['header', 'fewer than none', (w) => (w[WARM_SLOTS] = -1)],
    ['header', 'more warm slots than touched', (w) => (w[WARM_SLOTS] = 8)],
    ['slot-state', 'a cold slot in use', (w) => (w[recordOf(7) + TAG] = USED_BIT)],
    ['slot-state', 'a memory of nobody', (w) => (w[recordOf(5) + INDEX_AND_HIGH] = 1)],
    ['slot-count', 'a used slot that is free', (w) => (w[recordOf(6) + TAG] = 0)],
    ['slot-count', 'a warm slot that is used', (w) => (w[recordOf(0) + TAG]! |= USED_BIT)],
    ['slot-count', 'one warm slot too few', (w) => (w[WARM_SLOTS] = 5)],
    ['warm-list', 'a list that ends early', (w) => (w[recordOf(3) + NEWER] = RING)],
    ['warm-list', 'a link back that is wrong', (w) => (w[recordOf(3) + OLDER] = recordOf(1))],
    ['warm-list', 'a circle', (w) => (w[recordOf(4) + NEWER] = recordOf(1))],
    ['warm-list', 'a link to a cold slot', (w) => (w[recordOf(4) + NEWER] = recordOf(7))],
    ['warm-list', 'a link into the middle of a record', (w) => (w[recordOf(4) + NEWER] = recordOf(0) + 1)],
    ['warm-list', 'a link far away', (w) => (w[recordOf(4) + NEWER] = -8)],
    ['warm-list', 'a newest end that is not the newest', (w) => (w[RING + OLDER] = recordOf(5))],
    ['unused-bytes', 'a sum that is off by one', (w) => (w[UNUSED_LOW]! += 1)],
    ['unused-bytes', 'a sum that is off by 2^32', (w) => (w[UNUSED_HIGH] = 1)],
    ['unused-bytes', 'a slot with other bytes', (w) => (w[recordOf(2) + BYTES_LOW] = 0)],
    ['affinity-table', 'a bucket that names a cold slot', (w) => (w[bucketOfA] = recordOf(8))],
    ['affinity-table', 'a bucket that names a used slot', (w) => (w[bucketOfA] = recordOf(6))],
    ['affinity-table', 'a list in the wrong bucket', (w) => (w[bucketOfA] = recordOf(3))],
    ['affinity-table', 'a slot of nobody in a bucket', (w) => (w[bucketOfA] = recordOf(5))],
    ['affinity-table', 'a chain that is a circle', (w) => (w[recordOf(4) + CHAIN] = recordOf(4))],
    ['affinity-list', 'a lost list', (w) => (w[bucketOfA] = 0)],
    ['affinity-list', 'a list named by an older slot', (w) => (w[bucketOfA] = recordOf(2))],
    ['affinity-list', 'a list that ends early', (w) => (w[recordOf(2) + AFFINE] = recordOf(4))],
    ['affinity-list', 'a list that runs into another', (w) => (w[recordOf(0) + AFFINE]! ^= recordOf(1))],
    ['affinity-list', 'a list that turns back', (w) => (w[recordOf(0) + AFFINE]! ^= recordOf(4))],
  ])('%s: %s', (rule, _, spoil) => {
    const { allocator, words } = prepared();
    spoil(words);
    expect(() => allocator.checkConsistency()).toThrow(InconsistentStateError);
    expect(() => allocator.checkConsistency()).toThrow(
      expect.objectContaining({ code: 'ERR_INCONSISTENT_STATE', rule }),
    );
  });
});

describe('checkConsistency trusts nothing', () => {
  it('ends for any contents at all, without an error of another kind', () => {
    const { words: sound } = prepared();
    const spoils = fc.array(
      fc.tuple(
        fc.nat({ max: sound.length - 1 }),
        fc.oneof(fc.integer(), fc.nat({ max: sound.length }), fc.nat({ max: CAPACITY }).map(recordOf)),
      ),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(spoils, (changes) => {
        const { allocator, words } = prepared();
        for (const [word, value] of changes) words[word] = value;
        try {
          allocator.checkConsistency();
        } catch (error) {
          expect(error).toBeInstanceOf(InconsistentStateError);
          return;
        }
        // Found sound: then it must work. Taking and freeing everything meets every link.
        const taken: number[] = [];
        for (let slot = allocator.alloc(B); slot !== undefined; slot = allocator.alloc(A)) taken.push(slot);
        expect(new Set(taken).size).toBe(taken.length);
        allocator.checkConsistency();
        allocator.freeMany(taken.map((slot) => ({ slot, bytesResident: 0 })));
        allocator.checkConsistency();
      }),
      { numRuns: 2000 },
    );
  });
});
