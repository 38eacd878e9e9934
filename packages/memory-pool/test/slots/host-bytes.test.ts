/** The host's own views of slots. */
import { expect, it } from 'vitest';
import { poolCoreOf } from '../../src/pool.js';
import { PAGE, smallPool, zeroModule } from '../support/memories.js';

it('a record that says more than a slot has shows nobody the neighbour', () => {
  using pool = smallPool();
  const memory = pool.openStore().allocate({ module: zeroModule() });
  const { records } = poolCoreOf(pool);
  const pages = records.accessiblePages(memory.slot);
  records.setAccessiblePages(memory.slot, 9 * pages);
  expect(() => memory.read(0, PAGE)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  records.setAccessiblePages(memory.slot, pages);
  expect(memory.read(0, PAGE)).toEqual(new Uint8Array(PAGE));
});
