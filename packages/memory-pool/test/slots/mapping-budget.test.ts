import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MappingBudget, mappingBudget } from '../../src/slots/mapping-budget.js';
import { PoolMappingsError } from '../../src/index.js';
import { imageModule, smallPool, zeroModule } from '../support/memories.js';

const HOST_PAGE = 4096;

describe('MappingBudget', () => {
  it('stops while the process has a margin, and changes nothing by refusing', () => {
    const budget = new MappingBudget(10_000);
    budget.check(7952);
    budget.add(7952);
    expect(() => budget.check(1)).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_MAPPINGS', heldMappings: 7952, maxMapCount: 10_000 }),
    );
    expect(held(budget)).toBe(7952);
    budget.add(-2);
    budget.check(2);
  });

  it('has no limit where the host has none', () => {
    expect(() => new MappingBudget(undefined).check(1e9)).not.toThrow();
  });
});

describe('a pool', () => {
  it('accounts for what the kernel counts, through every kind of change', () => {
    const before = { held: held(mappingBudget()), counted: mappingsOf(0, 0) };
    expect(before.counted).toBe(0);
    const pool = smallPool({ totalMemories: 5 });
    const slabEnd = pool.slabAddress + pool.layout.totalSlabBytes;
    const idle = mappingsOf(pool.slabAddress, slabEnd);
    const store = pool.openStore();
    const check = () => {
      const counted = mappingsOf(pool.slabAddress, slabEnd) - idle;
      expect(held(mappingBudget()) - before.held).toBe(counted);
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
    expect(held(mappingBudget())).toBe(before.held);
  });
});

/** What a budget says when it refuses. */
function held(budget: MappingBudget): number {
  try {
    budget.check(Infinity);
  } catch (error) {
    if (error instanceof PoolMappingsError) return error.heldMappings;
  }
  throw new Error('The budget has no limit here');
}

/** Mappings of this process inside a range of addresses, as the kernel tells them. */
function mappingsOf(start: number, end: number): number {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter((line) => {
      const [from, to] = (line.split(' ', 1)[0] ?? '').split('-').map((text) => Number.parseInt(text, 16));
      return from !== undefined && to !== undefined && from < end && to > start;
    }).length;
}
