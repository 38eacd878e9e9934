/** Free slots of a shared pool: what must not happen to them, though no call of the pool's asks for it. */
import { SharedIndexAllocator } from '@guardstripe/index-allocator';
import { describe, expect, it } from 'vitest';
import { StripeAllocator } from '../../src/shared/stripe-allocator.js';
import { SharedFreeSlots } from '../../src/shared/free-slots.js';
import { Counters } from '../../src/slots/counters.js';
import { SlotRecords } from '../../src/slots/records.js';

const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

function three() {
  const allocator = SharedIndexAllocator.create(3, 3, { threads: { self: 1, isAlive: () => true } });
  const resident = new Float64Array(3);
  const free = new SharedFreeSlots({
    allocators: [allocator],
    records: new SlotRecords(3),
    thread: 1,
    resident,
    counters: new Counters(),
    withhold: () => undefined,
  });
  return { allocator, resident, free };
}

describe('free slots of a shared pool', () => {
  it('are granted one after the other: the first one is not lost to the second', () => {
    const { allocator, free } = three();
    const [first, second] = [allocator.alloc()!, allocator.alloc()!];
    expect(() => free.grant(first, () => free.grant(second))).toThrow(CORRUPTED);
    expect(allocator.holder(first)).toBeUndefined();
    expect(allocator.holder(second)).toBe(1);
  });

  it('are granted in their own stripe alone: in another one they have the wrong key', () => {
    const threads = { self: 1, isAlive: () => true };
    const allocators = [0, 1, 2].map(
      (stripe) => new StripeAllocator(SharedIndexAllocator.create(2, 2, { threads }), stripe, 3),
    );
    const free = new SharedFreeSlots({
      allocators,
      records: new SlotRecords(6),
      thread: 1,
      resident: new Float64Array(6),
      counters: new Counters(),
      withhold: () => undefined,
    });
    for (const stripe of [0, 2]) {
      const slot = allocators[1]!.alloc()!;
      expect(() => free.grant(slot, () => free.take(stripe, undefined))).toThrow(CORRUPTED);
      expect(free.holder(slot)).toBeUndefined();
    }
    const again = allocators[1]!.alloc()!;
    expect(free.grant(again, () => free.take(1, undefined))).toBe(again);
  });

  it.each([-1, Number.NaN])('that keep %d bytes are not trimmed, and nobody gets them', (bytes) => {
    const { allocator, resident, free } = three();
    const slot = free.take(0, { moduleId: 1, memoryIndex: 0 })!;
    free.giveBack(slot, 4096);
    resident[slot] = bytes;
    expect(() => free.trim(0, () => 0)).toThrow(CORRUPTED);
    expect(allocator.holder(slot)).toBe(1);
  });
});
