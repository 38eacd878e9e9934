/** What threads have in common, and what is no handle of it. */
import { describe, expect, it } from 'vitest';
import { MemoryPool, type SharedPoolHandle } from '../../src/index.js';
import { makeState, openState } from '../../src/shared/state.js';
import { smallPool } from '../support/memories.js';

const ATTACH = expect.objectContaining({ code: 'ERR_POOL_ATTACH' });
const PID_WORD = 2;
const VERSION_WORD = 1;
const PLACE = { pid: process.pid, entry: 7, token: 2 ** 47 + 1, address: 2 ** 45, byteLength: 2 ** 40 };

function handleOf(words: (words: Int32Array) => void): SharedPoolHandle {
  using pool = smallPool();
  const { config } = pool;
  const others = otherParts();
  const { buffer } = makeState(3, PLACE, { config, guardPages: false, keys: [] }, others);
  words(new Int32Array(buffer, 0, 16));
  return { ...others, memoryPool: buffer };
}

const otherParts = () => ({
  indexAllocators: [1, 2, 3].map(() => new SharedArrayBuffer(8)),
  modules: new SharedArrayBuffer(8),
});

function copyOf(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength);
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

describe('the state of a shared pool', () => {
  it('is found again, with all that was decided', () => {
    using pool = smallPool();
    const keys = [1, 7, 15].map((id) => ({ id, generation: -id }));
    const settings = { config: pool.config, guardPages: true, keys };
    const others = otherParts();
    const made = makeState(5, PLACE, settings, others);
    const found = openState({ ...others, memoryPool: made.buffer });
    expect(found).toMatchObject({ numSlots: 5, slab: PLACE, settings });
    expect(found.guards).toHaveLength(5);
    expect(found.recordsOffset % 64).toBe(0);
    expect(found.flights.byteOffset).toBeGreaterThanOrEqual(found.guards.byteOffset + 5);
    expect(found.flights.byteOffset % 64).toBe(0);
    expect(found.flights.byteOffset + found.flights.byteLength).toBe(made.buffer.byteLength);
  });

  it('of another process, version or kind is refused', () => {
    expect(() => openState(handleOf((words) => (words[PID_WORD] = 1)))).toThrow(ATTACH);
    expect(() => openState(handleOf((words) => (words[VERSION_WORD] = 77)))).toThrow(ATTACH);
    expect(() => openState(handleOf((words) => (words[0] = 0)))).toThrow(ATTACH);
    expect(() => openState(handleOf((words) => (words[4] = 4)))).toThrow(ATTACH);
    expect(() => openState({ ...otherParts(), memoryPool: new SharedArrayBuffer(8) })).toThrow(ATTACH);
  });

  it.each(['memoryPool', 'modules'] as const)("is refused where %s is a copy, or another pool's", (part) => {
    using pool = smallPool({ shared: true });
    using other = smallPool({ shared: true });
    const handle = pool.share();
    const copied = { ...handle, [part]: copyOf(handle[part]) };
    expect(() => MemoryPool.attach(copied)).toThrow(/Cannot attach to the pool: .* copies/);
    const mixed = { ...handle, [part]: other.share()[part] };
    expect(() => MemoryPool.attach(mixed)).toThrow(/Cannot attach to the pool: .* of several pools/);
  });

  it.each([
    ['a copy', ([one, two]: SharedArrayBuffer[]) => [one!, copyOf(two!)]],
    ['one less', ([one]: SharedArrayBuffer[]) => [one!]],
    ['one more', (all: SharedArrayBuffer[]) => [...all, new SharedArrayBuffer(8)]],
    ['two in each other’s place', (all: SharedArrayBuffer[]) => all.toReversed()],
  ])('is refused where of the stripes’ buffers there is %s', (_what, change) => {
    using pool = smallPool();
    const indexAllocators = [1, 2].map(() => new SharedArrayBuffer(8));
    const modules = new SharedArrayBuffer(8);
    const settings = { config: pool.config, guardPages: false, keys: [] };
    const { buffer: memoryPool } = makeState(3, PLACE, settings, { indexAllocators, modules });
    expect(openState({ memoryPool, indexAllocators, modules }).numSlots).toBe(3);
    const changed = { memoryPool, indexAllocators: change(indexAllocators), modules };
    expect(() => openState(changed)).toThrow(ATTACH);
  });

  it.each([
    ['fewer bytes of settings', 6, 20],
    ['more than there is room for', 6, 1e9],
    ['no address space', 14, 0],
    ['an address space of another size', 15, 0x4200_0000],
    ['an address within a page', 12, 1],
    ['an address below nothing', 13, -0x3d00_0000],
    ['an address that is no number', 13, 0x7ff8_0000],
    ['an address that is endless', 13, 0x7ff0_0000],
  ])('is refused where it was written to: %s', (_what, word, value) => {
    const pool = smallPool({ shared: true });
    const words = new Int32Array(pool.share().memoryPool, 0, 32);
    const before = words[word]!;
    words[word] = value === before ? value + 1 : value;
    expect(() => MemoryPool.attach(pool.share())).toThrow(ATTACH);
    words[word] = before;
    pool.close();
  });

  it('is not made of more than there is room for', () => {
    using pool = smallPool();
    const settings = { config: pool.config, guardPages: false, keys: [] };
    const keys = Array.from({ length: 400 }, (_, id) => ({ id, generation: 1 }));
    const corrupted = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });
    expect(() => makeState(3, PLACE, { ...settings, keys }, otherParts())).toThrow(corrupted);
    const indexAllocators = Array.from({ length: 16 }, () => new SharedArrayBuffer(8));
    const others = { ...otherParts(), indexAllocators };
    expect(() => makeState(3, PLACE, settings, others)).toThrow(corrupted);
    expect(
      makeState(3, PLACE, settings, { ...others, indexAllocators: indexAllocators.slice(1) }).numSlots,
    ).toBe(3);
  });

  it('is refused where its settings say neither yes nor no', () => {
    using pool = smallPool();
    const others = otherParts();
    const settings = { config: pool.config, guardPages: 1 as unknown as boolean, keys: [] };
    const { buffer } = makeState(3, PLACE, settings, others);
    expect(() => openState({ ...others, memoryPool: buffer })).toThrow(ATTACH);
  });

  it.each([
    undefined,
    null,
    7,
    {},
    { memoryPool: new ArrayBuffer(8) },
    { memoryPool: new SharedArrayBuffer(8), indexAllocators: [new ArrayBuffer(8)] },
    { memoryPool: new SharedArrayBuffer(8), indexAllocators: new SharedArrayBuffer(8) },
    { memoryPool: Object.create(SharedArrayBuffer.prototype) as SharedArrayBuffer },
  ])('is not found in %o', (handle) => {
    expect(() => MemoryPool.attach(handle as unknown as SharedPoolHandle)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});
