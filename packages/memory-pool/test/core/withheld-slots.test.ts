/** Slots whose bytes can still be reached: what the pool says of them, and what becomes of them when it is closed or short of slots. */
import { setTimeout } from 'node:timers/promises';
import { channel } from 'node:diagnostics_channel';
import { createView, platform, ViewLedger } from '@guardstripe/mmap';
import { collect } from '@guardstripe/test-support';
import { describe, expect, it, vi } from 'vitest';
import {
  MemoryFreedError,
  PoolConcurrencyLimitError,
  type MemoryPool,
  type PooledMemory,
} from '../../src/index.js';
import { poolCoreOf } from '../../src/pool.js';
import { faultyMemory } from '../support/fault-injection.js';
import {
  checkBooks,
  contents,
  imageBytes,
  imageModule,
  PAGE,
  smallPool,
  zeroModule,
} from '../support/memories.js';

/** What lies at an address. */
const bytesAt = (address: number, byteLength: number) => [...new Uint8Array(createView(address, byteLength))];
const steal = (view: ArrayBuffer) => ArrayBuffer.prototype.transfer.call(view);
const module = imageModule(0xa1);

/** Uses a memory's buffer and frees it; a function of its own, so that nobody keeps the buffer. */
function useAndFree(pool: MemoryPool): number {
  const memory = pool.openStore().allocate({ module });
  new Uint8Array(memory.buffer).fill(0xee);
  memory.free();
  return memory.slot;
}

describe('a memory whose buffer was handed out', () => {
  it('cools when it is freed, and comes back clean when the buffer is collected', async () => {
    using pool = smallPool();
    const events: unknown[] = [];
    const onCool = (event: unknown) => events.push(event);
    channel('guardstripe.memory-pool.cool').subscribe(onCool);
    const slots = [useAndFree(pool), useAndFree(pool), useAndFree(pool)];
    channel('guardstripe.memory-pool.cool').unsubscribe(onCool);
    expect(slots.toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(events).toEqual(slots.map((slot) => ({ slot, stripe: 0 })));
    expect(pool.metrics()).toMatchObject({ liveMemories: 0, coolingMemories: 3, retiredMemories: 0 });
    checkBooks(pool);
    expect(() => pool.openStore().allocate({ module })).toThrow(
      expect.objectContaining({
        code: 'ERR_POOL_CONCURRENCY_LIMIT',
        coolingMemories: 3,
        message: expect.stringMatching(/3 of them cool.*unsafeBuffer/),
      }),
    );
    expect(await collect(() => pool.metrics().coolingMemories === 0)).toBe(true);
    checkBooks(pool);
    const store = pool.openStore();
    for (let i = 0; i < 3; i++) {
      expect(contents(store.allocate({ module })).equals(imageBytes(0xa1))).toBe(true);
    }
  });

  it.each(['cool', 'retire'] as const)('is not withheld (%s) as long as its tenant has it', (withhold) => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const { withheld } = poolCoreOf(pool);
    expect(() => withheld[withhold](memory.slot)).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }),
    );
    expect(withheld.isEmpty).toBe(true);
    expect(contents(memory).equals(imageBytes(0xa1))).toBe(true);
  });

  it('reads as zeros to whoever still has its address, the image too', () => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const kept = memory.buffer;
    memory.fill(0xee, PAGE, 5);
    memory.free();
    expect(kept.detached).toBe(true);
    const { address } = memory;
    expect(bytesAt(address, 8)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('does not cool if only unsafeBuffer was used, or nothing but copies', () => {
    using pool = smallPool({ totalMemories: 1 });
    const store = pool.openStore();
    for (let i = 0; i < 5; i++) {
      const memory = store.allocate({ module });
      new Uint8Array(memory.unsafeBuffer).fill(i);
      expect(memory.read(PAGE, 2)).toEqual(new Uint8Array([i, i]));
      memory.grow(1);
      new Uint8Array(memory.unsafeBuffer).fill(i);
      memory.free();
    }
    expect(pool.metrics()).toMatchObject({ coolingMemories: 0, liveMemories: 0 });
  });

  it('cools also for a buffer that a grow took back', () => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const before = memory.buffer;
    memory.grow(1);
    expect(before.detached).toBe(true);
    memory.free();
    expect(pool.metrics().coolingMemories).toBe(1);
  });

  it('is waited for, and the pool has the engine collect', async () => {
    using pool = smallPool({ totalMemories: 2 });
    useAndFree(pool);
    useAndFree(pool);
    const memory = await pool.openStore().allocateAsync({ module });
    expect(contents(memory).equals(imageBytes(0xa1))).toBe(true);
    expect(pool.metrics().collections).toBeGreaterThan(0);
    checkBooks(pool);
  });

  it('has nobody collect where the share is 0', async () => {
    using pool = smallPool({ totalMemories: 1, maxCollectionShare: 0 });
    useAndFree(pool);
    const waiting = pool.openStore().allocateAsync({ module });
    await setTimeout(30);
    expect(pool.metrics()).toMatchObject({ collections: 0, waitingAllocations: 1 });
    expect(await collect(() => pool.metrics().coolingMemories === 0)).toBe(true);
    await expect(waiting).resolves.toMatchObject({ freed: false });
  });

  it('is laid over before its next use if its pages could not be dropped', async () => {
    const faulty = faultyMemory();
    using pool = smallPool({ totalMemories: 1, virtualMemory: faulty.virtualMemory });
    faulty.fail('mapZeros');
    useAndFree(pool);
    faulty.heal();
    expect(await collect(() => pool.metrics().coolingMemories === 0)).toBe(true);
    expect(pool.metrics().failedResets).toBe(1);
    expect(contents(pool.openStore().allocate({ module })).equals(imageBytes(0xa1))).toBe(true);
    checkBooks(pool);
  });
});

describe('a memory of which a view was stolen', () => {
  it.each(['buffer', 'unsafeBuffer'] as const)('gives its slot to nobody any more: %s', async (property) => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const stolen = steal(memory[property]);
    new Uint8Array(stolen).fill(0xee);
    memory.free();
    expect(pool.metrics()).toMatchObject({ retiredMemories: 1, coolingMemories: 0, liveMemories: 0 });
    checkBooks(pool);
    const store = pool.openStore();
    const others = [store.allocate({ module }), store.allocate({ module })];
    expect(() => store.allocate({ module })).toThrow(PoolConcurrencyLimitError);
    for (const other of others) other.fill(0xbb, 0, other.byteLength);
    expect(new Uint8Array(stolen).every((byte) => byte === 0)).toBe(true);
    new Uint8Array(stolen).fill(0x66);
    for (const other of others) expect(contents(other).every((byte) => byte === 0xbb)).toBe(true);
  });

  it('is known by a theft before a grow, and the tenant gets another view', () => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module: zeroModule() });
    steal(memory.buffer);
    expect(memory.buffer.byteLength).toBe(2 * PAGE);
    memory.grow(1);
    memory.free();
    expect(pool.metrics().retiredMemories).toBe(1);
  });
});

describe('a slot whose record says that more is open than a slot has', () => {
  const corrupted = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });
  /** Has the record of the memory's slot say so, and returns what puts it right. */
  const writeOver = (pool: MemoryPool, { slot }: PooledMemory) => {
    const { records } = poolCoreOf(pool);
    const pages = records.accessiblePages(slot);
    records.setAccessiblePages(slot, 9 * 8 * 16);
    return () => records.setAccessiblePages(slot, pages);
  };

  it('is not kept for good with the slots behind it', () => {
    const pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const stolen = steal(memory.buffer);
    const putRight = writeOver(pool, memory);
    const keepForGood = vi.spyOn(ViewLedger, 'keepForGood');
    expect(() => memory.free()).toThrow(corrupted);
    expect(keepForGood).not.toHaveBeenCalled();
    keepForGood.mockRestore();
    putRight();
    expect(pool.metrics()).toMatchObject({ retiredMemories: 1, liveMemories: 0 });
    expect(stolen.byteLength).toBe(2 * PAGE);
    pool.close({ force: true });
  });

  it('has nothing mapped behind it when the pool is closed, which goes on when it is put right', () => {
    const pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const kept = memory.buffer;
    const end = pool.slabAddress + pool.layout.totalSlabBytes;
    const putRight = writeOver(pool, memory);
    expect(() => pool.close({ force: true })).toThrow(corrupted);
    expect(platform().accessOf(pool.slabAddress, end - pool.slabAddress)).toMatchObject([{ access: 'none' }]);
    putRight();
    pool.close();
    expect(kept.detached).toBe(true);
  });
});

describe('a pool that is closed while views are out', () => {
  it('keeps their addresses, without memory, until they are collected', async () => {
    const pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const { address } = memory;
    let kept: ArrayBuffer | undefined = memory.buffer;
    new Uint8Array(kept).fill(0xee);
    pool.close({ force: true });
    expect(kept.detached).toBe(true);
    expect(() => memory.buffer).toThrow(MemoryFreedError);
    // Zero pages where the view was, nothing to touch elsewhere.
    expect(platform().accessOf(address, 3 * PAGE)).toEqual([
      { address, byteLength: 2 * PAGE, access: 'read-write' },
      { address: address + 2 * PAGE, byteLength: PAGE, access: 'none' },
    ]);
    expect(bytesAt(address, 4)).toEqual([0, 0, 0, 0]);
    kept = undefined;
    expect(await collect(() => pool.metrics().coolingMemories === 0)).toBe(true);
    expect(() => platform().accessOf(address, PAGE)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    pool.close();
  });

  it('keeps the address of a stolen view for good', async () => {
    const pool = smallPool();
    const memory = pool.openStore().allocate({ module });
    const { address } = memory;
    const stolen = new Uint8Array(steal(memory.buffer));
    stolen.fill(0xee);
    pool.close({ force: true });
    expect(await collect(() => false, 3)).toBe(false);
    expect(stolen.every((byte) => byte === 0)).toBe(true);
    expect(platform().accessOf(address, PAGE)).toMatchObject([{ access: 'read-write' }]);
  });
});
