/** The books notice what is wrong: a check that never fails would make every other test here worthless. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { InconsistentStateError, ModuleAffinityIndexAllocator } from '../src/index.js';
import { unlinkWarm } from '../src/lists.js';
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
  TAG_MASK,
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
  it.each<[rule: string, what: string, spoil: (words: Int32Array) => void, found: string]>([
    ['header', 'another capacity', (w) => (w[CAPACITY_STAMP] = 3), 'capacity stamp 3'],
    ['header', 'another limit', (w) => (w[WARM_LIMIT_STAMP] = 3), 'limit stamp 3'],
    [
      'header',
      'more touched slots than there are',
      (w) => (w[TOUCHED_SLOTS] = CAPACITY + 1),
      '10 of 9 slots touched',
    ],
    ['header', 'fewer than none', (w) => (w[WARM_SLOTS] = -1), '-1 warm slots of 7 touched'],
    ['header', 'more warm slots than touched', (w) => (w[WARM_SLOTS] = 8), '8 warm slots of 7 touched'],
    ['slot-state', 'a cold slot in use', (w) => (w[recordOf(7) + TAG] = USED_BIT), 'cold slot 7 is marked'],
    [
      'slot-state',
      'a memory of nobody',
      (w) => (w[recordOf(5) + INDEX_AND_HIGH] = 1),
      'slot 5 is for memory 1 of nobody',
    ],
    [
      'slot-count',
      'a used slot that is free',
      (w) => (w[recordOf(6) + TAG] = 0),
      '0 used + 6 warm + 2 cold are not 9 slots',
    ],
    [
      'slot-count',
      'a warm slot that is used',
      (w) => (w[recordOf(0) + TAG]! |= USED_BIT),
      '2 used + 6 warm + 2 cold are not 9 slots',
    ],
    [
      'slot-count',
      'one warm slot too few',
      (w) => (w[WARM_SLOTS] = 5),
      '1 used + 5 warm + 2 cold are not 9 slots',
    ],
    [
      'warm-list',
      'a list that ends early',
      (w) => (w[recordOf(3) + NEWER] = RING),
      'its two ends do not meet',
    ],
    [
      'warm-list',
      'a link back that is wrong',
      (w) => (w[recordOf(3) + OLDER] = recordOf(1)),
      'slot 3 points back to another slot',
    ],
    ['warm-list', 'a circle', (w) => (w[recordOf(4) + NEWER] = recordOf(1)), 'slot 1 is on it twice'],
    [
      'warm-list',
      'a link to a cold slot',
      (w) => (w[recordOf(4) + NEWER] = recordOf(7)),
      'word 72 is linked, but is no slot that was ever taken',
    ],
    [
      'warm-list',
      'a link into the middle of a record',
      (w) => (w[recordOf(4) + NEWER] = recordOf(0) + 1),
      'word 17 is linked, but is no slot that was ever taken',
    ],
    [
      'warm-list',
      'a link far away',
      (w) => (w[recordOf(4) + NEWER] = -8),
      'word -8 is linked, but is no slot that was ever taken',
    ],
    [
      'warm-list',
      'a newest end that is not the newest',
      (w) => (w[RING + OLDER] = recordOf(5)),
      'its two ends do not meet',
    ],
    ['unused-bytes', 'a sum that is off by one', (w) => (w[UNUSED_LOW]! += 1), '6016 counted, 6015 found'],
    [
      'unused-bytes',
      'a sum that is off by 2^32',
      (w) => (w[UNUSED_HIGH] = 1),
      '4294973311 counted, 6015 found',
    ],
    [
      'unused-bytes',
      'a slot with other bytes',
      (w) => (w[recordOf(2) + BYTES_LOW] = 0),
      '6015 counted, 5013 found',
    ],
    [
      'affinity-table',
      'a bucket that names a cold slot',
      (w) => (w[bucketOfA] = recordOf(8)),
      'word 80 is linked, but is no slot that was ever taken',
    ],
    [
      'affinity-table',
      'a bucket that names a used slot',
      (w) => (w[bucketOfA] = recordOf(6)),
      'slot 6 is listed, but not warm',
    ],
    [
      'affinity-table',
      'a list in the wrong bucket',
      (w) => (w[bucketOfA] = recordOf(3)),
      'the list of slot 3 is in the wrong bucket, 1',
    ],
    [
      'affinity-table',
      'a slot of nobody in a bucket',
      (w) => (w[bucketOfA] = recordOf(5)),
      'slot 5 heads a list, but has no key',
    ],
    [
      'affinity-table',
      'a chain that is a circle',
      (w) => (w[recordOf(4) + CHAIN] = recordOf(4)),
      'the key of slot 4 has two lists in bucket 1',
    ],
    ['affinity-list', 'a lost list', (w) => (w[bucketOfA] = 0), '2 slots on lists, 5 have keys'],
    [
      'affinity-list',
      'a list named by an older slot',
      (w) => (w[bucketOfA] = recordOf(2)),
      'slot 2 stands behind one that was freed earlier',
    ],
    [
      'affinity-list',
      'a list that ends early',
      (w) => (w[recordOf(2) + AFFINE] = recordOf(4)),
      '4 slots on lists, 5 have keys',
    ],
    [
      'affinity-list',
      'a list that runs into another',
      (w) => (w[recordOf(0) + AFFINE]! ^= recordOf(1)),
      "slot 1 is on another key's list",
    ],
    [
      'affinity-list',
      'a list that turns back',
      (w) => (w[recordOf(0) + AFFINE]! ^= recordOf(4)),
      'slot 4 stands behind one that was freed earlier',
    ],
    ['header', 'fewer touched slots than none', (w) => (w[TOUCHED_SLOTS] = -1), '-1 of 9 slots touched'],
    [
      'header',
      'a ring on an affinity list',
      (w) => (w[RING + AFFINE] = 16),
      'the ring is on an affinity list, as if it were a slot',
    ],
    [
      'header',
      'a ring in a chain',
      (w) => (w[RING + CHAIN] = 16),
      'the ring is on an affinity list, as if it were a slot',
    ],
    [
      'slot-state',
      'a used slot for a memory of nobody',
      (w) => w.set([USED_BIT, 1], recordOf(6)),
      'slot 6 is for memory 1 of nobody',
    ],
    [
      'warm-list',
      'a used slot on it, and a free one that is not',
      (w) => {
        w[recordOf(0) + TAG]! |= USED_BIT;
        w[recordOf(6) + TAG]! &= TAG_MASK;
      },
      'slot 0 is on it, but used',
    ],
    ['warm-list', 'a slot that is lost', (w) => unlinkWarm(w, recordOf(3)), '5 slots on it, 6 counted'],
    [
      'warm-list',
      'a link to the header',
      (w) => (w[recordOf(4) + NEWER] = recordOf(-1)),
      'word 8 is linked, but is no slot that was ever taken',
    ],
    [
      'affinity-list',
      'a link to a cold slot',
      (w) => (w[recordOf(4) + AFFINE] = recordOf(7)),
      'word 72 is linked, but is no slot that was ever taken',
    ],
    [
      'affinity-list',
      'a slot behind itself',
      (w) => (w[recordOf(4) + AFFINE] = recordOf(4)),
      'slot 4 stands behind one that was freed earlier',
    ],
  ])('%s: %s', (rule, _, spoil, found) => {
    const { allocator, words } = prepared();
    spoil(words);
    expect(() => allocator.checkConsistency()).toThrow(InconsistentStateError);
    expect(() => allocator.checkConsistency()).toThrow(
      expect.objectContaining({
        code: 'ERR_INCONSISTENT_STATE',
        rule,
        message: `The allocator's state breaks the rule "${rule}": ${found}`,
      }),
    );
  });
});

it('takes keys apart that are neighbours, also where they share a bucket', () => {
  const shift = bucketShift(2);
  let numShared = 0;
  for (let moduleId = 0; moduleId < 64; moduleId++) {
    const pairs = [
      [
        { moduleId, memoryIndex: 65_534 },
        { moduleId: moduleId + 1, memoryIndex: 0 },
      ],
      [
        { moduleId, memoryIndex: 1 },
        { moduleId: moduleId + 65_536, memoryIndex: 0 },
      ],
    ] as const;
    for (const pair of pairs) {
      const [one, other] = pair.map((key) => bucketWord(key.moduleId + 1, key.memoryIndex, shift));
      if (one === other) numShared++;
      const allocator = new ModuleAffinityIndexAllocator(2, 2);
      for (const key of pair) allocator.alloc(key);
      allocator.freeMany([0, 1].map((slot) => ({ slot, bytesResident: 0 })));
      allocator.checkConsistency();
    }
  }
  expect(numShared).toBeGreaterThan(20);
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
