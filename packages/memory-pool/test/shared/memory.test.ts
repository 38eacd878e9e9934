/** Mappings that all threads of a pool count together. */
import { expect, it } from 'vitest';
import { imageModule, smallPool } from '../support/memories.js';

const MAPPINGS_WORD = 5;

it('mappings that nobody has counted cannot go', () => {
  using pool = smallPool({ shared: true });
  const module = imageModule(1);
  pool.openStore().allocate({ module }).free();
  const words = new Int32Array(pool.share().memoryPool, 0, 16);
  const counted = Atomics.exchange(words, MAPPINGS_WORD, 0);
  expect(counted).toBeGreaterThan(0);
  expect(() => pool.purgeModule(module)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  Atomics.store(words, MAPPINGS_WORD, counted);
});
