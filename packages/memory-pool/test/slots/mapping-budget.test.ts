import { readFileSync } from 'node:fs';
import { processState } from '@guardstripe/mmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PoolMappingsError } from '../../src/index.js';
import {
  MappingBudget,
  MappingHolders,
  mappingBudget,
  sharedMappingBudget,
  type MappingHolder,
} from '../../src/slots/mapping-budget.js';
import { countMappings, type MappingCounts } from '../../src/slots/process-mappings.js';
import { mappingsOf } from '../support/mappings.js';
import { imageModule, smallPool, zeroModule } from '../support/memories.js';

const HOST_PAGE = 4096;

/** A process: what each of its threads' pools hold, and what others have. */
class Process {
  readonly words = new Int32Array(16);
  readonly held: number[] = [];
  others = 0;
  counts = 0;

  get mappings(): number {
    return this.others + this.held.reduce((sum, each) => sum + each, 0);
  }

  /** A thread's budget; `hidden` is a process without `/proc`. */
  budget(maxMapCount: number | undefined, hidden = false, holders = new MappingHolders()): MappingBudget {
    const thread = this.held.push(0) - 1;
    const { words } = this;
    const sum = () => this.held.reduce((total, each) => total + each, 0);
    const counts: MappingCounts = {
      words,
      get held() {
        return sum();
      },
      add: (mappings) => void (this.held[thread]! += mappings),
    };
    const count = () => {
      this.counts++;
      return hidden ? undefined : this.mappings;
    };
    return new MappingBudget(maxMapCount, counts, count, holders);
  }
}

describe('MappingBudget', () => {
  it.each([Number.NaN, 0.5, Infinity])(
    'counts no %d mappings, which no count of others outlives',
    (mappings) => {
      const process = new Process();
      const budget = process.budget(65_530);
      budget.take(7);
      const corrupted = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });
      expect(() => budget.take(mappings)).toThrow(corrupted);
      expect(() => budget.add(mappings)).toThrow(corrupted);
      expect(() => budget.add(-mappings)).toThrow(corrupted);
      expect(budget.held).toBe(7);
    },
  );

  it('stops while the process has a margin, and changes nothing by refusing', () => {
    const budget = new Process().budget(10_000);
    budget.take(7952);
    expect(() => budget.take(1)).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_MAPPINGS', heldMappings: 7952, maxMapCount: 10_000 }),
    );
    expect(budget.held).toBe(7952);
    budget.add(-2);
    budget.take(2);
    expect(() => budget.take(1)).toThrow(PoolMappingsError);
  });

  it('has no limit where the host has none', () => {
    const budget = new Process().budget(undefined);
    budget.take(1e9);
    expect(budget.held).toBe(1e9);
  });

  it('counts for all threads together', () => {
    const process = new Process();
    const [a, b, c] = [1, 2, 3].map(() => process.budget(10_000)) as [
      MappingBudget,
      MappingBudget,
      MappingBudget,
    ];
    a.take(4000);
    b.take(3900);
    expect(() => c.take(53)).toThrow(PoolMappingsError);
    c.take(52);
    expect(process.mappings).toBe(7952);
  });

  it('counts what is not the pools’, and again before it refuses', () => {
    const process = new Process();
    const budget = process.budget(10_000);
    process.others = 5000;
    budget.take(2900);
    expect(() => budget.take(53)).toThrow(PoolMappingsError);
    process.others = 4000;
    budget.take(1052);
    expect(process.mappings).toBe(7952);
  });

  it('does without the kernel’s count where that is hidden', () => {
    const process = new Process();
    const budget = process.budget(10_000, true);
    process.others = 9000;
    budget.take(7952);
    expect(() => budget.take(1)).toThrow(PoolMappingsError);
  });

  it('asks those who can do without, one after the other, and no more of them than it needs', () => {
    const budget = new Process().budget(10_000);
    const asked: string[] = [];
    const holder = (name: string, has: number): MappingHolder => ({
      relieve(mappings) {
        asked.push(name);
        const relieved = Math.min(mappings, has);
        budget.add(-relieved);
        return relieved;
      },
    });
    const [a, b, c] = [holder('a', 0), holder('b', 5000), holder('c', 2000)];
    for (const each of [a, b, c]) budget.register(each);
    budget.take(7952);
    budget.take(1);
    expect(asked).toEqual(['a', 'b']);
    budget.unregister(b);
    budget.take(2048);
    asked.length = 0;
    budget.take(100);
    expect(asked).toEqual(['a', 'c']);
  });

  it('holds the limit, whatever threads and others do, and counts seldom', () => {
    const step = fc.record({
      thread: fc.nat(2),
      mappings: fc.integer({ min: 1, max: 900 }),
      back: fc.boolean(),
      others: fc.integer({ min: -200, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const process = new Process();
        process.others = 500;
        const budgets = [1, 2, 3].map(() => process.budget(12_000));
        for (const { thread, mappings, back, others } of steps) {
          process.others = Math.min(Math.max(process.others + others, 0), 1500);
          const budget = budgets[thread]!;
          if (back) {
            budget.add(-Math.min(mappings, process.held[thread]!));
            continue;
          }
          const before = process.mappings;
          try {
            budget.take(mappings);
          } catch (error) {
            expect(error).toBeInstanceOf(PoolMappingsError);
            expect(process.mappings).toBe(before);
            expect(before + mappings).toBeGreaterThan(12_000 - 2048);
          }
          // What others made since the last count is what the margin is for.
          expect(process.mappings).toBeLessThan(12_000);
        }
      }),
    );
  });

  it('counts a process that fills up a handful of times, not at each mapping', () => {
    const process = new Process();
    process.others = 400;
    const budget = process.budget(65_530);
    for (let n = 0; n < 31_000; n++) budget.take(2);
    expect(process.counts).toBeLessThan(60);
  });
});

describe('countMappings', () => {
  it('counts what the kernel lists', () => {
    const listed = () => readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1;
    const agrees = () => listed() === countMappings();
    // V8 makes and gives up mappings at any time, on threads of its own: between two looks, but not between each two of so many.
    expect(Array.from({ length: 100 }, agrees)).toContain(true);
  });
});

describe('a pool', () => {
  it('accounts for what the kernel counts, through every kind of change', () => {
    const before = { held: mappingBudget().held, counted: mappingsOf(0, 0) };
    expect(before.counted).toBe(0);
    const pool = smallPool({ totalMemories: 5 });
    const slabEnd = pool.slabAddress + pool.layout.totalSlabBytes;
    const idle = mappingsOf(pool.slabAddress, slabEnd);
    const store = pool.openStore();
    const check = () => {
      const counted = mappingsOf(pool.slabAddress, slabEnd) - idle;
      expect(mappingBudget().held - before.held).toBe(counted);
    };
    const middle = imageModule(1, { offset: 3 * HOST_PAGE });
    const kinds = [
      zeroModule(0),
      zeroModule(),
      imageModule(1),
      middle,
      imageModule(1, { byteLength: 2 * 65_536 }),
    ];
    const memories = kinds.map((module) => {
      const memory = store.allocate({ module });
      check();
      return memory;
    });
    for (const memory of memories) {
      memory.grow(1);
      check();
    }
    for (const memory of memories) memory.free();
    check();
    pool.purgeModule(middle);
    check();
    for (const module of kinds.toReversed()) {
      store.allocate({ module });
      check();
    }
    pool.close({ force: true });
    expect(mappingBudget().held).toBe(before.held);
  });
});

describe('budgets of both kinds in one thread', () => {
  it('ask the same holders, whoever wants mappings', () => {
    const one = new Process();
    const holders = new MappingHolders();
    const [own, shared] = [one.budget(10_000, true, holders), one.budget(10_000, true, holders)];
    const asked: string[] = [];
    const holder = (name: string, budget: MappingBudget): MappingHolder => ({
      relieve() {
        asked.push(name);
        budget.add(-3000);
        return 3000;
      },
    });
    const [first, second] = [holder('own', own), holder('shared', shared)];
    own.register(first);
    shared.register(second);
    own.take(3000);
    shared.take(4952);
    own.take(4);
    expect(asked).toEqual(['own']);
    shared.take(6000);
    expect(asked).toEqual(['own', 'own', 'shared']);
    own.unregister(first);
    shared.unregister(second);
    expect(() => shared.take(10_000)).toThrow(PoolMappingsError);
    expect(asked).toHaveLength(3);
  });

  it('hold what real pools of both kinds have', () => {
    const before = mappingBudget().held;
    using privately = smallPool({});
    using together = smallPool({ shared: true });
    for (const pool of [privately, together]) pool.openStore().allocate({ module: imageModule(1) });
    const [own, shared] = [privately, together].map((pool) => pool.metrics().mappings);
    expect(Math.min(own!, shared!)).toBeGreaterThan(0);
    expect(mappingBudget().held - before).toBe(own! + shared!);
    const ofNone = { countMappings: () => undefined };
    expect(sharedMappingBudget(processState()!, ofNone).held).toBe(mappingBudget().held);
  });
});
