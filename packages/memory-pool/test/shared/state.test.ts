/** What threads have in common, and what is no handle of it. */
import { describe, expect, it } from 'vitest';
import { MemoryPool, type SharedPoolHandle } from '../../src/index.js';
import { makeState, openState } from '../../src/shared/state.js';
import { smallPool } from '../support/memories.js';

const ATTACH = expect.objectContaining({ code: 'ERR_POOL_ATTACH' });
const PID_WORD = 2;
const VERSION_WORD = 1;

function handleOf(words: (words: Int32Array) => void): SharedPoolHandle {
  using pool = smallPool();
  const { config } = pool;
  const { buffer } = makeState(3, { address: 4096, byteLength: 8192 }, { config, guardPages: false });
  words(new Int32Array(buffer, 0, 16));
  return { memoryPool: buffer, indexAllocator: new SharedArrayBuffer(8), modules: new SharedArrayBuffer(8) };
}

describe('the state of a shared pool', () => {
  it('is found again, with all that was decided', () => {
    using pool = smallPool();
    const settings = { config: pool.config, guardPages: true };
    const made = makeState(5, { address: 2 ** 45, byteLength: 2 ** 40 }, settings);
    const found = openState({
      memoryPool: made.buffer,
      indexAllocator: new SharedArrayBuffer(8),
      modules: new SharedArrayBuffer(8),
    });
    expect(found).toMatchObject({ numSlots: 5, slabAddress: 2 ** 45, slabBytes: 2 ** 40, settings });
    expect(found.guards).toHaveLength(5);
    expect(found.recordsOffset % 64).toBe(0);
    expect(found.guards.byteOffset + 5).toBe(made.buffer.byteLength);
  });

  it('of another process, version or kind is refused', () => {
    expect(() => openState(handleOf((words) => (words[PID_WORD] = 1)))).toThrow(ATTACH);
    expect(() => openState(handleOf((words) => (words[VERSION_WORD] = 77)))).toThrow(ATTACH);
    expect(() => openState(handleOf((words) => (words[0] = 0)))).toThrow(ATTACH);
    expect(() => openState(handleOf((words) => (words[4] = 4)))).toThrow(ATTACH);
    const short = {
      memoryPool: new SharedArrayBuffer(8),
      indexAllocator: new SharedArrayBuffer(8),
      modules: new SharedArrayBuffer(8),
    };
    expect(() => openState(short)).toThrow(ATTACH);
  });

  it.each([
    undefined,
    null,
    7,
    {},
    { memoryPool: new ArrayBuffer(8) },
    { memoryPool: Object.create(SharedArrayBuffer.prototype) as SharedArrayBuffer },
  ])('is not found in %o', (handle) => {
    expect(() => MemoryPool.attach(handle as SharedPoolHandle)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});
