/** The face of a shared pool, in one thread; with others in shared-threads.test.ts and storm.test.ts. */
import { isSupported } from '@guardstripe/mpk';
import { describe, expect, it } from 'vitest';
import { MemoryPool } from '../../src/index.js';
import { faultyMemory } from '../support/fault-injection.js';
import {
  checkBooks,
  contents,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  zeroModule,
} from '../support/memories.js';

describe('a shared pool', () => {
  it('gives a handle, which a pool of one thread has not', () => {
    using shared = smallPool({ shared: true });
    using own = smallPool();
    const { memoryPool, indexAllocators, modules } = structuredClone(shared.share());
    expect(indexAllocators).toHaveLength(1);
    expect([memoryPool, ...indexAllocators, modules].every((part) => part instanceof SharedArrayBuffer)).toBe(
      true,
    );
    expect(() => own.share()).toThrow(expect.objectContaining({ code: 'ERR_POOL_NOT_SHARED' }));
  });

  it('is had once by a thread', () => {
    using pool = smallPool({ shared: true });
    expect(() => MemoryPool.attach(pool.share())).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_ATTACH' }),
    );
  });

  it('is gone when its last thread has closed it', () => {
    const pool = smallPool({ shared: true });
    const handle = pool.share();
    pool.close();
    expect(() => MemoryPool.attach(handle)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CLOSED' }));
    expect(() => pool.share()).toThrow(expect.objectContaining({ code: 'ERR_POOL_CLOSED' }));
    pool.close();
  });

  it('has at least one slot, and stripes only where there are keys', () => {
    const code = expect.objectContaining({ code: 'ERR_POOL_CREATION' });
    expect(() => smallPool({ shared: true, totalMemories: 0 })).toThrow(code);
    if (isSupported()) return;
    expect(() => smallPool({ shared: true, memoryProtectionKeys: 'enable' })).toThrow(code);
    using pool = smallPool({ shared: true, memoryProtectionKeys: 'auto' });
    expect(pool.layout.numStripes).toBe(1);
  });

  it('does not close over live memories, and says in which thread they are', () => {
    const pool = smallPool({ shared: true });
    const memory = pool.openStore().allocate({ module: zeroModule() });
    expect(() => pool.close()).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_BUSY', liveMemories: 1, liveByThread: new Map([[0, 1]]) }),
    );
    pool.close({ force: true });
    expect(memory.freed).toBe(true);
  });

  it('counts images and mappings from its records', () => {
    using pool = smallPool({ shared: true });
    const store = pool.openStore();
    const [one, two] = [imageModule(0x11), imageModule(0x22)];
    const memories = [one, two, one].map((module) => store.allocate({ module }));
    expect(pool.metrics()).toMatchObject({ liveMemories: 3, imageBytes: 2 * 4096 });
    expect(pool.metrics().mappings).toBeGreaterThan(3);
    for (const memory of memories) memory.free();
    expect(pool.purgeModule(one)).toBe(2);
    expect(pool.metrics().imageBytes).toBe(4096);
    pool.trim();
    expect(pool.metrics()).toMatchObject({ imageBytes: 0, mappings: 0, unusedWarmMemories: 3 });
    checkBooks(pool);
  });

  it('lays a slot over of which a closed module has the image', () => {
    using pool = smallPool({ shared: true, totalMemories: 1 });
    const store = pool.openStore();
    const module = imageModule(0x33);
    const memory = store.allocate({ module });
    module.close();
    scribble(memory);
    memory.free();
    const next = store.allocate({ module: imageModule(0x44) });
    expect(contents(next).equals(imageBytes(0x44))).toBe(true);
  });

  it('writes no zeros back over an image that it has forgotten, and whose bytes come again', () => {
    using pool = smallPool({ shared: true, linearMemoryKeepResident: 8 * PAGE });
    const store = pool.openStore();
    const [module, other] = [imageModule(0x55), imageModule(0x66)];
    const memory = store.allocate({ module });
    const { slot } = memory;
    module.close();
    // The thread forgets images of closed modules when it meets another one.
    const others = [1, 2].map(() => store.allocate({ module: other }));
    scribble(memory);
    memory.free();
    const again = store.allocate({ module: imageModule(0x55) });
    expect(again.slot).toBe(slot);
    expect(contents(again).equals(imageBytes(0x55))).toBe(true);
    for (const each of others) expect(contents(each).equals(imageBytes(0x66))).toBe(true);
  });

  it('trims to a limit over all shards, and the slots stay good', () => {
    using pool = smallPool({
      shared: true,
      totalMemories: 300,
      linearMemoryKeepResident: 2 * PAGE,
      maxUnusedWarmSlots: 300,
    });
    const store = pool.openStore();
    const memories = Array.from({ length: 300 }, () => store.allocate({ module: zeroModule(1) }));
    for (const memory of memories) memory.fill(7, 0, 3 * 4096);
    for (const memory of memories) memory.free();
    const { unusedBytesResident } = pool.metrics();
    expect(unusedBytesResident).toBeGreaterThan(0);
    const given = pool.trim(unusedBytesResident / 2);
    expect(pool.metrics().unusedBytesResident).toBe(unusedBytesResident - given);
    expect(pool.metrics().unusedBytesResident).toBeLessThanOrEqual(unusedBytesResident / 2);
    const again = Array.from({ length: 300 }, () => store.allocate({ module: zeroModule(1) }));
    expect(again.every((memory) => contents(memory).every((byte) => byte === 0))).toBe(true);
    checkBooks(pool);
  });

  it('leaves nothing half made where the system refuses the slab', () => {
    const faulty = faultyMemory();
    const { virtualMemory } = faulty;
    faulty.fail('reserve', 1);
    expect(() => smallPool({ shared: true, virtualMemory })).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CREATION' }),
    );
    using pool = smallPool({ shared: true, virtualMemory });
    expect(pool.isEmpty).toBe(true);
  });
});
