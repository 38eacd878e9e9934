import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  MemoryFreedError,
  PoolBusyError,
  PoolClosedError,
  PoolConcurrencyLimitError,
  StoreDisposedError,
  type MemoryPool,
  type PoolModule,
  type Store,
} from '../src/index.js';
import {
  contents,
  HOST_PAGE,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  zeroModule,
} from './support/memories.js';

let pool: MemoryPool;
let store: Store;

beforeEach(() => {
  pool = smallPool();
  store = pool.openStore();
});
afterEach(() => pool.close({ force: true }));

describe('a fresh memory', () => {
  it('is zeros where there is no image', () => {
    const memory = store.allocate({ module: zeroModule() });
    expect(memory.byteLength).toBe(2 * PAGE);
    expect(contents(memory).every((byte) => byte === 0)).toBe(true);
  });

  it("starts as its image, at the image's place, and zeros around it", () => {
    const place = { byteLength: 2 * HOST_PAGE + 5, offset: 3 * HOST_PAGE + 7 };
    const memory = store.allocate({ module: imageModule(7, place) });
    expect(contents(memory).equals(imageBytes(7, place))).toBe(true);
  });

  it('lies where the layout says, in three slots that do not touch each other', () => {
    const module = imageModule(1);
    const memories = [1, 2, 3].map(() => store.allocate({ module }));
    expect(memories.map((memory) => memory.slot)).toEqual([0, 1, 2]);
    for (const memory of memories) {
      expect(memory.address).toBe(pool.slabAddress + pool.layout.slotOffset(memory.slot));
    }
    for (const [i, memory] of memories.entries()) scribble(memory, 0x10 + i);
    for (const [i, memory] of memories.entries()) {
      expect(contents(memory).every((byte) => byte === 0x10 + i)).toBe(true);
    }
  });

  it('does not write through to the image', () => {
    const module = imageModule(9);
    const first = store.allocate({ module });
    scribble(first);
    expect(contents(store.allocate({ module })).equals(imageBytes(9))).toBe(true);
  });

  it('may have no bytes at all', () => {
    const memory = store.allocate({ module: zeroModule(0) });
    expect(memory.byteLength).toBe(0);
    expect(memory.buffer.byteLength).toBe(0);
    expect(memory.grow(1)).toBe(0);
    expect(contents(memory).every((byte) => byte === 0)).toBe(true);
  });
});

describe('buffer', () => {
  it('is the same object until a grow, which detaches it', () => {
    const memory = store.allocate({ module: imageModule(3) });
    const before = memory.buffer;
    expect(memory.buffer).toBe(before);
    expect(memory.grow(1)).toBe(2);
    expect(before.detached).toBe(true);
    expect(memory.buffer.byteLength).toBe(3 * PAGE);
  });

  it('is detached by a grow of nothing, as in WebAssembly.Memory', () => {
    const memory = store.allocate({ module: imageModule(3) });
    const before = memory.buffer;
    expect(memory.grow(0)).toBe(2);
    expect(before.detached).toBe(true);
  });

  it.each(['the memory', 'the store', 'the pool'])('is detached when %s goes', (what) => {
    const memory = store.allocate({ module: imageModule(3) });
    const { buffer } = memory;
    const bytes = new Uint8Array(buffer);
    if (what === 'the memory') memory.free();
    if (what === 'the store') store.dispose();
    if (what === 'the pool') pool.close({ force: true });
    expect(buffer.detached).toBe(true);
    expect(bytes.byteLength).toBe(0);
    expect(memory.freed).toBe(true);
    expect(memory.byteLength).toBe(0);
    expect(() => memory.buffer).toThrow(MemoryFreedError);
    expect(() => memory.grow(0)).toThrow(MemoryFreedError);
    expect(() => memory.free()).not.toThrow();
  });

  it('cannot be moved away from its memory', () => {
    const { buffer } = store.allocate({ module: zeroModule() });
    expect(() => buffer.transfer()).toThrow(TypeError);
    expect(() => structuredClone(buffer, { transfer: [buffer] })).toThrow(/transfer/i);
    expect(buffer.detached).toBe(false);
  });
});

describe('a handle that outlived its tenancy', () => {
  it('neither sees nor frees the next tenant', () => {
    const module = imageModule(5);
    const stale = store.allocate({ module });
    stale.free();
    const tenant = store.allocate({ module });
    expect(tenant.slot).toBe(stale.slot);
    expect(stale.freed).toBe(true);
    expect(() => stale.buffer).toThrow(MemoryFreedError);
    stale.free();
    expect(tenant.freed).toBe(false);
    expect(pool.metrics().liveMemories).toBe(1);
  });
});

describe('reuse', () => {
  const sizes = [1, 2, 4];
  const modules: Record<string, (initial: number) => PoolModule> = {
    'image A': (initial) => imageModule(0xaa, { initial }),
    'image B': (initial) => imageModule(0xbb, { initial, offset: 2 * HOST_PAGE, byteLength: 3 * HOST_PAGE }),
    'no image': (initial) => zeroModule(initial),
  };
  const expected: Record<string, (initial: number) => Uint8Array> = {
    'image A': (initial) => imageBytes(0xaa, { initial }),
    'image B': (initial) => imageBytes(0xbb, { initial, offset: 2 * HOST_PAGE, byteLength: 3 * HOST_PAGE }),
    'no image': (initial) => new Uint8Array(initial * PAGE),
  };
  const tenants = Object.keys(modules).flatMap((name) => sizes.map((initial) => ({ name, initial })));
  const orders = tenants.flatMap((first) => tenants.map((second) => ({ first, second })));

  it.each(orders)(
    '$first.name of $first.initial pages, then $second.name of $second.initial',
    ({ first, second }) => {
      const single = smallPool({ totalMemories: 1 });
      try {
        const tenant = single.openStore();
        for (const { name, initial } of [first, second, first]) {
          const memory = tenant.allocate({ module: modules[name]!(initial) });
          expect(contents(memory).equals(expected[name]!(initial))).toBe(true);
          scribble(memory);
          memory.grow(1);
          expect(
            contents(memory)
              .subarray(initial * PAGE)
              .every((byte) => byte === 0),
          ).toBe(true);
          scribble(memory);
          memory.free();
        }
      } finally {
        single.close();
      }
    },
  );

  it('gives a module its slot and its image back', () => {
    const [a, b, c] = [imageModule(1), imageModule(2), imageModule(3)];
    const memories = [a, b, c].map((module) => store.allocate({ module }));
    for (const memory of memories) {
      scribble(memory);
      memory.free();
    }
    expect(store.allocate({ module: b }).slot).toBe(memories[1]!.slot);
    expect(store.allocate({ module: c }).slot).toBe(memories[2]!.slot);
    const again = store.allocate({ module: a });
    expect(again.slot).toBe(memories[0]!.slot);
    expect(contents(again).equals(imageBytes(1))).toBe(true);
  });

  it("of a closed module's slots still restores its image, then the next tenant's", () => {
    const a = imageModule(1);
    const memory = store.allocate({ module: a });
    a.close();
    scribble(memory);
    expect(memory.grow(1)).toBe(2);
    memory.free();
    for (const value of [2, 3, 4]) {
      expect(contents(store.allocate({ module: imageModule(value) })).equals(imageBytes(value))).toBe(true);
    }
  });
});

describe('grow', () => {
  it("stops at the module's maximum and at the pool's, and changes nothing then", () => {
    const byModule = store.allocate({ module: zeroModule(1, 3) });
    const byPool = store.allocate({ module: zeroModule(1, 100) });
    const { buffer } = byModule;
    expect(() => byModule.grow(3)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => byPool.grow(8)).toThrow(RangeError);
    expect(byModule.byteLength).toBe(PAGE);
    expect(buffer.detached).toBe(false);
    expect(byModule.grow(2)).toBe(1);
    expect(byPool.grow(7)).toBe(1);
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses %d pages', (delta) => {
    const memory = store.allocate({ module: zeroModule() });
    expect(() => memory.grow(delta)).toThrow(RangeError);
    expect(memory.byteLength).toBe(2 * PAGE);
  });

  it.each(['1', undefined, 1n, null])('refuses %s', (delta) => {
    const memory = store.allocate({ module: zeroModule() });
    expect(() => memory.grow(delta as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

describe('a full pool', () => {
  it('says so, with the stripe and its capacity, and goes on after a free', () => {
    const module = zeroModule();
    const memories = [1, 2, 3].map(() => store.allocate({ module }));
    expect(() => store.allocate({ module })).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CONCURRENCY_LIMIT', stripe: 0, capacity: 3 }),
    );
    expect(() => store.allocate({ module })).toThrow(PoolConcurrencyLimitError);
    memories[1]!.free();
    expect(store.allocate({ module }).slot).toBe(memories[1]!.slot);
  });

  it('may be full from the start', () => {
    const empty = smallPool({ totalMemories: 0 });
    expect(() => empty.openStore().allocate({ module: zeroModule() })).toThrow(PoolConcurrencyLimitError);
    empty.close();
  });
});

describe('stores', () => {
  it('free all they hold, and only that, in any order', () => {
    const other = pool.openStore();
    const module = zeroModule();
    const [first, foreign, last] = [
      store.allocate({ module }),
      other.allocate({ module }),
      store.allocate({ module }),
    ];
    expect(store.liveMemories).toBe(2);
    first.free();
    expect(store.liveMemories).toBe(1);
    store.dispose();
    expect(last.freed).toBe(true);
    expect(foreign.freed).toBe(false);
    expect(pool.metrics().liveMemories).toBe(1);
    expect(() => store.allocate({ module })).toThrow(StoreDisposedError);
    store.dispose();
    other.dispose();
    expect(pool.isEmpty).toBe(true);
  });

  it('work with using', () => {
    {
      using tenant = pool.openStore();
      using memory = tenant.allocate({ module: zeroModule() });
      scribble(memory);
      expect(pool.metrics().liveMemories).toBe(1);
    }
    expect(pool.isEmpty).toBe(true);
  });
});

describe('close', () => {
  it('refuses while memories live, unless forced, and changes nothing then', () => {
    const memory = store.allocate({ module: zeroModule() });
    expect(() => pool.close()).toThrow(PoolBusyError);
    scribble(memory);
    memory.free();
    pool.close();
    pool.close();
    expect(() => pool.openStore()).toThrow(PoolClosedError);
    expect(() => store.allocate({ module: zeroModule() })).toThrow(PoolClosedError);
    expect(() => pool.purgeModule(zeroModule())).toThrow(PoolClosedError);
    expect(store.liveMemories).toBe(0);
    store.dispose();
  });
});

describe('purgeModule', () => {
  it('takes the image off every free slot of the module and leaves the others warm', () => {
    const [a, b] = [imageModule(1), imageModule(2)];
    const kept = store.allocate({ module: b });
    const memories = [store.allocate({ module: a }), store.allocate({ module: a })];
    for (const memory of [...memories, kept]) memory.free();
    expect(pool.purgeModule(a)).toBe(2);
    expect(pool.purgeModule(a)).toBe(0);
    expect(store.allocate({ module: b }).slot).toBe(kept.slot);
    const zeros = store.allocate({ module: zeroModule() });
    expect(contents(zeros).equals(new Uint8Array(2 * PAGE))).toBe(true);
  });

  it('does not touch a live memory', () => {
    const a = imageModule(1);
    const memory = store.allocate({ module: a });
    scribble(memory, 0x42);
    expect(pool.purgeModule(a)).toBe(0);
    expect(contents(memory).every((byte) => byte === 0x42)).toBe(true);
  });
});
