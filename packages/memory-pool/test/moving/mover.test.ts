/** Stores that move, as far as one thread can see it; between threads in moving-threads.test.ts. */
import { codeOf } from '@guardstripe/test-support';
import { encodeModule } from '@guardstripe/wasm-builder';
import fc from 'fast-check';
import { SystemError } from '@guardstripe/mmap';
import { describe, expect, it, vi } from 'vitest';
import { describeModule, openModule, type MemoryLimiter, type StoreToken } from '../../src/index.js';
import { poolCoreOf } from '../../src/pool.js';
import { SharedModules } from '../../src/threads/shared-modules.js';
import {
  checkBooks,
  contents,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  zeroModule,
} from '../support/memories.js';

const sharedPool = (config = {}) => smallPool({ shared: true, totalMemories: 4, ...config });
const moved = (token: StoreToken) => structuredClone(token);

describe('a store that was released', () => {
  it('is had again with its memories: slots, bytes, sizes, and what they were made of', () => {
    using pool = sharedPool({ linearMemoryKeepResident: 8 * PAGE });
    const store = pool.openStore();
    const module = imageModule(0x11);
    const before = [module, zeroModule(1), module].map((each) => store.allocate({ module: each }));
    before.forEach((memory, index) => memory.fill(0xa0 + index, PAGE - 100, 50));
    before[1]!.grow(3);
    const bytes = before.map(contents);
    const addresses = before.map(({ address }) => address);
    const { store: here, memories } = pool.adopt(moved(store.release()));
    expect(memories.map(({ address }) => address)).toEqual(addresses);
    expect(memories.map(contents)).toEqual(bytes);
    expect(here.liveMemories).toBe(3);
    checkBooks(pool);
    expect(memories[1]!.grow(4)).toBe(4);
    expect(() => memories[1]!.grow(1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    memories[1]!.reset();
    expect(memories[1]!.byteLength).toBe(PAGE);
    memories[0]!.reset();
    expect(contents(memories[0]!).equals(imageBytes(0x11))).toBe(true);
    scribble(memories[2]!);
    memories[2]!.discard(0, 2 * PAGE);
    expect(contents(memories[2]!).equals(imageBytes(0x11))).toBe(true);
    memories[2]!.fill(0x77, 10, 3);
    using snapshot = memories[2]!.snapshot();
    expect(contents(here.allocate({ module: snapshot })).equals(contents(memories[2]!))).toBe(true);
    here.dispose();
    checkBooks(pool);
    expect(pool.metrics()).toMatchObject({ liveMemories: 0, inFlightMemories: 0 });
  });

  it('has segments that are written, from its own copy of them', () => {
    using pool = sharedPool({ maxMemorySize: 32 * PAGE, memoryReservation: 32 * PAGE });
    const store = pool.openStore();
    const segments = [16, 32 * PAGE - 8].map((offset) => ({ memoryIndex: 0, offset, data: [1, 2] }));
    const module = describeModule(encodeModule({ memories: [{ minimum: 32 }], segments }));
    expect(module.memories[0]!.initialization).toBe('copy');
    const start = contents(store.allocate({ module }));
    const token = moved(store.release());
    module.close();
    const [memory] = pool.adopt(token).memories;
    scribble(memory!);
    memory!.reset();
    expect(contents(memory!).equals(start)).toBe(true);
  });

  it('and its memories do nothing any more, and say so', async () => {
    using pool = sharedPool();
    const store = pool.openStore();
    const module = zeroModule();
    const memory = store.allocate({ module });
    const token = store.release();
    expect([store.released, store.disposed, store.liveMemories]).toEqual([true, false, 0]);
    expect(memory.freed).toBe(true);
    expect(memory.byteLength).toBe(0);
    const calls = [
      () => store.allocate({ module }),
      () => store.tryAllocate({ module }),
      () => store.release(),
      () => store.enter(() => 1),
      () => memory.buffer,
      () => memory.unsafeBuffer,
      () => memory.read(0, 1),
      () => memory.write(0, new Uint8Array(1)),
      () => memory.fill(0, 0, 1),
      () => memory.grow(1),
      () => memory.reset(),
      () => memory.discard(0, 1),
      () => memory.snapshot(),
    ];
    expect(calls.map(codeOf)).toEqual(calls.map(() => 'ERR_STORE_RELEASED'));
    await expect(store.allocateAsync({ module })).rejects.toThrow(/was released/);
    await expect(memory.growAsync(1)).rejects.toThrow(/was released/);
    memory.free();
    store.dispose();
    expect(store.released).toBe(true);
    expect(pool.metrics()).toMatchObject({ liveMemories: 1, inFlightMemories: 1 });
    const { memories } = pool.adopt(token);
    expect(memories[0]!.freed).toBe(false);
    // Nor does what they were before come to life again.
    expect(memory.freed).toBe(true);
    memory.free();
    expect(memories[0]!.freed).toBe(false);
  });

  it('is had once, and a token that was changed, is too short or was made up gives nothing', () => {
    using pool = sharedPool();
    using other = sharedPool();
    const store = pool.openStore();
    store.allocate({ module: zeroModule() }).fill(9, 0, 10);
    const token = moved(store.release());
    const bytes = token.poolStore;
    const wrong = [
      ...[0, 3, 4, 20, 31, 32, 40, bytes.byteLength - 1].map((at) => bytes.with(at, bytes[at]! ^ 0x81)),
      ...[0, 1, 4, 31, 32, 33].map((length) => bytes.slice(0, length)),
      Uint8Array.from([...bytes, 0]),
      new Uint8Array(bytes.byteLength),
    ];
    for (const poolStore of wrong) expect(codeOf(() => pool.adopt({ poolStore }))).toBe('ERR_STORE_TOKEN');
    expect(codeOf(() => other.adopt(token))).toBe('ERR_STORE_TOKEN');
    class Lying extends Uint8Array {
      override get length() {
        return 5;
      }
    }
    const { memories } = pool.adopt({ poolStore: new Lying(bytes) });
    expect(memories[0]!.read(0, 10).every((byte) => byte === 9)).toBe(true);
    expect(codeOf(() => pool.adopt(token))).toBe('ERR_STORE_TOKEN');
  });

  it('never is another one, whatever bytes come', () => {
    using pool = sharedPool();
    const store = pool.openStore();
    store.allocate({ module: zeroModule() });
    const { poolStore } = store.release();
    const changes = fc.array(fc.tuple(fc.nat(poolStore.byteLength - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(changes, (all) => {
        const bytes = Uint8Array.from(poolStore);
        for (const [at, by] of all) bytes[at]! ^= by;
        fc.pre(!bytes.every((byte, at) => byte === poolStore[at]));
        expect(codeOf(() => pool.adopt({ poolStore: bytes }))).toBe('ERR_STORE_TOKEN');
      }),
    );
    expect(pool.adopt({ poolStore }).memories).toHaveLength(1);
  });

  it('may be empty, and moves from hand to hand', () => {
    using pool = sharedPool();
    expect(pool.adopt(moved(pool.openStore().release())).memories).toEqual([]);
    const first = pool.openStore();
    first.allocate({ module: imageModule(0x21) });
    let store = first;
    for (let hop = 0; hop < 20; hop++) {
      const adopted = pool.adopt(moved(store.release()));
      store = adopted.store;
      expect(adopted.memories.map((memory) => contents(memory).equals(imageBytes(0x21)))).toEqual([true]);
    }
    expect(first.released).toBe(true);
    store.dispose();
    checkBooks(pool);
  });

  it('frees and allocates as any, and its memories keep their order', () => {
    using pool = sharedPool();
    const store = pool.openStore();
    const module = zeroModule(1);
    const [, middle] = [1, 2, 3].map((value) => {
      const memory = store.allocate({ module });
      memory.fill(value, 0, 1);
      return memory;
    });
    middle!.free();
    const one = pool.adopt(store.release());
    expect(one.memories.map((memory) => memory.read(0, 1)[0])).toEqual([1, 3]);
    one.memories[0]!.free();
    one.store.allocate({ module }).fill(4, 0, 1);
    const two = pool.adopt(one.store.release());
    expect(two.memories.map((memory) => memory.read(0, 1)[0])).toEqual([3, 4]);
    checkBooks(pool);
  });

  it('goes on without its module where that was closed: as if it had been closed here', () => {
    using pool = sharedPool();
    const store = pool.openStore();
    const module = imageModule(0x31);
    const memory = store.allocate({ module });
    scribble(memory);
    const token = store.release();
    module.close();
    const { memories, store: here } = pool.adopt(token);
    memories[0]!.reset();
    expect(contents(memories[0]!).equals(imageBytes(0x31))).toBe(true);
    expect(codeOf(() => memories[0]!.discard(0, 10))).toBe('ERR_MODULE_CLOSED');
    using snapshot = memories[0]!.snapshot();
    expect(contents(here.allocate({ module: snapshot })).equals(imageBytes(0x31))).toBe(true);
    // The memory that a snapshot made cannot; without it the store can, though its module is gone.
    expect(codeOf(() => here.release())).toBe('ERR_MODULE_NOT_SHARED');
    expect(here.released).toBe(false);
  });

  it.each(['template', 'noteGone'] as const)('stays to be had where adopting it fails: %s', (step) => {
    using pool = sharedPool();
    const store = pool.openStore();
    const [one, two] = [imageModule(0x51), imageModule(0x52)];
    for (const module of [two, one, two]) scribble(store.allocate({ module }));
    const token = store.release();
    if (step === 'noteGone') two.close();
    const failure = new SystemError(12, { syscall: 'mmap' });
    const calls = vi.spyOn(SharedModules.prototype, step);
    calls.mockImplementationOnce(() => {
      throw failure;
    });
    expect(() => pool.adopt(token)).toThrow(failure);
    calls.mockRestore();
    expect(pool.metrics()).toMatchObject({ liveMemories: 3, inFlightMemories: 3 });
    checkBooks(pool);
    const { memories } = pool.adopt(token);
    expect(memories.map((memory) => contents(memory).every((byte) => byte === 0xee))).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('keeps the module open that its memories came with, and shares free slots with it', () => {
    using pool = sharedPool({ totalMemories: 3 });
    const module = imageModule(0x41);
    using again = openModule(module.handle);
    const store = pool.openStore();
    const { slot } = store.allocate({ module });
    const { store: here, memories } = pool.adopt(store.release());
    memories[0]!.fill(1, 0, PAGE);
    here.dispose();
    const next = pool.openStore().allocate({ module: again });
    expect(next.slot).toBe(slot);
    expect(contents(next).equals(imageBytes(0x41))).toBe(true);
  });
});

describe('a store in flight', () => {
  it('keeps the pool busy, and ends with it', () => {
    const pool = sharedPool();
    const store = pool.openStore();
    const module = zeroModule();
    store.allocate({ module });
    store.allocate({ module });
    const token = store.release();
    pool.openStore().allocate({ module });
    expect(pool.isEmpty).toBe(false);
    expect(() => pool.close()).toThrow(
      expect.objectContaining({
        code: 'ERR_POOL_BUSY',
        liveMemories: 3,
        inFlightMemories: 2,
        liveByThread: new Map([[0, 1]]),
        message: expect.stringContaining('(1 in thread 0, 2 in flight)') as string,
      }),
    );
    const other = pool.openStore();
    other.allocate({ module });
    expect(() => other.allocate({ module })).toThrow(
      expect.objectContaining({
        code: 'ERR_POOL_CONCURRENCY_LIMIT',
        inFlightMemories: 2,
        message: 'Cannot allocate a memory: all 4 slots are in use (2 in thread 0, 2 in flight)',
      }),
    );
    other.dispose();
    expect(pool.adopt(token).memories).toHaveLength(2);
    const later = pool.openStore();
    later.allocate({ module });
    later.release();
    pool.close({ force: true });
    expect(pool.closed).toBe(true);
  });

  it('is waited for by who wants a slot, until somebody adopts and frees it', async () => {
    using pool = sharedPool({ totalMemories: 1 });
    const store = pool.openStore();
    const module = zeroModule();
    scribble(store.allocate({ module }));
    const token = store.release();
    const waits = pool.openStore().allocateAsync({ module });
    expect(pool.openStore().tryAllocate({ module })).toBeUndefined();
    pool.adopt(token).store.dispose();
    expect(contents(await waits).every((byte) => byte === 0)).toBe(true);
  });
});

describe('a store of which threads have noted what cannot be', () => {
  const corrupted = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

  it('is not had, nor its limiter asked for more than a memory can have, before that is mended', () => {
    using pool = sharedPool();
    const store = pool.openStore();
    const { slot } = store.allocate({ module: zeroModule(2, 4) });
    const token = moved(store.release());
    const { records } = poolCoreOf(pool);
    const limiter = { memoryGrowing: vi.fn<() => boolean>(() => true) };
    records.setByteLength(slot, 5 * PAGE);
    expect(() => pool.adopt(token, { limiter })).toThrow(corrupted);
    expect(limiter.memoryGrowing).not.toHaveBeenCalled();
    records.setByteLength(slot, 2 * PAGE);
    expect(pool.adopt(token, { limiter }).memories).toHaveLength(1);
  });

  it('is no store any more where a memory of it had another tenant since', () => {
    using pool = sharedPool();
    const store = pool.openStore();
    const { slot } = store.allocate({ module: zeroModule(2, 4) });
    const token = moved(store.release());
    const { records } = poolCoreOf(pool);
    records.passOn(slot);
    const limiter = { memoryGrowing: vi.fn<() => boolean>(() => true) };
    expect(codeOf(() => pool.adopt(token, { limiter }))).toBe('ERR_STORE_TOKEN');
    expect(limiter.memoryGrowing).not.toHaveBeenCalled();
    records.abandon(slot);
  });

  it('stays where it is if a slot is of another stripe', () => {
    using pool = sharedPool();
    const memory = pool.openStore().allocate({ module: imageModule(0x21) });
    const tenancy = {
      stripe: 1,
      head: memory.slot + 1,
      length: 1,
      state: 'open' as const,
      limiter: undefined,
      watched: false,
      notes: undefined,
    };
    expect(() => poolCoreOf(pool).mover!.release(tenancy)).toThrow(corrupted);
    expect(contents(memory).equals(imageBytes(0x21))).toBe(true);
  });
});

describe('the limiter of a store', () => {
  const noting = (says: (desired: number) => boolean = () => true) => {
    const heard: string[] = [];
    const limiter: MemoryLimiter = {
      memoryGrowing: (current, desired, maximum) => {
        heard.push(`grow ${current} ${desired} ${maximum}`);
        return says(desired);
      },
      memoryGrowFailed: (current, desired, error) =>
        void heard.push(`failed ${current} ${desired} ${String((error as { code?: unknown }).code)}`),
      memoryFreed: (bytes) => void heard.push(`freed ${bytes}`),
    };
    return { heard, limiter };
  };

  it('stays, and hears that the memories ended; the next one is asked for them, and only with one it moves', () => {
    using pool = sharedPool();
    const old = noting();
    const store = pool.openStore({ limiter: old.limiter });
    const module = zeroModule(1, 6);
    store.allocate({ module }).grow(1);
    store.allocate({ module });
    old.heard.length = 0;
    const token = store.release();
    expect(old.heard.toSorted()).toEqual([`freed ${2 * PAGE}`, `freed ${PAGE}`]);
    expect(codeOf(() => pool.adopt(token))).toBe('ERR_INVALID_ARG_TYPE');
    const strict = noting((desired) => desired <= PAGE);
    expect(codeOf(() => pool.adopt(token, { limiter: strict.limiter }))).toBe('ERR_MEMORY_LIMIT');
    expect(strict.heard.toSorted()).toEqual([
      `failed 0 ${PAGE} ERR_MEMORY_LIMIT`,
      `grow 0 ${2 * PAGE} ${6 * PAGE}`,
      `grow 0 ${PAGE} ${6 * PAGE}`,
    ]);
    const promising = { memoryGrowing: () => Promise.resolve(true) };
    expect(codeOf(() => pool.adopt(token, { limiter: promising }))).toBe('ERR_INVALID_RETURN_VALUE');
    const next = noting();
    const { memories, store: here } = pool.adopt(token, { limiter: next.limiter });
    next.heard.length = 0;
    memories[0]!.grow(1);
    expect(next.heard).toEqual([`grow ${2 * PAGE} ${3 * PAGE} ${6 * PAGE}`]);
    here.dispose();
    expect(next.heard.slice(1).toSorted()).toEqual([`freed ${3 * PAGE}`, `freed ${PAGE}`]);
  });

  it('may adopt the token itself, or close the pool, while it is asked', () => {
    const pool = sharedPool();
    const release = () => {
      const store = pool.openStore();
      store.allocate({ module: zeroModule() });
      return store.release();
    };
    const first = release();
    const thief = noting(() => pool.adopt(first).memories.length === 1);
    expect(codeOf(() => pool.adopt(first, { limiter: thief.limiter }))).toBe('ERR_STORE_TOKEN');
    expect(thief.heard.at(-1)).toContain('ERR_STORE_TOKEN');
    checkBooks(pool);
    const second = release();
    const closing = noting(() => {
      pool.close({ force: true });
      return true;
    });
    expect(codeOf(() => pool.adopt(second, { limiter: closing.limiter }))).toBe('ERR_POOL_CLOSED');
  });
});
