import { inspect } from 'node:util';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import {
  MAX_CAPACITY,
  MAX_MEMORY_INDEX,
  MAX_MODULE_ID,
  MAX_SLOT_BYTES_RESIDENT,
  ModuleAffinityIndexAllocator,
} from '../src/index.js';
import type { FreedSlot } from '../src/index.js';
import { A, B, C, mixed, refuses } from './support/mixed.js';

describe('the choice of a slot', () => {
  it('is the most recently freed slot of the key', () => {
    const allocator = new ModuleAffinityIndexAllocator(10, 10);
    expect([A, A, A, B].map((key) => allocator.alloc(key))).toEqual([0, 1, 2, 3]);
    for (const slot of [1, 0, 3, 2]) allocator.free(slot, 0);
    expect([A, A, A, A].map((key) => allocator.alloc(key))).toEqual([2, 0, 1, 4]);
    expect(allocator.alloc(B)).toBe(3);
  });

  it('is the lowest cold slot below the warm limit, then the least recently freed one', () => {
    const allocator = new ModuleAffinityIndexAllocator(4, 4);
    expect([A, A, A].map((key) => allocator.alloc(key))).toEqual([0, 1, 2]);
    for (const slot of [2, 0, 1]) allocator.free(slot, 0);
    expect([B, B, B, B, B].map((key) => allocator.alloc(key))).toEqual([3, 2, 0, 1, undefined]);
  });

  it('is the least recently freed slot at the warm limit, then a cold one', () => {
    const allocator = new ModuleAffinityIndexAllocator(4, 1);
    expect([A, A, A].map((key) => allocator.alloc(key))).toEqual([0, 1, 2]);
    for (const slot of [2, 0, 1]) allocator.free(slot, 0);
    expect([B, B, B, B, B].map((key) => allocator.alloc(key))).toEqual([2, 0, 1, 3, undefined]);
  });

  it('tells memories of one module apart, and modules of one memory index', () => {
    const allocator = new ModuleAffinityIndexAllocator(3, 3);
    for (const key of [A, B, C]) allocator.free(allocator.alloc(key)!, 0);
    expect([C, A, B].map((key) => allocator.alloc(key))).toEqual([2, 0, 1]);
  });

  it('never prefers a slot that was allocated for nobody', () => {
    const allocator = new ModuleAffinityIndexAllocator(3, 3);
    allocator.free(allocator.alloc()!, 0);
    expect(allocator.alloc({ moduleId: 0, memoryIndex: 0 })).toBe(1);
    expect(allocator.alloc()).toBe(2);
  });

  it('forgets the old key of an evicted slot', () => {
    const allocator = new ModuleAffinityIndexAllocator(1, 1);
    allocator.free(allocator.alloc(A)!, 0);
    allocator.free(allocator.alloc(B)!, 0);
    expect(allocator.allocAffineAndClearAffinity(A)).toBeUndefined();
    expect(allocator.allocAffineAndClearAffinity(B)).toBe(0);
  });

  it('takes the extreme keys', () => {
    const keys = [0, MAX_MODULE_ID].flatMap((moduleId) =>
      [0, MAX_MEMORY_INDEX].map((memoryIndex) => ({ moduleId, memoryIndex })),
    );
    const allocator = new ModuleAffinityIndexAllocator(4, 4);
    for (const key of keys) allocator.free(allocator.alloc(key)!, MAX_SLOT_BYTES_RESIDENT);
    allocator.checkConsistency();
    expect(keys.map((key) => allocator.alloc(key))).toEqual([0, 1, 2, 3]);
  });
});

describe('allocAffineAndClearAffinity', () => {
  it('takes only slots of the key, and the slot is affine to nobody afterwards', () => {
    const allocator = mixed();
    expect(allocator.allocAffineAndClearAffinity(B)).toBeUndefined();
    expect(allocator.allocAffineAndClearAffinity(A)).toBe(2);
    expect(allocator.allocAffineAndClearAffinity(A)).toBeUndefined();
    allocator.free(2, 0);
    expect(allocator.allocAffineAndClearAffinity(A)).toBeUndefined();
    expect(allocator.alloc(A)).toBe(4);
  });
});

describe('capacities', () => {
  it('zero: always empty, always full', () => {
    const allocator = new ModuleAffinityIndexAllocator(0, 100);
    expect([allocator.alloc(), allocator.alloc(A), allocator.allocAffineAndClearAffinity(A)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(allocator.isEmpty).toBe(true);
    refuses(allocator, () => allocator.free(0, 0), 'ERR_OUT_OF_RANGE', 'slot', '0');
    allocator.freeMany([]);
    allocator.checkConsistency();
  });

  it('one', () => {
    const allocator = new ModuleAffinityIndexAllocator(1, 0);
    expect([allocator.alloc(A), allocator.alloc(A)]).toEqual([0, undefined]);
    expect([allocator.length, allocator.isEmpty, allocator.isUsed(0)]).toEqual([1, false, true]);
    allocator.free(0, 5);
    expect([allocator.length, allocator.unusedWarmSlots, allocator.unusedBytesResident]).toEqual([0, 1, 5]);
    expect(allocator.alloc(B)).toBe(0);
    allocator.checkConsistency();
  });

  it('very many: every slot once, back again, and once more by affinity', () => {
    const numSlots = laps(1_000_000);
    const allocator = new ModuleAffinityIndexAllocator(numSlots, numSlots);
    const keys = Array.from({ length: numSlots }, (_, moduleId) => ({ moduleId, memoryIndex: moduleId & 3 }));
    const isWrong = (slot: number | undefined, index: number): boolean => slot !== index;
    expect(keys.map((key) => allocator.alloc(key)).findIndex(isWrong)).toBe(-1);
    expect(allocator.alloc(A)).toBeUndefined();
    allocator.checkConsistency();
    for (let slot = numSlots - 1; slot >= 0; slot--) allocator.free(slot, slot);
    expect(allocator.unusedBytesResident).toBe((numSlots * (numSlots - 1)) / 2);
    allocator.checkConsistency();
    expect(keys.map((key) => allocator.alloc(key)).findIndex(isWrong)).toBe(-1);
    expect(allocator.unusedBytesResident).toBe(0);
    allocator.checkConsistency();
  });

  it('the largest is refused one above', () => {
    expect(() => new ModuleAffinityIndexAllocator(MAX_CAPACITY + 1, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  it.each([-1, 0.5, NaN, Infinity, 2 ** 32, '3', null, undefined, 3n, {}])('refuses %s', (bad) => {
    const code = typeof bad === 'number' ? 'ERR_OUT_OF_RANGE' : 'ERR_INVALID_ARG_TYPE';
    expect(() => new ModuleAffinityIndexAllocator(bad as number, 0)).toThrow(
      expect.objectContaining({ code }),
    );
    if (bad === 2 ** 32) return;
    expect(() => new ModuleAffinityIndexAllocator(3, bad as number)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});

describe('freeMany', () => {
  const good: FreedSlot[] = [
    { slot: 1, bytesResident: 10 },
    { slot: 0, bytesResident: 2 ** 40 },
  ];

  it('frees in the given order', () => {
    const allocator = mixed();
    allocator.freeMany(good);
    expect([allocator.length, allocator.unusedWarmSlots]).toEqual([0, 4]);
    expect(allocator.unusedBytesResident).toBe(4096 + 8192 + 10 + 2 ** 40);
    allocator.checkConsistency();
    expect([A, A, B].map((key) => allocator.alloc(key))).toEqual([0, 2, 1]);
  });

  it('takes any iterable, once', () => {
    const allocator = mixed();
    allocator.freeMany(good.values());
    expect(allocator.isEmpty).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a warm slot at the end', [...good, { slot: 2, bytesResident: 0 }]],
    ['a cold slot at the end', [...good, { slot: 5, bytesResident: 0 }]],
    ['a slot twice', [...good, { slot: 1, bytesResident: 0 }]],
  ])('changes nothing with %s', (_, items) => {
    const allocator = mixed();
    refuses(
      allocator,
      () => allocator.freeMany(items as FreedSlot[]),
      'ERR_SLOT_NOT_IN_USE',
      'items[2].slot',
    );
  });

  it.each<[unknown, string]>([
    [undefined, 'items'],
    [null, 'items'],
    [7, 'items'],
    ['01', 'items'],
    [{ slot: 0 }, 'items'],
    [[good[0], null], 'items[1]'],
    [[good[0], 0], 'items[1]'],
  ])('changes nothing with %o', (items, field) => {
    const allocator = mixed();
    const expected = field === 'items' ? 'an iterable of objects with slot' : 'of type object, with slot';
    refuses(
      allocator,
      () => allocator.freeMany(items as FreedSlot[]),
      'ERR_INVALID_ARG_TYPE',
      `"${field}"`,
      `must be ${expected} and bytesResident. Received`,
    );
  });

  it('changes nothing when an item throws, and reads each field once', () => {
    const allocator = mixed();
    let reads = 0;
    const counted = {
      get slot(): number {
        reads++;
        return 0;
      },
      bytesResident: 0,
    };
    const failing = {
      slot: 1,
      get bytesResident(): number {
        throw Object.assign(new Error('mine'), { code: 'MINE' });
      },
    };
    refuses(allocator, () => allocator.freeMany([counted, failing]), 'MINE');
    expect(reads).toBe(1);
  });
});

describe('unusedBytesResident', () => {
  it.each([0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, MAX_SLOT_BYTES_RESIDENT])(
    'counts %d bytes a slot exactly, up and down',
    (bytes) => {
      const allocator = new ModuleAffinityIndexAllocator(5, 5);
      for (let slot = 0; slot < 5; slot++) allocator.alloc(A);
      for (let slot = 0; slot < 5; slot++) {
        allocator.free(slot, bytes);
        expect(allocator.unusedBytesResident).toBe((slot + 1) * bytes);
        allocator.checkConsistency();
      }
      for (let left = 4; left >= 0; left--) {
        allocator.alloc(A);
        expect(allocator.unusedBytesResident).toBe(left * bytes);
        allocator.checkConsistency();
      }
    },
  );

  it('never passes the safe integers', () => {
    const allocator = new ModuleAffinityIndexAllocator(40, 40);
    for (let slot = 0; slot < 40; slot++) allocator.alloc(slot % 2 === 0 ? A : undefined);
    for (let slot = 0; slot < 32; slot++) allocator.free(slot, MAX_SLOT_BYTES_RESIDENT);
    refuses(
      allocator,
      () => allocator.free(32, MAX_SLOT_BYTES_RESIDENT),
      'ERR_OUT_OF_RANGE',
      '"bytesResident"',
      'unusedBytesResident',
      'Received 281_474_976_710_655',
    );
    // 2^53 - 1 is 32 * (2^48 - 1) + 31.
    const rest = [
      { slot: 32, bytesResident: 30 },
      { slot: 33, bytesResident: 2 },
    ];
    refuses(allocator, () => allocator.freeMany(rest), 'ERR_OUT_OF_RANGE', 'unusedBytesResident');
    allocator.free(32, 31);
    expect(allocator.unusedBytesResident).toBe(Number.MAX_SAFE_INTEGER);
    refuses(allocator, () => allocator.free(33, 1), 'ERR_OUT_OF_RANGE');
    allocator.free(33, 0);
    allocator.checkConsistency();
  });
});

describe('trim', () => {
  it('goes from the least recently freed on, and no further than it must', () => {
    const allocator = new ModuleAffinityIndexAllocator(5, 5);
    const slots = [1, 2, 3, 4].map((moduleId) => allocator.alloc({ moduleId, memoryIndex: 0 })!);
    for (const [i, slot] of slots.entries()) allocator.free(slot, [100, 0, 2 ** 40, 7][i]!);
    const visited: number[] = [];
    allocator.trim(7, (slot) => {
      visited.push(slot);
      return 0;
    });
    expect(visited).toEqual([slots[0], slots[2]]);
    expect(allocator.unusedBytesResident).toBe(7);
    expect(allocator.unusedWarmSlots).toBe(4);
    allocator.checkConsistency();
    // Still affine.
    expect(allocator.alloc({ moduleId: 3, memoryIndex: 0 })).toBe(slots[2]);
    expect(allocator.unusedBytesResident).toBe(7);
  });

  it('keeps the books when a release throws or lies, and refuses bad arguments', () => {
    const allocator = new ModuleAffinityIndexAllocator(3, 3);
    const slots = [0, 1, 2].map(() => allocator.alloc()!);
    for (const slot of slots) allocator.free(slot, 10);
    const throwing = (slot: number): number => {
      if (slot === slots[1]) throw new Error('refused');
      return 1;
    };
    expect(() => allocator.trim(0, throwing)).toThrow('refused');
    expect(allocator.unusedBytesResident).toBe(21);
    for (const lie of [-1, 0.5, Number.NaN, 2 ** 48, '1' as never])
      expect(() => allocator.trim(0, () => lie)).toThrow(/bytesResident/);
    expect(allocator.unusedBytesResident).toBe(21);
    allocator.checkConsistency();
    expect(() => allocator.trim(-1, () => 0)).toThrow(RangeError);
    expect(() => allocator.trim(0, 1 as never)).toThrow(TypeError);
  });
});

it('is shown by how many slots are used', () => {
  expect(inspect(mixed())).toBe('ModuleAffinityIndexAllocator { 2 of 6 slots used }');
});
