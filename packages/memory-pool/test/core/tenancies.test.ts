/** The list of a store's slots, which says another number than the store. */
import { expect, it } from 'vitest';
import type { Tenancy } from '../../src/core/tenancy.js';
import { poolCoreOf } from '../../src/pool.js';
import { smallPool, zeroModule } from '../support/memories.js';

it.each([1, 3])('a list of two slots is none of a store that has %d', (length) => {
  using pool = smallPool();
  const store = pool.openStore();
  const [, newest] = [0, 1].map(() => store.allocate({ module: zeroModule() }));
  const { tenancies } = poolCoreOf(pool);
  const tenancy: Tenancy = {
    stripe: 0,
    head: newest!.slot + 1,
    length,
    state: 'open',
    limiter: undefined,
    watched: false,
    notes: undefined,
  };
  expect(() => tenancies.leasesOf(tenancy)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  expect(tenancies.leasesOf({ ...tenancy, length: 2 })).toHaveLength(2);
});
