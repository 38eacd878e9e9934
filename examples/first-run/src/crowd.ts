/** Thousands of memories live at once: each gets a pattern of its own, and all are verified when all are written. */
import type { MemoryPool, PooledMemory, Store } from '@guardstripe/memory-pool';
import { SystemError, type HostInfo } from '@guardstripe/mmap';
import { firstDifference, type Candidate } from './candidate.ts';
import type { Checks } from './checks.ts';
import { hasPattern, patternOffsets, withBytes, writePattern } from './pattern.ts';
import { mappingBudget, type Bound, type Plan } from './plan.ts';
import {
  hugePagesAlways,
  mappingCount,
  residentBetween,
  residentMemory,
  type ResidentMemory,
} from './process-memory.ts';
import type { Step } from './progress.ts';
import { atPlace, imageBytes, mappingsOf } from './rota.ts';

/** A memory that is live, and what is known of it. */
export interface Tenant {
  readonly candidate: Candidate;
  readonly memory: PooledMemory;
  /** What its pattern is made from. */
  readonly id: number;
}

export interface CrowdResult {
  readonly live: number;
  /** Why not more. */
  readonly bound: Bound;
  readonly sumOfSizesBytes: number;
  /** Of that, what the memories' images make up if each had its own. */
  readonly sumOfImagesBytes: number;
  /** The images as they are: one sealed file each. */
  readonly distinctImageBytes: number;
  /** Pages that the patterns went to: no two memories can share those. */
  readonly writtenBytes: number;
  /** Of the slab, with all patterns written and verified; page tables are what the process has more of. */
  readonly resident: ResidentMemory;
  /** Mappings of the process at that moment. */
  readonly mappings: number;
  readonly maxMapCount: number | undefined;
  readonly allocateMs: number;
  readonly verifyMs: number;
  /** Memories that had the wrong bytes; 0 is what must be. */
  readonly wrong: number;
}

export interface Crowd {
  readonly store: Store;
  readonly tenants: readonly Tenant[];
  readonly result: CrowdResult;
}

/** Of the memory that the system can give without swapping. */
const RAM_SHARE = 0.5;
const HUGE_PAGE_BYTES = 2 ** 21;
/** Slots lie gigabytes apart, so none shares its last two levels of page tables with another. */
const PAGE_TABLE_LEVELS = 2;

export async function holdCrowd(
  pool: MemoryPool,
  plan: Plan,
  host: HostInfo,
  candidates: readonly Candidate[],
  checks: Checks,
  step: Step,
): Promise<Crowd> {
  const { pageTableBytes } = residentMemory();
  const store = pool.openStore();
  const startAllocate = performance.now();
  const { tenants, bound } = await fill(store, plan, host, candidates, step);
  const startVerify = performance.now();
  const wrong = await verify(tenants, host.pageSize, checks, step);
  const end = performance.now();
  const images = new Set(tenants.map(({ candidate }) => candidate));
  const result: CrowdResult = {
    live: tenants.length,
    bound,
    sumOfSizesBytes: sum(tenants, ({ candidate }) => candidate.initialBytes),
    sumOfImagesBytes: sum(tenants, ({ candidate }) => imageBytes(candidate)),
    distinctImageBytes: sum([...images], imageBytes),
    writtenBytes: sum(tenants, ({ candidate }) => patternOffsets(candidate).length * host.pageSize),
    resident: {
      ...residentBetween(pool.slabAddress, pool.slabAddress + pool.layout.totalSlabBytes),
      pageTableBytes: residentMemory().pageTableBytes - pageTableBytes,
    },
    mappings: mappingCount(),
    maxMapCount: host.maxMapCount,
    allocateMs: startVerify - startAllocate,
    verifyMs: end - startVerify,
    wrong,
  };
  checks.expect(pool.metrics().liveMemories === tenants.length, () => {
    return `the pool counts ${pool.metrics().liveMemories} live memories, the demo holds ${tenants.length}`;
  });
  checks.expect(new Set(tenants.map(({ memory }) => memory.slot)).size === tenants.length, () => {
    return 'two live memories were given the same slot';
  });
  return { store, tenants, result };
}

/** Allocates until something is used up, and says what. */
async function fill(
  store: Store,
  plan: Plan,
  host: HostInfo,
  candidates: readonly Candidate[],
  step: Step,
): Promise<{ tenants: Tenant[]; bound: Bound }> {
  let mappingsLeft = mappingBudget(host, mappingCount());
  let ramLeft = process.availableMemory() * RAM_SHARE;
  const touchedPageBytes = hugePagesAlways() ? HUGE_PAGE_BYTES : host.pageSize;
  const tenants: Tenant[] = [];
  for (let id = 0; id < plan.slots; id++) {
    const candidate = atPlace(candidates, id);
    mappingsLeft -= mappingsOf(candidate);
    if (mappingsLeft < 0) return { tenants, bound: 'vm.max_map_count' };
    ramLeft -= patternOffsets(candidate).length * touchedPageBytes + PAGE_TABLE_LEVELS * host.pageSize;
    if (ramLeft < 0) return { tenants, bound: 'RAM' };
    let memory: PooledMemory;
    try {
      memory = store.allocate({ module: candidate.module, memoryIndex: candidate.memory.index });
    } catch (error) {
      // Only this mode counts memory that nobody has touched yet, so that its end cannot be foreseen here.
      const refused = error instanceof SystemError && error.code === 'ENOMEM' && host.overcommit === 'never';
      if (refused) return { tenants, bound: 'commit limit' };
      throw error;
    }
    withBytes(memory, (bytes) => writePattern(bytes, candidate, id));
    tenants.push({ candidate, memory, id });
    if (id % 250 === 0) await step.update(`${id} memories live`);
  }
  return { tenants, bound: plan.bound };
}

/** Each memory must have its own pattern and nobody else's, and around it the image it started with. */
async function verify(
  tenants: readonly Tenant[],
  pageSize: number,
  checks: Checks,
  step: Step,
): Promise<number> {
  let wrong = 0;
  for (const { candidate, memory, id } of tenants) {
    const right = withBytes(memory, (bytes) => {
      const { length } = bytes;
      const own = checks.expect(length === candidate.initialBytes && hasPattern(bytes, candidate, id), () => {
        return `${candidate.name} in slot ${memory.slot}: its pattern is not what was written`;
      });
      return verifyOnePage(bytes, candidate, id, pageSize, checks, memory.slot) && own;
    });
    if (!right) wrong++;
    if (id % 500 === 0) await step.update(`${id} memories verified`);
  }
  return wrong;
}

/** One page of the image, another one for each memory: shared with all others, so it must not show their patterns. */
function verifyOnePage(
  bytes: Buffer,
  candidate: Candidate,
  id: number,
  pageSize: number,
  checks: Checks,
  slot: number,
): boolean {
  const { image } = candidate.memory;
  if (image === undefined) return true;
  // The first page has the pattern, and the last one may.
  const inner = image.byteLength / pageSize - 2;
  if (inner < 1) return true;
  const start = image.offsetBytes + (1 + (id % inner)) * pageSize;
  const what = firstDifference(
    bytes.subarray(start, start + pageSize),
    candidate.reference.subarray(start, start + pageSize),
    'the image',
  );
  return checks.expect(
    what === undefined,
    () => `${candidate.name} in slot ${slot}: in page ${start / pageSize}, ${what}`,
  );
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
