/** Frees the crowd, allocates it again, and shows that each module gets its slots and its image back, as new. */
import type { MemoryPool, PooledMemory } from '@guardstripe/memory-pool';
import { firstDifference, type Candidate } from './candidate.ts';
import type { Checks } from './checks.ts';
import type { Crowd, Tenant } from './crowd.ts';
import { hasStartBytes, withBytes } from './pattern.ts';
import { mappedAddresses } from './process-memory.ts';
import type { Step } from './progress.ts';

export interface AffinityResult {
  readonly freed: number;
  /** Free slots that a module's image stayed mapped in, of those that had one. */
  readonly imagesKept: number;
  readonly imagesExpected: number;
  /** Memories whose slot had been their module's before. */
  readonly sameSlots: number;
  readonly allocatedAgain: number;
  /** Memories of which every byte was compared with their first bytes; the others, where the patterns were. */
  readonly comparedWhole: number;
  readonly comparedBytes: number;
  readonly freeMs: number;
  readonly allocateMs: number;
}

/** Memories of each module that are filled before they are freed, and compared byte by byte afterwards. */
const SAMPLES_PER_MEMORY = 3;
/** A file from the command line may be large, and each filled page is one of RAM. */
const MAX_FILLED_BYTES = 64 * 2 ** 20;
const FILLING = 0xa5;

/** As the pool names the files of its images in `/proc/self/maps`. */
const IMAGE_NAME = '/memfd:guardstripe-image';

export async function recycle(
  pool: MemoryPool,
  crowd: Crowd,
  checks: Checks,
  step: Step,
): Promise<AffinityResult> {
  const samples = fillSamples(crowd.tenants);
  const slotsBefore = slotsByCandidate(crowd.tenants);
  await step.update('freeing');
  const startFree = performance.now();
  crowd.store.dispose();
  const freeMs = performance.now() - startFree;
  checks.expect(pool.isEmpty && pool.metrics().failedResets === 0, () => {
    const { liveMemories, failedResets } = pool.metrics();
    return `after all were freed the pool counts ${liveMemories} live memories and ${failedResets} failed resets`;
  });
  checks.expect(
    crowd.tenants.every(({ memory }) => memory.freed && memory.byteLength === 0),
    () => 'a memory is still live after its store was disposed',
  );
  const images = countImages(crowd.tenants);
  checks.expect(images.kept === images.expected, () => {
    return `${images.kept} of ${images.expected} free slots have their module's image`;
  });

  using store = pool.openStore();
  const startAllocate = performance.now();
  // The other way round than before: who comes first must not matter.
  const tenants: Tenant[] = crowd.tenants.toReversed().map(({ candidate, id }) => {
    return {
      candidate,
      id,
      memory: store.allocate({ module: candidate.module, memoryIndex: candidate.memory.index }),
    };
  });
  const allocateMs = performance.now() - startAllocate;
  const sameSlots = tenants.filter(({ candidate, memory }) =>
    slotsBefore.get(candidate)?.has(memory.slot),
  ).length;
  checks.expect(sameSlots === tenants.length, () => {
    return `${tenants.length - sameSlots} of ${tenants.length} memories came to a slot that was not their module's`;
  });
  const compared = await compareAll(tenants, samples, checks, step);
  return {
    freed: crowd.tenants.length,
    imagesKept: images.kept,
    imagesExpected: images.expected,
    sameSlots,
    allocatedAgain: tenants.length,
    ...compared,
    freeMs,
    allocateMs,
  };
}

function slotsByCandidate(tenants: readonly Tenant[]): Map<Candidate, Set<number>> {
  const slots = new Map<Candidate, Set<number>>();
  for (const { candidate, memory } of tenants) {
    const known = slots.get(candidate) ?? new Set();
    slots.set(candidate, known.add(memory.slot));
  }
  return slots;
}

/** Writes over every byte of a few memories of each module, and over a page that they grow by; returns their slots. */
function fillSamples(tenants: readonly Tenant[]): Set<number> {
  const samples = new Set<number>();
  const filled = new Map<Candidate, number>();
  for (const { candidate, memory } of tenants) {
    const already = filled.get(candidate) ?? 0;
    if (already >= SAMPLES_PER_MEMORY || candidate.initialBytes > MAX_FILLED_BYTES) continue;
    filled.set(candidate, already + 1);
    samples.add(memory.slot);
    if (canGrow(candidate)) memory.grow(1);
    withBytes(memory, (bytes) => bytes.fill(FILLING));
  }
  return samples;
}

function canGrow({ memory }: Candidate): boolean {
  return memory.maximumPages === undefined || memory.maximumPages > memory.initialPages;
}

function countImages(tenants: readonly Tenant[]): { kept: number; expected: number } {
  const mapped = mappedAddresses(IMAGE_NAME);
  const withImage = tenants.filter(({ candidate }) => candidate.memory.image !== undefined);
  const kept = withImage.filter(({ candidate, memory }) =>
    mapped.has(memory.address + (candidate.memory.image?.offsetBytes ?? 0)),
  );
  return { kept: kept.length, expected: withImage.length };
}

async function compareAll(
  tenants: readonly Tenant[],
  samples: ReadonlySet<number>,
  checks: Checks,
  step: Step,
): Promise<{ comparedWhole: number; comparedBytes: number }> {
  let comparedWhole = 0;
  let comparedBytes = 0;
  for (const [index, { candidate, memory }] of tenants.entries()) {
    const where = `${candidate.name} in slot ${memory.slot}, allocated again`;
    withBytes(memory, (bytes) => {
      if (!samples.has(memory.slot)) {
        checks.expect(bytes.length === candidate.initialBytes && hasStartBytes(bytes, candidate), () => {
          return `${where}: it still has its last tenant's pattern`;
        });
        return;
      }
      const what = firstDifference(bytes, candidate.reference, 'its start');
      checks.expect(what === undefined, () => `${where}: ${what}`);
      comparedWhole++;
      comparedBytes += bytes.length;
    });
    if (samples.has(memory.slot) && canGrow(candidate)) checkGrownPage(memory, candidate, where, checks);
    if (index % 500 === 0) await step.update(`${index} memories compared`);
  }
  return { comparedWhole, comparedBytes };
}

/** The last tenant grew by a page and wrote to it; whoever grows into it next must read zeros. */
function checkGrownPage(memory: PooledMemory, candidate: Candidate, where: string, checks: Checks): void {
  memory.grow(1);
  withBytes(memory, (bytes) => {
    const grown = bytes.subarray(candidate.initialBytes);
    checks.expect(grown.length === candidate.memory.pageBytes && grown.every((byte) => byte === 0), () => {
      return `${where}: the page that it grew by is not zeros`;
    });
  });
}
