/** Stores that cannot move, and what of them is left as it was. */
import { codeOf } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import type { MemoryPool, PoolModule, Store } from '../../src/index.js';
import { checkBooks, PAGE, smallPool, zeroModule } from '../support/memories.js';

const sharedPool = (config = {}) => smallPool({ shared: true, totalMemories: 4, ...config });

const refusal = (reason: string, slot?: number) =>
  expect.objectContaining({ code: 'ERR_STORE_NOT_MOVABLE', reason, slot });

describe('a store is not released', () => {
  const expectWhole = (pool: MemoryPool, store: Store, module: PoolModule) => {
    expect(store.released).toBe(false);
    store.allocate({ module }).free();
    checkBooks(pool);
  };

  it('of a pool of one thread, nor adopted there', () => {
    using pool = smallPool();
    expect(codeOf(() => pool.openStore().release())).toBe('ERR_POOL_NOT_SHARED');
    expect(codeOf(() => pool.adopt({ poolStore: new Uint8Array(100) }))).toBe('ERR_POOL_NOT_SHARED');
  });

  it('when it or its pool was closed', () => {
    const pool = sharedPool();
    const [one, two] = [pool.openStore(), pool.openStore()];
    const token = pool.openStore().release();
    one.dispose();
    expect(codeOf(() => one.release())).toBe('ERR_STORE_DISPOSED');
    pool.close();
    expect(codeOf(() => two.release())).toBe('ERR_POOL_CLOSED');
    expect(codeOf(() => pool.adopt(token))).toBe('ERR_POOL_CLOSED');
  });

  it('while an allocation waits, for a slot or for the limiter, or was just served', async () => {
    using pool = sharedPool({ totalMemories: 1 });
    const module = zeroModule();
    const holder = pool.openStore().allocate({ module });
    const store = pool.openStore();
    const waits = store.allocateAsync({ module });
    expect(() => store.release()).toThrow(refusal('allocating'));
    holder.free();
    expect(() => store.release()).toThrow(refusal('allocating'));
    (await waits).free();
    const answer = Promise.withResolvers<boolean>();
    const limited = pool.openStore({ limiter: { memoryGrowing: () => answer.promise } });
    const asks = limited.allocateAsync({ module });
    expect(() => limited.release()).toThrow(refusal('allocating'));
    answer.resolve(true);
    (await asks).free();
    expect(limited.release().poolStore.byteLength).toBeGreaterThan(0);
    expectWhole(pool, pool.openStore(), module);
  });

  it('while a memory waits for the limiter', async () => {
    using pool = sharedPool();
    const module = zeroModule();
    const answer = Promise.withResolvers<boolean>();
    let asked = 0;
    const store = pool.openStore({
      limiter: { memoryGrowing: () => (asked++ === 1 ? answer.promise : true) },
    });
    const memory = store.allocate({ module });
    const grows = memory.growAsync(1);
    expect(() => store.release()).toThrow(refusal('growing', memory.slot));
    answer.resolve(true);
    await grows;
    expectWhole(pool, store, module);
  });

  it('of which a safe buffer was read, also if it was grown away; an unsafe one is taken back', () => {
    using pool = sharedPool();
    const module = zeroModule();
    const store = pool.openStore();
    const [one, two] = [store.allocate({ module }), store.allocate({ module })];
    const unsafe = one.unsafeBuffer;
    expect(two.buffer.byteLength).toBe(2 * PAGE);
    expect(() => store.release()).toThrow(refusal('viewed', two.slot));
    expect(unsafe.detached).toBe(false);
    two.grow(1);
    expect(() => store.release()).toThrow(refusal('viewed', two.slot));
    expectWhole(pool, store, module);
    two.free();
    const token = store.release();
    expect(unsafe.detached).toBe(true);
    const [memory] = pool.adopt(token).memories;
    expect(memory!.buffer.byteLength).toBe(2 * PAGE);
  });

  it.each(['now', 'before it grew'])(
    'of which an unsafe buffer was stolen %s: its slot is retired',
    (when) => {
      using pool = sharedPool();
      const store = pool.openStore();
      const memory = store.allocate({ module: zeroModule() });
      ArrayBuffer.prototype.transfer.call(memory.unsafeBuffer);
      if (when === 'before it grew') memory.grow(1);
      for (let time = 0; time < 2; time++)
        expect(() => store.release()).toThrow(refusal('viewed', memory.slot));
      memory.free();
      expect(pool.metrics().retiredMemories).toBe(1);
      expect(store.release().poolStore.byteLength).toBeGreaterThan(0);
    },
  );

  it('while as many are in flight as can be', () => {
    using pool = sharedPool();
    const tokens = Array.from({ length: 4096 }, () => pool.openStore().release());
    const store = pool.openStore();
    const memory = store.allocate({ module: zeroModule() });
    expect(() => store.release()).toThrow(refusal('crowded'));
    expect(memory.freed).toBe(false);
    pool.adopt(tokens[1]!);
    pool.adopt(store.release());
    expect(pool.metrics().liveMemories).toBe(1);
  });
});
