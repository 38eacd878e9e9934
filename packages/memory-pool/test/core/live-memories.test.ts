/** Views of memories whose records say more than there is. */
import { expect, it } from 'vitest';
import { poolCoreOf } from '../../src/pool.js';
import { PAGE, smallPool, zeroModule } from '../support/memories.js';

it.each(['buffer', 'unsafeBuffer'] as const)('%s shows no byte that is not open', (view) => {
  using pool = smallPool();
  const memory = pool.openStore().allocate({ module: zeroModule() });
  const { records } = poolCoreOf(pool);
  records.setByteLength(memory.slot, 3 * PAGE);
  expect(() => memory[view]).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  records.setByteLength(memory.slot, 2 * PAGE);
  expect(memory[view].byteLength).toBe(2 * PAGE);
});
