import { SystemError } from '@guardstripe/mmap';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryPool, PoolCreationError, type PooledMemory, type Store } from '../src/index.js';
import { faultyMemory, type FaultyMemory, type Primitive } from './support/fault-injection.js';
import {
  contents,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  zeroModule,
} from './support/memories.js';

let faulty: FaultyMemory;
let pool: MemoryPool;
let store: Store;

beforeEach(() => {
  faulty = faultyMemory();
  pool = smallPool({ virtualMemory: faulty.virtualMemory });
  store = pool.openStore();
});
afterEach(() => {
  faulty.heal();
  pool.close({ force: true });
});

/** After whatever failed: three slots can be had, no two the same, and each shows exactly its own image. */
function expectWholePool(): void {
  store.dispose();
  store = pool.openStore();
  const tenants = [0x61, 0x62, 0x63].map((value) => ({
    value,
    memory: store.allocate({ module: imageModule(value) }),
  }));
  expect(new Set(tenants.map(({ memory }) => memory.slot)).size).toBe(3);
  for (const { value, memory } of tenants) expect(contents(memory).equals(imageBytes(value))).toBe(true);
  store.dispose();
  store = pool.openStore();
  for (let i = 0; i < 3; i++) {
    const zeros = store.allocate({ module: zeroModule(8) });
    expect(contents(zeros).equals(new Uint8Array(8 * PAGE))).toBe(true);
  }
  store.dispose();
  store = pool.openStore();
  expect(pool.metrics().liveMemories).toBe(0);
}

describe('creation', () => {
  it('that the system refuses is one error with the cause', () => {
    const broken = faultyMemory();
    broken.fail('reserve');
    expect(() => smallPool({ virtualMemory: broken.virtualMemory })).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CREATION', cause: expect.any(SystemError) }),
    );
  });

  it('of more address space than there is says how much was asked', () => {
    expect(() => MemoryPool.create({ totalMemories: 100_000 })).toThrow(PoolCreationError);
    expect(() => MemoryPool.create({ totalMemories: 100_000 })).toThrow(/TiB/);
  });
});

/** Leaves a slot such that the next allocation must do something. */
const priors: Record<string, () => void> = {
  'a slot nobody used': () => undefined,
  'a slot with another image': () => dirty(store.allocate({ module: imageModule(0xaa) })).free(),
  'a slot that was larger': () => dirty(store.allocate({ module: zeroModule(8) })).free(),
  'a slot that could not be reset': () => {
    const memory = dirty(store.allocate({ module: imageModule(0xaa) }));
    faulty.fail('decommit');
    memory.free();
    faulty.heal();
  },
};

function dirty(memory: PooledMemory): PooledMemory {
  scribble(memory);
  return memory;
}

describe('an allocation whose system call fails', () => {
  const steps: readonly Primitive[] = ['mapZeros', 'protect', 'mapFile'];
  const cases = Object.keys(priors).flatMap((prior) => steps.map((primitive) => ({ prior, primitive })));

  it.each(cases)('($primitive, on $prior) loses nothing and leaks nothing', ({ prior, primitive }) => {
    const single = smallPool({ totalMemories: 1, virtualMemory: faulty.virtualMemory });
    const outer = { pool, store };
    pool = single;
    store = single.openStore();
    try {
      priors[prior]!();
      faulty.clearCalls();
      faulty.fail(primitive);
      const module = imageModule(0x77);
      let failed = false;
      try {
        store.allocate({ module });
      } catch (error) {
        failed = true;
        expect(error).toBeInstanceOf(SystemError);
        expect(single.metrics().liveMemories).toBe(0);
      }
      // The call failed exactly where the path makes it.
      expect(failed).toBe(faulty.calls.includes(primitive));
      faulty.heal();
      store.dispose();
      store = single.openStore();
      const memory = store.allocate({ module });
      expect(contents(memory).equals(imageBytes(0x77))).toBe(true);
      memory.free();
    } finally {
      single.close({ force: true });
      ({ pool, store } = outer);
    }
  });

  it('the table above meets each step at least once', () => {
    const met = new Set<Primitive>();
    for (const prior of Object.values(priors)) {
      pool.close({ force: true });
      pool = smallPool({ totalMemories: 1, virtualMemory: faulty.virtualMemory });
      store = pool.openStore();
      prior();
      faulty.clearCalls();
      store.allocate({ module: imageModule(1) }).free();
      for (const call of faulty.calls) met.add(call);
    }
    expect(steps.filter((step) => !met.has(step))).toEqual([]);
  });
});

describe('a reset that fails', () => {
  it('still frees, is counted, and the next tenant gets fresh pages', () => {
    const a = imageModule(0xaa);
    const memory = dirty(store.allocate({ module: a }));
    const buffer = memory.unsafeBuffer;
    faulty.fail('decommit');
    memory.free();
    expect(buffer.detached).toBe(true);
    expect(pool.metrics()).toMatchObject({ liveMemories: 0, failedResets: 1 });
    faulty.clearCalls();
    const again = store.allocate({ module: a });
    expect(again.slot).toBe(memory.slot);
    expect(faulty.calls[0]).toBe('mapZeros');
    expect(contents(again).equals(imageBytes(0xaa))).toBe(true);
    expectWholePool();
  });

  it("in the middle of a store's dispose does not keep the others from being freed", () => {
    const module = imageModule(0xaa);
    for (let i = 0; i < 3; i++) dirty(store.allocate({ module }));
    faulty.fail('decommit', 1, 1);
    store.dispose();
    expect(pool.metrics()).toMatchObject({ liveMemories: 0, failedResets: 1 });
    expectWholePool();
  });
});

describe('a grow that fails', () => {
  it('leaves the memory as it was, and its slot is not trusted afterwards', () => {
    const memory = dirty(store.allocate({ module: imageModule(0xaa) }));
    const buffer = memory.unsafeBuffer;
    faulty.fail('protect');
    expect(() => memory.grow(1)).toThrow(SystemError);
    expect(buffer.detached).toBe(false);
    expect(memory.byteLength).toBe(2 * PAGE);
    expect(memory.grow(1)).toBe(2);
    scribble(memory);
    memory.free();
    expectWholePool();
  });
});

describe('a purge that fails', () => {
  it('leaves the slot unknown, not with the image', () => {
    const a = imageModule(0xaa);
    store.allocate({ module: a }).free();
    faulty.fail('mapZeros');
    expect(pool.purgeModule(a)).toBe(1);
    expect(pool.metrics().failedResets).toBe(1);
    expectWholePool();
  });
});
