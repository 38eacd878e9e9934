/** Pools in stripes: who gets which, what is open to whom, and what becomes of the keys. */
import { readFileSync } from 'node:fs';
import { calculate, slabConstraints } from '@guardstripe/layout';
import { platform, SystemError } from '@guardstripe/mmap';
import { allow, currentMask, isSupported, keys, ProtectionMask } from '@guardstripe/mpk';
import { afterEach, describe, expect, it } from 'vitest';
import {
  MemoryPool,
  PoolConcurrencyLimitError,
  type MemoryPoolConfig,
  type PooledMemory,
  type Store,
} from '../src/index.js';
import { faultyMemory } from './support/fault-injection.js';
import {
  checkBooks,
  contents,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  zeroModule,
} from './support/memories.js';
import { describeClosings, describeWithKeys } from './support/striped.js';

const pools: MemoryPool[] = [];

/** Three stripes of three slots. */
function stripedPool(config: MemoryPoolConfig = {}): MemoryPool {
  const pool = MemoryPool.create({
    totalMemories: 9,
    maxMemorySize: 8 * PAGE,
    memoryReservation: 16 * PAGE,
    memoryGuardSize: PAGE,
    memoryProtectionKeys: 'enable',
    ...config,
  });
  pools.push(pool);
  return pool;
}

/** {@link stripedPool} with some settings always. */
function poolsWith(settings: MemoryPoolConfig): typeof stripedPool {
  return (config) => stripedPool({ ...settings, ...config });
}

/** How many keys of the process are free. */
function numFreeKeys(): number {
  try {
    using lease = keys();
    return lease.keys.length;
  } catch {
    return 0;
  }
}

/** Lines of `/proc/self/smaps` that name a key other than the default. */
function colouredMappings(): string[] {
  return readFileSync('/proc/self/smaps', 'latin1').match(/^ProtectionKey: +[1-9]\d*$/gm) ?? [];
}

afterEach(() => {
  allow(ProtectionMask.all);
  for (const pool of pools.splice(0)) pool.close({ force: true });
});

describe('a machine', () => {
  it.skipIf(isSupported())('without keys makes one stripe, and says why if keys were wanted', () => {
    expect(stripedPool({ memoryProtectionKeys: 'auto' }).layout.numStripes).toBe(1);
    expect(() => stripedPool({ memoryProtectionKeys: 'enable' })).toThrow(
      expect.objectContaining({
        code: 'ERR_POOL_CREATION',
        message: expect.stringMatching(/'enable'.*protection key/) as string,
      }) as Error,
    );
  });
});

describe('entering a store of one stripe', () => {
  it('runs the function, and passes on what it returns or throws', () => {
    const store = stripedPool({ memoryProtectionKeys: 'disable' }).openStore();
    expect(store.enter(() => 42)).toBe(42);
    expect(() =>
      store.enter(() => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    store.dispose();
    expect(() => store.enter(() => 42)).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_DISPOSED' }) as Error,
    );
  });
});

describeWithKeys('the number of stripes', () => {
  const sizes: Record<string, MemoryPoolConfig> = {
    'wants three': {},
    'wants fifteen and more': { maxMemorySize: PAGE, memoryReservation: 64 * PAGE, totalMemories: 40 },
    'has two slots only': { totalMemories: 2 },
    'has one slot': { totalMemories: 1 },
    'has no slot': { totalMemories: 0 },
    'has no guard': { memoryGuardSize: 0 },
    'has memories as large as their reservation': { maxMemorySize: 16 * PAGE },
  };
  const limits = [0, 1, 2, 3, 15, 16];
  const cases = Object.keys(sizes).flatMap((name) => limits.map((limit) => ({ name, limit })));

  it.each(cases)(
    'is the layout’s, and so many keys are taken: a pool that $name, at most $limit keys',
    (each) => {
      const pool = stripedPool({ ...sizes[each.name], maxMemoryProtectionKeys: each.limit });
      const { numStripes } = calculate(
        slabConstraints(pool.config, pool.config, Math.min(each.limit, 15), platform().pageSize),
      );
      expect(pool.layout.numStripes).toBe(numStripes);
      expect(numFreeKeys()).toBe(numStripes === 1 ? 15 : 15 - numStripes);
    },
  );

  it('is what keys are free', () => {
    using lease = keys(11);
    const pool = stripedPool({ maxMemorySize: PAGE, memoryReservation: 64 * PAGE, totalMemories: 40 });
    expect(lease.keys).toHaveLength(11);
    expect(pool.layout.numStripes).toBe(4);
    expect(numFreeKeys()).toBe(0);
  });

  it.each([14, 15])(
    "is one where 'auto' finds less than two free (%d taken), and 'enable' fails",
    (taken) => {
      using lease = keys(taken);
      expect(lease.keys).toHaveLength(taken);
      expect(stripedPool({ memoryProtectionKeys: 'auto' }).layout.numStripes).toBe(1);
      expect(() => stripedPool()).toThrow(
        expect.objectContaining({
          code: 'ERR_POOL_CREATION',
          message: expect.stringContaining('protection keys') as string,
        }) as Error,
      );
      expect(numFreeKeys()).toBe(15 - taken);
    },
  );

  it('is one, and no key is taken, where they are disabled', () => {
    expect(stripedPool({ memoryProtectionKeys: 'disable' }).layout.numStripes).toBe(1);
    expect(numFreeKeys()).toBe(15);
  });
});

describeClosings('stores', (guardPages) => {
  const stripedPool = poolsWith({ guardPages });

  it('take the stripes in turn, and their memories lie there', () => {
    const pool = stripedPool();
    const stores = Array.from({ length: 7 }, () => pool.openStore());
    expect(stores.map(({ stripe }) => stripe)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    for (const store of stores) {
      const memory = store.allocate({ module: imageModule(0x61) });
      expect(memory.stripe).toBe(store.stripe);
      expect(pool.layout.stripeOf(memory.slot)).toBe(store.stripe);
    }
    checkBooks(pool);
  });

  it('fill their stripe only, and the error names it', () => {
    const pool = stripedPool();
    const [, middle, last] = [pool.openStore(), pool.openStore(), pool.openStore()] as [Store, Store, Store];
    const module = zeroModule(1);
    const slots = [1, 2, 3].map(() => middle.allocate({ module }).slot);
    expect(slots.map((slot) => pool.layout.stripeOf(slot))).toEqual([1, 1, 1]);
    const full = () => middle.allocate({ module });
    expect(full).toThrow(PoolConcurrencyLimitError);
    expect(full).toThrow(expect.objectContaining({ stripe: 1, capacity: 3 }) as Error);
    expect(full).toThrow('all 3 slots of stripe 1');
    expect(pool.layout.stripeOf(last.allocate({ module }).slot)).toBe(2);
    checkBooks(pool);
  });

  it('keep to their stripe through free, reuse, purge and waiting', async () => {
    const pool = stripedPool();
    const stores = [0, 1, 2].map(() => pool.openStore());
    const modules = [imageModule(0x61), imageModule(0x62), zeroModule(3)];
    for (let round = 0; round < 12; round++) {
      const store = stores[round % 3]!;
      const module = modules[(round * 2) % 3]!;
      const memories = [1, 2, 3].map(() => store.allocate({ module }));
      const waiting = store.allocateAsync({ module });
      for (const memory of memories) {
        expect(pool.layout.stripeOf(memory.slot)).toBe(store.stripe);
        scribble(memory);
      }
      memories[round % 3]?.free();
      const late = await waiting;
      expect(pool.layout.stripeOf(late.slot)).toBe(store.stripe);
      late.free();
      for (const memory of memories) memory.free();
      if (round % 4 === 3) pool.purgeModule(module);
      checkBooks(pool);
    }
  });
});

describeClosings('entering a store', (guardPages) => {
  const stripedPool = poolsWith({ guardPages });

  /** Stripes of the pool that are open now, by their first memory. */
  function setUp() {
    const pool = stripedPool();
    const stores = [0, 1, 2].map(() => pool.openStore());
    return { pool, stores: stores as [Store, Store, Store], before: bits() };
  }

  /** Keys that are open: the package's own view of the register. */
  function bits(): number {
    return currentMask().openBits;
  }

  it('opens its stripe only, and then what was open before', () => {
    const { stores, before } = setUp();
    const seen = stores.map((store) => store.enter(bits));
    expect(new Set(seen).size).toBe(3);
    expect(seen.reduce((sum, each) => sum | each, 0) >>> 0).toBe(before);
    for (const [i, each] of seen.entries()) {
      for (const other of seen.slice(i + 1)) expect(each & other).toBe(0);
    }
    expect(bits()).toBe(before);
  });

  it('puts back what was open when the function throws', () => {
    const { stores, before } = setUp();
    for (const store of stores) {
      expect(() =>
        store.enter(() => {
          throw new Error('trapped');
        }),
      ).toThrow('trapped');
      expect(bits()).toBe(before);
    }
  });

  it('puts back what was open when everything was closed in between, as a jump out of a fault does', () => {
    const { stores, before } = setUp();
    const memory = stores[0].allocate({ module: imageModule(0x61) });
    stores[1].enter(() => allow(ProtectionMask.zero));
    expect(bits()).toBe(before);
    expect(contents(memory).equals(imageBytes(0x61))).toBe(true);
  });

  it('can be nested', () => {
    const { stores, before } = setUp();
    const alone = stores.map((store) => store.enter(bits));
    const seen: number[] = [];
    stores[0].enter(() => {
      seen.push(bits());
      stores[1].enter(() => {
        seen.push(bits());
        expect(() =>
          stores[2].enter(() => {
            seen.push(bits());
            throw new Error('out');
          }),
        ).toThrow('out');
        seen.push(bits());
      });
      seen.push(bits());
    });
    expect(seen).toEqual([0, 1, 2, 1, 0].map((i) => alone[i]));
    expect(bits()).toBe(before);
  });

  it('closes other pools’ stripes, too', () => {
    const { stores } = setUp();
    const other = stripedPool().openStore();
    expect(stores[0].enter(bits) & other.enter(bits)).toBe(0);
  });

  it('refuses a function that returns a promise', () => {
    const { stores, before } = setUp();
    expect(() => stores[0].enter(() => Promise.resolve())).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }) as Error,
    );
    expect(bits()).toBe(before);
  });

  it('refuses once the store is disposed or the pool closed', () => {
    const { pool, stores } = setUp();
    stores[0].dispose();
    expect(() => stores[0].enter(bits)).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_DISPOSED' }) as Error,
    );
    pool.close();
    expect(() => stores[1].enter(bits)).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CLOSED' }) as Error,
    );
  });

  it('does not keep the pool from its own work on other stripes', () => {
    const pool = stripedPool({ linearMemoryKeepResident: 8 * PAGE });
    const [a, b] = [pool.openStore(), pool.openStore()];
    const module = imageModule(0x61);
    const memory = b.allocate({ module });
    scribble(memory);
    a.enter(() => memory.free());
    expect(contents(b.allocate({ module })).equals(imageBytes(0x61))).toBe(true);
    checkBooks(pool);
  });
});

describeClosings('host code', (guardPages) => {
  const stripedPool = poolsWith({ guardPages });

  it('sees every stripe', () => {
    const pool = stripedPool();
    const stores = Array.from({ length: 9 }, () => pool.openStore());
    const memories = stores.map((store, i) => store.allocate({ module: imageModule(0x61 + i) }));
    for (const [i, memory] of memories.entries()) {
      expect(contents(memory).equals(imageBytes(0x61 + i))).toBe(true);
      scribble(memory, i);
    }
    for (const [i, memory] of memories.entries()) {
      expect(contents(memory).every((byte) => byte === i)).toBe(true);
      memory.grow(1);
      memory.free();
    }
  });
});

describeWithKeys('creating a striped pool', () => {
  it.each([9, 3000, 100_000])('of %d slots is one system call', (totalMemories) => {
    const faulty = faultyMemory();
    const pool = stripedPool({ totalMemories, virtualMemory: faulty.virtualMemory });
    expect(pool.layout.numStripes).toBe(3);
    expect(faulty.calls).toEqual(['reserve']);
    pool.close();
    expect(faulty.calls).toEqual(['reserve', 'unmap']);
  });

  it('that the system refuses gives the keys back', () => {
    const faulty = faultyMemory();
    faulty.fail('reserve', 100);
    const free = numFreeKeys();
    expect(() => stripedPool({ virtualMemory: faulty.virtualMemory })).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CREATION', cause: expect.any(SystemError) }) as Error,
    );
    expect(numFreeKeys()).toBe(free);
  });
});

describeClosings('closing a striped pool', (guardPages) => {
  const stripedPool = poolsWith({ guardPages });

  it('gives the keys back, and others can have them', () => {
    for (let round = 0; round < 20; round++) {
      const pool = stripedPool({ maxMemorySize: PAGE, memoryReservation: 64 * PAGE, totalMemories: 40 });
      expect(pool.layout.numStripes).toBe(15);
      const memories: PooledMemory[] = [];
      for (let i = 0; i < 15; i++) {
        memories.push(pool.openStore().allocate({ module: imageModule(i, { initial: 1, maximum: 1 }) }));
      }
      if (round % 2 === 0) for (const memory of memories) memory.free();
      pool.close({ force: true });
      expect(numFreeKeys()).toBe(15);
    }
  });

  it('leaves no page that carries one of its keys', () => {
    const pool = stripedPool();
    for (let i = 0; i < 9; i++) pool.openStore().allocate({ module: imageModule(i) });
    pool.close({ force: true });
    // Refused if a page did.
    using lease = keys();
    expect(lease.keys).toHaveLength(15);
    expect(colouredMappings()).toEqual([]);
  });

  it('leaves the keys of another pool alone', () => {
    const [first, second] = [stripedPool(), stripedPool()];
    const store = second.openStore();
    const memory = store.allocate({ module: imageModule(0x61) });
    first.close();
    expect(contents(memory).equals(imageBytes(0x61))).toBe(true);
    expect(numFreeKeys()).toBe(12);
    second.close({ force: true });
    expect(numFreeKeys()).toBe(15);
  });
});
