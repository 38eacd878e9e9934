/** Freed slots that wait to be dropped in one call. */
import { afterEach, describe, expect, it } from 'vitest';
import type { MemoryPool, MemoryPoolConfig, PooledMemory, PoolModule, Store } from '../../src/index.js';
import { faultyMemory, type FaultyMemory } from '../support/fault-injection.js';
import {
  checkBooks,
  contents,
  HOST_PAGE,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  zeroModule,
} from '../support/memories.js';

let faulty: FaultyMemory;
let pool: MemoryPool;
let store: Store;

/** A pool of six slots whose queue holds `batch`. */
function open(batch: number, config: MemoryPoolConfig = {}): void {
  faulty = faultyMemory();
  pool = smallPool({
    totalMemories: 6,
    decommitBatchSize: batch,
    virtualMemory: faulty.virtualMemory,
    ...config,
  });
  store = pool.openStore();
}
afterEach(() => {
  faulty.heal();
  if (!pool.closed) checkBooks(pool);
  pool.close({ force: true });
});

function dirty(count: number, module: PoolModule = imageModule(0x41)): PooledMemory[] {
  const memories = Array.from({ length: count }, () => store.allocate({ module }));
  for (const memory of memories) scribble(memory);
  return memories;
}

function free(memories: readonly PooledMemory[]): void {
  for (const memory of memories) memory.free();
  checkBooks(pool);
}

const drops = () => faulty.calls.filter((call) => call === 'decommitMany' || call === 'decommit');

describe('the decommit queue', () => {
  it('drops nothing until it is full, then everything in one call', () => {
    open(3);
    const memories = dirty(5);
    free(memories.slice(0, 2));
    expect(drops()).toEqual([]);
    expect(pool.metrics()).toMatchObject({
      liveMemories: 3,
      queuedMemories: 2,
      unusedWarmMemories: 0,
      decommits: 0,
      resets: { decommit: 0 },
    });
    free(memories.slice(2, 3));
    expect(drops()).toEqual(['decommitMany']);
    expect(pool.metrics()).toMatchObject({
      liveMemories: 2,
      queuedMemories: 0,
      unusedWarmMemories: 3,
      decommits: 1,
      resets: { decommit: 3 },
    });
    free(memories.slice(3));
    expect(pool.metrics()).toMatchObject({ queuedMemories: 2, decommits: 1 });
  });

  it('holds slots that nobody gets: not even the same memory of the same module', () => {
    open(4);
    const module = imageModule(0x41);
    const queued = dirty(3, module);
    free(queued);
    const next = [1, 2, 3].map(() => store.allocate({ module }));
    const taken = new Set(queued.map((memory) => memory.slot));
    expect(next.some((memory) => taken.has(memory.slot))).toBe(false);
    expect(drops()).toEqual([]);
  });

  it('is flushed when no other slot is left, and the allocation tries again', () => {
    open(6);
    const module = imageModule(0x41);
    const memories = dirty(6, module);
    free(memories.slice(0, 4));
    const again = store.allocate({ module });
    expect(drops()).toEqual(['decommitMany']);
    expect(contents(again).equals(imageBytes(0x41))).toBe(true);
    expect(pool.metrics()).toMatchObject({
      liveMemories: 3,
      queuedMemories: 0,
      unusedWarmMemories: 3,
      decommits: 1,
    });
  });

  it('is flushed at once by a free while somebody waits', async () => {
    open(4);
    const module = imageModule(0x41);
    const memories = dirty(6, module);
    const waiting = [store.allocateAsync({ module }), store.allocateAsync({ module })];
    free(memories.slice(0, 1));
    expect(pool.metrics()).toMatchObject({ queuedMemories: 0, waitingAllocations: 2 });
    await waiting[0];
    expect(pool.metrics().waitingAllocations).toBe(1);
    free(memories.slice(1, 2));
    for (const memory of await Promise.all(waiting)) {
      expect(contents(memory).equals(imageBytes(0x41))).toBe(true);
    }
    expect(drops()).toEqual(['decommitMany', 'decommitMany']);
  });

  it('is flushed by a purge, which finds its slots', () => {
    open(4);
    const module = imageModule(0x41);
    free(dirty(3, module));
    expect(pool.purgeModule(module)).toBe(3);
    expect(drops()).toEqual(['decommitMany']);
    expect(pool.metrics()).toMatchObject({ queuedMemories: 0, unusedWarmMemories: 3 });
    for (let i = 0; i < 6; i++) {
      expect(contents(store.allocate({ module: zeroModule() })).equals(new Uint8Array(2 * PAGE))).toBe(true);
    }
  });

  it('may be full of slots when the pool closes', () => {
    open(4);
    free(dirty(3));
    pool.close();
    expect(pool.closed).toBe(true);
  });

  it('is passed by where nothing has to be dropped', () => {
    open(3, { linearMemoryKeepResident: 8 * PAGE });
    free(dirty(6));
    expect(drops()).toEqual([]);
    expect(pool.metrics()).toMatchObject({
      unusedWarmMemories: 6,
      unusedBytesResident: 6 * 2 * PAGE,
      bytesCopied: 6 * 2 * PAGE,
    });
  });

  it('keeps the bytes that may stay, also when it drops the rest later', () => {
    open(3, { linearMemoryKeepResident: HOST_PAGE, pagemapScan: 'disable' });
    free(dirty(2));
    expect(pool.metrics()).toMatchObject({ unusedBytesResident: 0, bytesCopied: 0 });
    free(dirty(1));
    expect(pool.metrics()).toMatchObject({
      unusedBytesResident: 3 * HOST_PAGE,
      bytesCopied: 3 * HOST_PAGE,
      resets: { scan: 0, write: 3, decommit: 0 },
    });
  });

  it('drops regions that together are larger than one call may take', () => {
    // The kernel cuts the ranges of one call off at 2 GiB less a page (MAX_RW_COUNT).
    const gibibyte = 2 ** 30;
    const options = { initial: 16_384, maximum: 16_384, byteLength: HOST_PAGE };
    open(3, { maxMemorySize: gibibyte, memoryReservation: gibibyte });
    const module = imageModule(0x41, options);
    const places = [0, gibibyte / 2, gibibyte - 1];
    const memories = [1, 2, 3].map(() => store.allocate({ module }));
    for (const memory of memories)
      for (const place of places) new Uint8Array(memory.unsafeBuffer)[place] = 0xee;
    free(memories);
    expect(drops()[0]).toBe('decommitMany');
    for (let i = 0; i < 3; i++) {
      const bytes = new Uint8Array(store.allocate({ module }).unsafeBuffer);
      expect(places.map((place) => bytes[place])).toEqual([0x41, 0, 0]);
    }
    expect(pool.metrics().failedResets).toBe(0);
  });
});

describe('a batch that cannot be dropped', () => {
  it('makes all its slots unknown, loses none, and counts no reset', () => {
    open(3);
    const module = imageModule(0x41);
    const memories = dirty(3, module);
    faulty.fail('decommitMany');
    free(memories);
    expect(pool.metrics()).toMatchObject({
      liveMemories: 0,
      queuedMemories: 0,
      unusedWarmMemories: 3,
      unusedBytesResident: 0,
      failedResets: 3,
      decommits: 0,
      resets: { scan: 0, write: 0, decommit: 0 },
    });
    faulty.clearCalls();
    for (let i = 0; i < 6; i++) {
      expect(contents(store.allocate({ module })).equals(imageBytes(0x41))).toBe(true);
    }
    // Each of the three was laid over before it was used again.
    expect(faulty.calls.filter((call) => call === 'mapZeros')).toHaveLength(3);
  });

  it('is no obstacle to the allocation that flushed it', () => {
    open(6);
    free(dirty(6).slice(0, 5));
    faulty.fail('decommitMany');
    const zeros = store.allocate({ module: zeroModule(8) });
    expect(contents(zeros).equals(new Uint8Array(8 * PAGE))).toBe(true);
    expect(pool.metrics().failedResets).toBe(5);
  });

  it('is no obstacle to the store that is disposed', () => {
    open(2);
    dirty(6);
    faulty.fail('decommitMany', 1, 1);
    store.dispose();
    expect(pool.metrics()).toMatchObject({ liveMemories: 0, failedResets: 2, resets: { decommit: 4 } });
  });
});
