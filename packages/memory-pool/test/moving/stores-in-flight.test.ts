/** What errors say of stores in flight: no thread has their memories, and a full or busy pool must not look like a lost one. */
import { expect, it } from 'vitest';
import { smallPool, zeroModule } from '../support/memories.js';

it('a pool that is full, or busy, names the memories that no thread has, apart from those of threads', () => {
  using pool = smallPool({ shared: true });
  const module = zeroModule();
  const moving = pool.openStore();
  for (let n = 0; n < 2; n++) moving.allocate({ module });
  const staying = pool.openStore();
  staying.allocate({ module });
  const token = moving.release();
  const said = { liveByThread: new Map([[0, 1]]), inFlightMemories: 2 };
  expect(() => staying.allocate({ module })).toThrow(
    expect.objectContaining({ code: 'ERR_POOL_CONCURRENCY_LIMIT', ...said }),
  );
  expect(() => pool.close()).toThrow(expect.objectContaining({ code: 'ERR_POOL_BUSY', ...said }));
  pool.adopt(token).store.dispose();
  expect(() => pool.close()).toThrow(
    expect.objectContaining({ code: 'ERR_POOL_BUSY', liveByThread: new Map([[0, 1]]), inFlightMemories: 0 }),
  );
  staying.dispose();
});
