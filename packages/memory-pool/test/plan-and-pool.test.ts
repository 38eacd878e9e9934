/** What the planner promises, the pool keeps: as many memories as it says, not one more, and the advised limit is enough. */
import {
  DEFAULT_PLAN_SETTINGS,
  MAPPINGS_LEFT_TO_NODE,
  mappingsForPools,
  plan,
  readSettings,
  type PlanHost,
} from '@guardstripe/layout';
import { platform, SystemError, type ProcessState, type VirtualMemory } from '@guardstripe/mmap';
import type { KeyLease, ProtectionMask } from '@guardstripe/mpk';
import fc from 'fast-check';
import { constants } from 'node:os';
import { expect, it, vi } from 'vitest';
import { MemoryPool, PoolCreationError, type MemoryPoolConfig } from '../src/index.js';
import type { ResolvedConfig } from '../src/config.js';
import { planSlab } from '../src/slab/slab.js';
import type * as Budgets from '../src/slots/mapping-budget.js';
import type { MappedPages } from '../src/slots/process-mappings.js';
import { HOST_PAGE, imageModule, PAGE, zeroModule } from './support/memories.js';

const { budget, keysOfHost } = vi.hoisted(() => ({
  budget: { current: undefined as Budgets.MappingBudget | undefined },
  keysOfHost: { current: 0 },
}));
/** Keys of a host that has some, whatever this one's: they colour nothing, and mappings are counted as if they did. */
vi.mock(import('../src/slab/stripes.js'), async (original) => ({
  ...(await original()),
  takeKeys: (config: ResolvedConfig, system: VirtualMemory) => {
    const { memoryProtectionKeys, maxMemoryProtectionKeys } = config;
    const most =
      memoryProtectionKeys === 'disable' ? 0 : Math.min(keysOfHost.current, maxMemoryProtectionKeys);
    const { numStripes } = planSlab(config, system, most);
    const taken = Array.from({ length: numStripes === 1 ? 0 : numStripes }, (_, stripe) => ({
      id: stripe + 1,
      stripe,
      protect: () => undefined,
    }));
    return { keys: taken, dispose: () => undefined } as unknown as KeyLease;
  },
}));
vi.mock(import('@guardstripe/mpk'), async (original) => {
  const real = await original();
  const mask = { or: () => mask } as unknown as ProtectionMask;
  const ProtectionMask = Object.assign(Object.create(real.ProtectionMask) as object, { zero: mask });
  const leaveKeys = (_: KeyLease, leaveMap: () => void) => leaveMap();
  const shareKeys = ({ keys }: KeyLease) => keys.map(({ id }) => ({ id, generation: 1 }));
  return { ...real, leaveKeys, shareKeys, ProtectionMask: ProtectionMask as typeof real.ProtectionMask };
});
vi.mock(import('../src/slots/mapping-budget.js'), async (original) => {
  const real = await original();
  return {
    ...real,
    mappingBudget: () => budget.current ?? real.mappingBudget(),
    sharedMappingBudget: (state: ProcessState, slab: MappedPages) =>
      budget.current ?? real.sharedMappingBudget(state, slab),
  };
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
  memoryProtectionKeys: fc.constantFrom('auto' as const, 'disable' as const),
  maxMemoryProtectionKeys: fc.constantFrom(1, 3, 16),
});
/** Of pools of one thread, and of those that threads share, which the planner need not know of. */
const shared = fc.boolean();
const hosts = fc.record({
  maxMapCount: fc.integer({ min: MAPPINGS_LEFT_TO_NODE - 2, max: MAPPINGS_LEFT_TO_NODE + 100 }),
  largestReservationBytes: fc.integer({ min: 2 ** 20, max: 2 ** 26 }),
  protectionKeys: fc.constantFrom(0, 2, 15),
});

/** A pool on a host with these bounds, whatever this one's are. */
function poolOn(host: PlanHost, config: MemoryPoolConfig): MemoryPool {
  const counts = new OwnCounts();
  keysOfHost.current = host.protectionKeys ?? 0;
  // As many others as the planner takes there to be.
  budget.current = new MappingBudget(
    host.maxMapCount,
    counts,
    () => counts.held + mappingsForPools(1e6, 0) - mappingsForPools(1e6),
  );
  const real = platform();
  const virtualMemory = Object.assign(Object.create(real) as typeof real, {
    reserve: (byteLength: number) => {
      if (byteLength > Number(host.largestReservationBytes))
        throw new SystemError(constants.errno.ENOMEM, { syscall: 'mmap' });
      return real.reserve(byteLength);
    },
    protectWithKey: (...[address, byteLength, access]: Parameters<VirtualMemory['protectWithKey']>) =>
      real.protect(address, byteLength, access),
  });
  return MemoryPool.create({ ...config, virtualMemory });
}

/** Allocates until the pool refuses in each stripe; how many it held, and with what code it refused. */
function fill(pool: MemoryPool, hasImage: boolean): { held: number; code: unknown } {
  let held = 0;
  let code: unknown;
  for (let stripe = 0; stripe < pool.layout.numStripes; stripe++) {
    const store = pool.openStore();
    for (let refused = false; !refused;) {
      try {
        store.allocate({ module: hasImage ? withImage : withoutImage });
        held++;
      } catch (error) {
        refused = true;
        code = (error as { code?: unknown }).code;
      }
    }
  }
  return { held, code };
}

type Drawn<Lots> = Lots extends fc.Arbitrary<infer Value> ? Value : never;
type Case = [Drawn<typeof settings>, Drawn<typeof hosts>, hasImage: boolean, isShared: boolean];

/** More stripes than lots come to in one run of fifty. */
const MANY_STRIPES: Case = [
  {
    totalMemories: 24,
    maxMemorySize: 2 * PAGE,
    memoryReservation: 2 ** 20,
    memoryGuardSize: 3 * PAGE,
    guardBeforeLinearMemory: false,
    memoryProtectionKeys: 'auto',
    maxMemoryProtectionKeys: 16,
  },
  { maxMapCount: MAPPINGS_LEFT_TO_NODE + 100, largestReservationBytes: 2 ** 26, protectionKeys: 15 },
  true,
  false,
];

const CODES: Readonly<Record<string, string>> = {
  totalMemories: 'ERR_POOL_CONCURRENCY_LIMIT',
  // The pool was made of as many slots as fit.
  'address space': 'ERR_POOL_CONCURRENCY_LIMIT',
  mappings: 'ERR_POOL_MAPPINGS',
};

it('what can be live by the plan is what the pool holds, and the limit that it advises is enough', () => {
  const bounds = new Set<string>();
  const stripes = new Set<number>();
  const sharedStripes = new Set<number>();
  fc.assert(
    fc.property(settings, hosts, fc.boolean(), shared, (forAll, host, hasImage, isShared) => {
      const planned = plan(forAll, host, { hasImage, residentBytesPerMemory: HOST_PAGE });
      const config = { ...forAll, shared: isShared };
      bounds.add(planned.boundBy);
      stripes.add(planned.layout.numStripes);
      if (isShared) sharedStripes.add(planned.layout.numStripes);
      if (planned.slabFits) poolOn(host, config).close();
      else expect(() => poolOn(host, config)).toThrow(PoolCreationError);

      const { numSlots } = planned.layout;
      // Without slots there is nothing to share.
      const fitting = { ...config, totalMemories: numSlots, shared: isShared && numSlots > 0 };
      using pool = poolOn(host, fitting);
      expect(Object.entries(pool.layout)).toEqual(Object.entries(planned.layout));
      expect(planned.fits).toBe(planned.slabFits && planned.liveMemories === config.totalMemories);
      expect(fill(pool, hasImage)).toEqual({ held: planned.liveMemories, code: CODES[planned.boundBy] });

      using raised = poolOn({ ...host, maxMapCount: planned.mapCountForAll }, fitting);
      expect(fill(raised, hasImage)).toEqual({ held: numSlots, code: CODES['totalMemories'] });
      using short = poolOn({ ...host, maxMapCount: planned.mapCountForAll - 1 }, fitting);
      expect(fill(short, hasImage).held).toBe(Math.max(numSlots - 1, 0));
    }),
    { numRuns: 200, examples: [MANY_STRIPES] },
  );
  expect([...bounds].toSorted()).toEqual(Object.keys(CODES).toSorted());
  expect([...stripes].toSorted((a, b) => a - b)).toEqual(expect.arrayContaining([1, 2, 3]));
  expect(Math.max(...stripes)).toBeGreaterThan(3);
  expect(Math.max(...sharedStripes)).toBeGreaterThan(1);
});

it('the settings of one are the settings of the other, through JSON, and back', () => {
  fc.assert(
    fc.property(settings, (config) => {
      const planned = plan(config);
      const fromPlan = JSON.parse(JSON.stringify(planned.settings)) as MemoryPoolConfig;
      using pool = MemoryPool.create(fromPlan);
      const fromPool = JSON.parse(JSON.stringify(pool.config)) as MemoryPoolConfig;
      const { embedding: _, linearMemoryKeepResident: __, ...wanted } = readSettings(config);
      expect(pool.config).toMatchObject(wanted);
      expect(plan(fromPool).layout).toEqual(planned.layout);
    }),
    { numRuns: 20 },
  );
});

it('what is set nowhere is the same in both', () => {
  const { embedding, linearMemoryKeepResident, ...shared } = DEFAULT_PLAN_SETTINGS;
  using pool = MemoryPool.create({ pagemapScan: 'disable' });
  expect(embedding).toBe('node');
  expect(pool.config).toMatchObject(shared);
  using scanning = MemoryPool.create();
  const kept = platform().canScanDirtyPages ? linearMemoryKeepResident : 0;
  expect(scanning.config).toMatchObject({ ...shared, linearMemoryKeepResident: kept });
});
