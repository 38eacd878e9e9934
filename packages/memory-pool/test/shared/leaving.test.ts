/** The end of a thread's part in a pool. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it } from 'vitest';
import { poolCoreOf } from '../../src/pool.js';
import { contents, imageBytes, imageModule, smallPool } from '../support/memories.js';

it('a thread that has tenants keeps the slab, whoever says that the pool is closed', () => {
  using pool = smallPool({ shared: true });
  const memory = pool.openStore().allocate({ module: imageModule(0x31) });
  const { tenancies } = poolCoreOf(pool);
  tenancies.closed = tenancies.ended = true;
  expect(() => pool.close()).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  tenancies.closed = tenancies.ended = false;
  expect(contents(memory).equals(imageBytes(0x31))).toBe(true);
});

it('a pool that is closed once more by who hears of a store in flight is closed', () => {
  const pool = smallPool({ shared: true });
  for (const byte of [1, 2, 3]) {
    const store = pool.openStore();
    store.allocate({ module: imageModule(byte) });
    store.release();
  }
  let told = 0;
  const again = (): void => {
    if (++told === 1) pool.close({ force: true });
  };
  const FREE = 'guardstripe.memory-pool.free';
  subscribe(FREE, again);
  try {
    pool.close({ force: true });
  } finally {
    unsubscribe(FREE, again);
  }
  expect(told).toBe(3);
  expect(pool.closed).toBe(true);
});
