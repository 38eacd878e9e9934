/** The end of a thread's part in a pool. */
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
