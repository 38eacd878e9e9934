/** Slots that cool, come back or are retired in a pool of stripes: each stripe for itself, and always in the stripe's colour. */
import { readFileSync } from 'node:fs';
import { collect } from '@guardstripe/test-support';
import { expect, it } from 'vitest';
import { MemoryPool, PoolConcurrencyLimitError, type Store } from '../src/index.js';
import { checkBooks, contents, imageBytes, imageModule, PAGE } from './support/memories.js';
import { describeClosings } from './support/striped.js';

const SLOTS_A_STRIPE = 3;
const module = imageModule(0xa1);

/** Three stripes of three slots, and a store in each. */
function openPool(guardPages: 'enable' | 'disable'): {
  pool: MemoryPool;
  stores: readonly [Store, Store, Store];
} {
  const pool = MemoryPool.create({
    totalMemories: 3 * SLOTS_A_STRIPE,
    maxMemorySize: 8 * PAGE,
    memoryReservation: 16 * PAGE,
    memoryGuardSize: PAGE,
    memoryProtectionKeys: 'enable',
    guardPages,
    // The tests collect themselves.
    maxCollectionShare: 0,
  });
  expect(pool.layout.numStripes).toBe(3);
  return { pool, stores: [pool.openStore(), pool.openStore(), pool.openStore()] };
}

/** The key of the mapping at an address, as the kernel has it. */
function keyAt(address: number): number | undefined {
  let isInside = false;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const range = /^([\da-f]+)-([\da-f]+) /.exec(line);
    if (range !== null) isInside = parseInt(range[1]!, 16) <= address && address < parseInt(range[2]!, 16);
    const key = /^ProtectionKey: +(\d+)$/.exec(line);
    if (isInside && key !== null) return Number(key[1]);
  }
  return undefined;
}

/** Uses a memory's buffer and frees the memory; a function of its own, so that nobody keeps the buffer. */
function useAndFree(store: Store, steal = false): { slot: number; address: number; key: number | undefined } {
  const memory = store.allocate({ module });
  const { slot, address } = memory;
  new Uint8Array(memory.buffer).fill(0xee);
  const key = keyAt(address);
  if (steal) ArrayBuffer.prototype.transfer.call(memory.buffer);
  memory.free();
  return { slot, address, key };
}

/** Allocates until the stripe is full; how many that were, and what the error said. */
function fill(store: Store): { slots: number[]; error: PoolConcurrencyLimitError } {
  const slots: number[] = [];
  for (;;) {
    try {
      const memory = store.allocate({ module });
      expect(contents(memory).equals(imageBytes(0xa1))).toBe(true);
      slots.push(memory.slot);
    } catch (error) {
      if (error instanceof PoolConcurrencyLimitError) return { slots, error };
      throw error;
    }
  }
}

describeClosings('a striped pool', (guardPages) => {
  const open = () => openPool(guardPages);

  it('has a cooling slot lie as zeros in its own colour, and lets its stripe alone go without it', async () => {
    const { pool, stores } = open();
    const used = stores.map((store) => useAndFree(store));
    expect(new Set(used.map(({ key }) => key)).size).toBe(3);
    expect(pool.metrics().coolingMemories).toBe(3);
    for (const { address, key } of used) expect(keyAt(address)).toBe(key);
    for (const [stripe, store] of stores.entries()) {
      const { slots, error } = fill(store);
      expect(slots.length).toBe(SLOTS_A_STRIPE - 1);
      expect(slots).not.toContain(used[stripe]!.slot);
      expect(error).toMatchObject({ stripe, coolingMemories: 1, retiredMemories: 0 });
    }
    checkBooks(pool);
    expect(await collect(() => pool.metrics().coolingMemories === 0)).toBe(true);
    for (const [stripe, store] of stores.entries()) {
      const memory = store.allocate({ module });
      expect(memory.slot).toBe(used[stripe]!.slot);
      expect(contents(memory).equals(imageBytes(0xa1))).toBe(true);
      expect(keyAt(memory.address)).toBe(used[stripe]!.key);
      expect(store.enter(() => memory.read(0, 1)[0])).toBe(0xa1);
    }
    checkBooks(pool);
    pool.close({ force: true });
  });

  it('loses a slot of which a view was stolen in that stripe only, whoever asks for a collection', async () => {
    const { pool, stores } = open();
    const { slot, address, key } = useAndFree(stores[1], true);
    await collect(() => true);
    expect(pool.metrics()).toMatchObject({ coolingMemories: 0, retiredMemories: 1 });
    expect(keyAt(address)).toBe(key);
    const filled = stores.map((store) => fill(store));
    expect(filled.map(({ slots }) => slots.length)).toEqual([3, 2, 3]);
    expect(filled[1]!.slots).not.toContain(slot);
    expect(filled.map(({ error }) => error.retiredMemories)).toEqual([0, 1, 0]);
    checkBooks(pool);
    pool.close({ force: true });
  });
});
