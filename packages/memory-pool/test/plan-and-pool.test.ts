/** What the planner promises, the pool keeps: as many memories as it says, not one more, and the advised limit is enough. */
import { MAPPINGS_LEFT_TO_NODE, mappingsForPools, plan, type PlanHost } from '@guardstripe/layout';
import { platform, SystemError } from '@guardstripe/mmap';
import fc from 'fast-check';
import { constants } from 'node:os';
import { expect, it, vi } from 'vitest';
import { MemoryPool, PoolCreationError, type MemoryPoolConfig } from '../src/index.js';
import type * as Budgets from '../src/slots/mapping-budget.js';
import { HOST_PAGE, imageModule, PAGE, zeroModule } from './support/memories.js';

const { budget } = vi.hoisted(() => ({
  budget: { current: undefined as Budgets.MappingBudget | undefined },
}));
vi.mock(import('../src/slots/mapping-budget.js'), async (original) => {
  const real = await original();
  return { ...real, mappingBudget: () => budget.current ?? real.mappingBudget() };
});
const { MappingBudget } = await import('../src/slots/mapping-budget.js');
const { OwnCounts } = await import('../src/slots/process-mappings.js');

/** A memory that takes as many mappings as a memory can: its image lies in its middle. */
const withImage = imageModule(1, { offset: 3 * HOST_PAGE });
const withoutImage = zeroModule();

const settings = fc.record({
  totalMemories: fc.integer({ min: 3, max: 24 }),
  maxMemorySize: fc.integer({ min: 2, max: 8 }).map((pages) => pages * PAGE),
  memoryReservation: fc.constantFrom<number | string>('512KiB', 2 ** 20, '0x300000'),
  memoryGuardSize: fc.constantFrom<number | string>(0, '64KiB', 3 * PAGE),
  guardBeforeLinearMemory: fc.boolean(),
  memoryProtectionKeys: fc.constant('disable' as const),
});
const hosts = fc.record({
  maxMapCount: fc.integer({ min: MAPPINGS_LEFT_TO_NODE - 2, max: MAPPINGS_LEFT_TO_NODE + 100 }),
  largestReservationBytes: fc.integer({ min: 2 ** 20, max: 2 ** 26 }),
});

/** A pool on a host with these bounds, whatever this one's are. */
function poolOn(host: PlanHost, config: MemoryPoolConfig): MemoryPool {
  const counts = new OwnCounts();
  // As many others as the planner takes there to be.
  budget.current = new MappingBudget(
    host.maxMapCount,
    counts,
    () => counts.held + mappingsForPools(1e6, 0) - mappingsForPools(1e6),
  );
  const real = platform();
  const virtualMemory = Object.assign(Object.create(real) as typeof real, {
    reserve: (byteLength: number) => {
      if (byteLength > (host.largestReservationBytes ?? Infinity))
        throw new SystemError(constants.errno.ENOMEM, { syscall: 'mmap' });
      return real.reserve(byteLength);
    },
  });
  return MemoryPool.create({ ...config, virtualMemory });
}

/** Allocates until the pool refuses; how many it held, and with what code it refused. */
function fill(pool: MemoryPool, hasImage: boolean): { held: number; code: unknown } {
  const store = pool.openStore();
  for (let held = 0; ; held++) {
    try {
      store.allocate({ module: hasImage ? withImage : withoutImage });
    } catch (error) {
      return { held, code: (error as { code?: unknown }).code };
    }
  }
}

const CODES: Readonly<Record<string, string>> = {
  totalMemories: 'ERR_POOL_CONCURRENCY_LIMIT',
  // The pool was made of as many slots as fit.
  'address space': 'ERR_POOL_CONCURRENCY_LIMIT',
  mappings: 'ERR_POOL_MAPPINGS',
};

it('what can be live by the plan is what the pool holds, and the limit that it advises is enough', () => {
  const bounds = new Set<string>();
  fc.assert(
    fc.property(settings, hosts, fc.boolean(), (config, host, hasImage) => {
      const planned = plan(config, host, { hasImage, residentBytesPerMemory: HOST_PAGE });
      bounds.add(planned.boundBy);
      if (planned.fits) poolOn(host, config).close();
      else expect(() => poolOn(host, config)).toThrow(PoolCreationError);

      const { numSlots } = planned.layout;
      const fitting = { ...config, totalMemories: numSlots };
      using pool = poolOn(host, fitting);
      expect(pool.layout.totalSlabBytes).toBe(planned.layout.totalSlabBytes);
      expect(fill(pool, hasImage)).toEqual({ held: planned.liveMemories, code: CODES[planned.boundBy] });

      using raised = poolOn({ ...host, maxMapCount: planned.mapCountForAll }, fitting);
      expect(fill(raised, hasImage)).toEqual({ held: numSlots, code: CODES['totalMemories'] });
      using short = poolOn({ ...host, maxMapCount: planned.mapCountForAll - 1 }, fitting);
      expect(fill(short, hasImage).held).toBe(Math.max(numSlots - 1, 0));
    }),
    { numRuns: 60 },
  );
  expect([...bounds].toSorted()).toEqual(Object.keys(CODES).toSorted());
});
