import { describe, expect, it } from 'vitest';

import { announce, collect, handOver, isHandedTo } from '../../src/shared/hand-over.js';
import { checkShard, countIn, takeFrom } from '../../src/shared/sections.js';
import { placeShards } from '../../src/shared/shape.js';
import { openShard, stampShard, type Shard } from '../../src/shared/shard.js';
import { readSlotBytes } from '../../src/unused-bytes.js';
import { recordOf } from '../../src/records.js';

const ME = { self: 1, isAlive: () => true, spins: 0, locks: { waits: 0, takeovers: 0 } };

/** A shard whose slots thread 1 all holds. */
function heldShard(capacity: number): Shard {
  const [place] = placeShards(capacity, capacity, 1);
  const shard = openShard(new SharedArrayBuffer(4 * place!.end), place!);
  stampShard(shard);
  for (let slot = 0; slot < capacity; slot++) takeFrom(shard, ME, 3, 0);
  return shard;
}

/** Hands slots over and says so, one by one. */
function handAll(shard: Shard, slots: readonly number[]): void {
  for (const slot of slots) {
    expect(handOver(shard, slot, 1, slot + 1, 0)).toBe(true);
    announce(shard, slot >>> 5, 1 << (slot & 31));
  }
}

describe('slots that are handed over', () => {
  // More than 32 words of groups: a bit of the root stands for two of them.
  const LARGE = 40_000;

  it.each([
    ['of one word', 20, [0, 7, 19]],
    ['of several words', 100, [0, 31, 32, 63, 64, 99]],
    ['of several groups', 3000, [0, 31, 32, 1023, 1024, 1055, 2047, 2048, 2999]],
    ['of several groups a bit', LARGE, [0, 31, 1023, 1024, 2047, 2048, 33_000, 39_935, LARGE - 1]],
  ])('%s are all found, and no others', (_, capacity, slots) => {
    const shard = heldShard(capacity);
    expect([isHandedTo(shard), collect(shard)]).toEqual([false, false]);
    handAll(shard, slots);
    expect([isHandedTo(shard), collect(shard), isHandedTo(shard)]).toEqual([true, true, false]);
    const free = [...shard.holders.entries()].filter(([, holder]) => holder === 0).map(([slot]) => slot);
    expect(free).toEqual(slots);
    for (const slot of slots) expect(readSlotBytes(shard.words, recordOf(slot))).toBe(slot + 1);
    expect([...shard.groups, ...shard.bits].every((word) => word === 0)).toBe(true);
    expect(countIn(shard, ME)).toMatchObject({ used: capacity - slots.length, warm: slots.length });
    checkShard(shard, ME);
  });

  it('are not, by who does not hold them', () => {
    const shard = heldShard(3);
    const before = shard.words.slice();
    expect(handOver(shard, 1, 2, 50, 0)).toBe(false);
    expect([shard.words, shard.holders[1]]).toEqual([before, 1]);
  });

  it('keep their memory’s index, and the bytes that take more than 32 bits', () => {
    const shard = heldShard(3);
    for (const slot of [0, 1, 2]) handOver(shard, slot, 1, 0, 0);
    announce(shard, 0, 0b111);
    const slot = takeFrom(shard, ME, 5, 9);
    handOver(shard, slot, 1, 7, 0x1234);
    announce(shard, 0, 1 << slot);
    expect(countIn(shard, ME).unusedBytes).toBe(0x1234 * 2 ** 32 + 7);
    expect(takeFrom(shard, ME, 5, 9)).toBe(slot);
  });
});
