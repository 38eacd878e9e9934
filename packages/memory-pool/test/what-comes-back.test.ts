/** What free slots and closed modules hold comes back when it is wanted; in this process, and in children that go to the limit. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { describeMemory, type PoolModule } from '../src/index.js';
import { poolCoreOf } from '../src/pool.js';
import { faultyMemory } from './support/fault-injection.js';
import { HOST_PAGE, imageModule, PAGE, smallPool, zeroModule } from './support/memories.js';

async function answerOf(...what: string[]): Promise<unknown> {
  const fixture = join(import.meta.dirname, 'fixtures', 'comes-back.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', fixture, ...what]);
  return JSON.parse(stdout);
}

describe('images of a closed module', () => {
  it('go with the last memory that has them mapped, and are counted until then', () => {
    using pool = smallPool({ totalMemories: 4 });
    using store = pool.openStore();
    const bytes = new Uint8Array(PAGE).fill(5);
    const modules: PoolModule[] = [1, 2, 3].map(() =>
      describeMemory({ initial: 2, maximum: 8, contents: bytes }),
    );
    const memories = modules.map((module) => store.allocate({ module }));
    expect(pool.metrics().imageBytes).toBe(3 * PAGE);
    for (const module of modules.slice(0, 2)) {
      pool.purgeModule(module);
      module.close();
    }
    expect(pool.metrics().imageBytes).toBe(3 * PAGE);
    memories[0]!.free();
    expect(pool.metrics().imageBytes).toBe(2 * PAGE);
    memories[2]!.free();
    expect(pool.metrics().imageBytes).toBe(2 * PAGE);
    memories[1]!.free();
    expect(pool.metrics().imageBytes).toBe(PAGE);
    // The slots they left are as good as new.
    for (let n = 0; n < 4; n++) {
      const memory = store.allocate({ module: zeroModule() });
      expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
    }
    poolCoreOf(pool).checkConsistency();
    modules[2]!.close();
  });

  it('leave free slots at once, at a call for each of those and for no other', () => {
    const faulty = faultyMemory();
    const { virtualMemory, calls } = faulty;
    using pool = smallPool({ totalMemories: 12, virtualMemory });
    using other = smallPool({ virtualMemory });
    using store = pool.openStore();
    const [going, staying] = [imageModule(5), imageModule(6)];
    const use = (module: PoolModule, times: number) => {
      const memories = Array.from({ length: times }, () => store.allocate({ module }));
      return { free: () => memories.forEach((memory) => memory.free()) };
    };
    const used = [use(going, 3), use(staying, 4)];
    const live = use(going, 1);
    for (const each of used) each.free();
    using elsewhere = other.openStore();
    elsewhere.allocate({ module: going }).free();
    expect(pool.metrics().imageBytes).toBe(2 * HOST_PAGE);
    faulty.clearCalls();
    going.close();
    expect(calls.filter((call) => call === 'mapZeros').length).toBe(3 + 1);
    expect(other.metrics().imageBytes).toBe(0);
    // A live one has it still.
    expect(pool.metrics()).toMatchObject({ imageBytes: 2 * HOST_PAGE, unusedWarmMemories: 7 });
    live.free();
    expect(pool.metrics()).toMatchObject({ imageBytes: HOST_PAGE, liveMemories: 0 });
    for (let n = 0; n < 12; n++) {
      const bytes = store.allocate({ module: n < 4 ? staying : zeroModule() }).read(0, 2 * PAGE);
      expect(bytes.every((byte, at) => byte === (n < 4 && at < HOST_PAGE ? 6 : 0))).toBe(true);
    }
    for (const each of [pool, other]) poolCoreOf(each).checkConsistency();
  });

  it('leave slots that wait to be dropped in a batch, and none behind if the system refuses', () => {
    const faulty = faultyMemory();
    const { virtualMemory } = faulty;
    using pool = smallPool({ totalMemories: 4, decommitBatchSize: 4, virtualMemory });
    using store = pool.openStore();
    const modules = [imageModule(5), imageModule(6)] as const;
    for (const module of modules) {
      const memories = [0, 1].map(() => store.allocate({ module }));
      for (const memory of memories) memory.free();
    }
    faulty.fail('mapZeros', 1);
    for (const module of modules) module.close();
    // The slot that refused has it mapped until it is laid over, before its next use.
    expect(pool.metrics()).toMatchObject({ queuedMemories: 0, imageBytes: HOST_PAGE, failedResets: 1 });
    poolCoreOf(pool).checkConsistency();
    for (let n = 0; n < 4; n++) {
      const bytes = store.allocate({ module: zeroModule() }).read(0, 2 * PAGE);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
    expect(pool.metrics().imageBytes).toBe(0);
  });

  it('are let go of by whoever hears of an end, in the middle of it', () => {
    using pool = smallPool({ totalMemories: 3 });
    const module = imageModule(5);
    const limiter = { memoryGrowing: () => true, memoryFreed: () => module.close() };
    using store = pool.openStore({ limiter });
    const memories = [0, 1, 2].map(() => store.allocate({ module }));
    for (const memory of memories) memory.free();
    expect(pool.metrics()).toMatchObject({ imageBytes: 0, liveMemories: 0 });
    poolCoreOf(pool).checkConsistency();
  });

  it('can go when the pool went before, closed or not', () => {
    const module = imageModule(5);
    const pool = smallPool();
    pool.openStore().allocate({ module }).free();
    pool.close();
    module.close();
    expect(pool.metrics().imageBytes).toBe(0);
  });

  it('are counted once, however many slots have them', () => {
    using pool = smallPool({ totalMemories: 4 });
    using store = pool.openStore();
    const module = imageModule(7);
    for (let n = 0; n < 4; n++) store.allocate({ module });
    expect(pool.metrics().imageBytes).toBe(HOST_PAGE);
    store.dispose();
    expect(pool.metrics().imageBytes).toBe(HOST_PAGE);
    pool.purgeModule(module);
    expect(pool.metrics().imageBytes).toBe(0);
  });
});

describe('free slots', () => {
  it('give up the mappings of those that were free longest, and are clean afterwards', () => {
    using pool = smallPool({ totalMemories: 5 });
    using store = pool.openStore();
    const modules = [1, 2, 3, 4].map((value) => imageModule(value));
    const memories = modules.map((module) => store.allocate({ module }));
    const slots = memories.map(({ slot }) => slot);
    for (const memory of memories) memory.free();
    const core = poolCoreOf(pool);
    const { records } = core;
    expect(core.relieve(4)).toBeGreaterThanOrEqual(4);
    expect(slots.map((slot) => records.mappings(slot) > 0)).toEqual([false, false, true, true]);
    core.checkConsistency();
    expect(core.relieve(1000)).toBeGreaterThan(0);
    expect(slots.map((slot) => records.mappings(slot))).toEqual([0, 0, 0, 0]);
    expect(core.relieve(1000)).toBe(0);
    expect(pool.metrics()).toMatchObject({ imageBytes: 0, unusedBytesResident: 0 });
    core.checkConsistency();
    for (const [i, module] of modules.entries()) {
      const bytes = new Uint8Array(store.allocate({ module }).buffer);
      expect(bytes[0]).toBe(i + 1);
      expect(bytes.subarray(HOST_PAGE).every((byte) => byte === 0)).toBe(true);
    }
  });
});

const AT_THE_LIMIT: Readonly<Record<string, () => Promise<void>>> = {
  'free slots of one pool make room for another': async () => {
    expect(await answerOf('burst')).toEqual({ first: true, second: 20_000, refused: 'ERR_POOL_MAPPINGS' });
  },
  'threads that fill the process up at once leave it its margin': async () => {
    const { refusals, atTheEnd, limit } = (await answerOf('two-threads')) as {
      refusals: string[];
      atTheEnd: number;
      limit: number;
    };
    expect(refusals).toEqual(['ERR_POOL_MAPPINGS', 'ERR_POOL_MAPPINGS', 'ERR_POOL_MAPPINGS']);
    expect(atTheEnd).toBeLessThan(limit - 1500);
    expect(atTheEnd).toBeGreaterThan(limit - 5000);
  },
};

describe('at the limit of the process on mappings', () => {
  it.each(sampled(Object.entries(AT_THE_LIMIT)))('%s', async (_, test) => {
    expect.hasAssertions();
    await test();
  });
});

describe('workers with pools', () => {
  it('leave what a stolen view still reaches, for the view may be in another thread', async () => {
    expect(await answerOf('stolen')).toEqual({ zeros: true, clean: true, isMapped: true });
  });

  it('leave nothing, in whichever way they end', async () => {
    expect(await answerOf('workers', String(laps(12, 1)))).toEqual({
      slabs: 0,
      images: 0,
      descriptors: 0,
      held: 0,
    });
  });
});
