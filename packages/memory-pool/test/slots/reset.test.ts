/** Every way to reset a slot, with every kind of image: the bytes, the numbers, and what the kernel says is resident. */
import { host, platform } from '@guardstripe/mmap';
import { sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import type { MemoryPool, MemoryPoolConfig, PooledMemory, PoolModule, Store } from '../../src/index.js';
import { faultyMemory } from '../support/fault-injection.js';
import {
  checkBooks,
  contents,
  dirtyPages,
  HOST_PAGE,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  zeroModule,
} from '../support/memories.js';
import { residentBytes } from '../support/resident.js';

const INITIAL_HOST_PAGES = (2 * PAGE) / HOST_PAGE;
/** Before, in, after and between the images below; six of them. */
const DIRTY = [0, 1, 5, 9, 10, 31];
const canScan = platform().canScanDirtyPages;

/** A kernel that cannot look for dirty pages. */
const blind = () =>
  Object.defineProperty(faultyMemory().virtualMemory, 'canScanDirtyPages', { value: false });

const finders: Record<string, () => MemoryPoolConfig> = {
  "pagemapScan 'disable'": () => ({ pagemapScan: 'disable' }),
  "pagemapScan 'auto'": () => ({ pagemapScan: 'auto' }),
  'a kernel without PAGEMAP_SCAN': () => ({ pagemapScan: 'auto', virtualMemory: blind() }),
};
const keeps: Record<string, number> = { nothing: 0, 'a page': 1, 'five pages': 5 * HOST_PAGE, all: 8 * PAGE };
const places: Record<string, { offset: number; byteLength: number } | undefined> = {
  'no image': undefined,
  'an image at the start': { offset: 0, byteLength: 2 * HOST_PAGE },
  'an image in the middle': { offset: 9 * HOST_PAGE, byteLength: 2 * HOST_PAGE },
  'an image at the end': { offset: 2 * PAGE - HOST_PAGE, byteLength: HOST_PAGE },
  'unaligned contents': { offset: 4 * HOST_PAGE + 123, byteLength: 2 * HOST_PAGE + 7 },
};

interface Case {
  readonly finder: string;
  readonly keep: string;
  readonly batch: number;
  readonly place: string;
}

const cases: Case[] = Object.keys(finders).flatMap((finder) =>
  Object.keys(keeps).flatMap((keep) =>
    [1, 3].flatMap((batch) => Object.keys(places).map((place) => ({ finder, keep, batch, place }))),
  ),
);

/** Pages of a memory that a scan finds: all were read, {@link DIRTY} were written. */
function foundPages(place: string): number {
  if (host().features.sharedZeroPage) return DIRTY.length;
  // The reads have taken every page that the image has not.
  const { offset, byteLength } = places[place] ?? { offset: 0, byteLength: 0 };
  const imageStart = Math.floor(offset / HOST_PAGE);
  const imageEnd = Math.ceil((offset + byteLength) / HOST_PAGE);
  const dirtyInImage = DIRTY.filter((page) => page >= imageStart && page < imageEnd);
  return INITIAL_HOST_PAGES - (imageEnd - imageStart) + dirtyInImage.length;
}

/** What one reset must do to a memory of 32 host pages, read whole, of which {@link DIRTY} were written. */
function expectedReset({ finder, keep, place }: Case): { strategy: string; written: number; drops: boolean } {
  const keptPages = Math.min(Math.ceil(keeps[keep]! / HOST_PAGE), INITIAL_HOST_PAGES);
  if (keptPages === 0) return { strategy: 'decommit', written: 0, drops: true };
  if (canScan && finder === "pagemapScan 'auto'") {
    const found = foundPages(place);
    const pages = Math.min(keptPages, found);
    return { strategy: 'scan', written: pages * HOST_PAGE, drops: pages < found };
  }
  return { strategy: 'write', written: keptPages * HOST_PAGE, drops: keptPages < INITIAL_HOST_PAGES };
}

function moduleAt(place: string): { module: PoolModule; bytes: Uint8Array } {
  const at = places[place];
  return at === undefined
    ? { module: zeroModule(), bytes: new Uint8Array(2 * PAGE) }
    : { module: imageModule(0x5a, at), bytes: imageBytes(0x5a, at) };
}

/** Three memories, each with exactly the expected bytes. */
function three(store: Store, module: PoolModule, bytes: Uint8Array): PooledMemory[] {
  const memories = [1, 2, 3].map(() => store.allocate({ module }));
  for (const memory of memories) expect(contents(memory).equals(bytes)).toBe(true);
  return memories;
}

function freeAll(memories: readonly PooledMemory[]): void {
  for (const memory of memories) memory.free();
}

function withPool(which: Case, use: (pool: MemoryPool) => void): void {
  const pool = smallPool({
    linearMemoryKeepResident: keeps[which.keep]!,
    decommitBatchSize: which.batch,
    ...finders[which.finder]!(),
  });
  try {
    use(pool);
    checkBooks(pool);
  } finally {
    pool.close({ force: true });
  }
}

describe('a reset', () => {
  it.each(sampled(cases))('$finder, $keep may stay, batches of $batch, $place', (which) => {
    withPool(which, (pool) => {
      const store = pool.openStore();
      const { module, bytes } = moduleAt(which.place);
      const memories = three(store, module, bytes);
      for (const memory of memories) dirtyPages(memory, DIRTY);
      freeAll(memories);

      const { strategy, written, drops } = expectedReset(which);
      expect(pool.metrics()).toEqual({
        coolingMemories: 0,
        inFlightMemories: 0,
        retiredMemories: 0,
        collections: 0,
        liveMemories: 0,
        unusedWarmMemories: 3,
        unusedBytesResident: 3 * written,
        // Counted once, though three slots have it mapped.
        imageBytes: module.memories[0]?.image?.byteLength ?? 0,
        queuedMemories: 0,
        waitingAllocations: 0,
        resets: { scan: 0, watch: 0, write: 0, decommit: 0, [strategy]: 3 },
        bytesCopied: 3 * written,
        decommits: drops ? 3 / which.batch : 0,
        failedResets: 0,
        refusedCalls: 0,
        bytesTrimmed: 0,
        mappings: expect.any(Number),
      });
      if (canScan) for (const slot of [0, 1, 2]) expect(residentBytes(pool, slot)).toBe(written);
      freeAll(three(store, module, bytes));
    });
  });

  it.each(sampled(cases))('of every byte, $finder, $keep may stay, batches of $batch, $place', (which) => {
    withPool(which, (pool) => {
      const store = pool.openStore();
      const { module, bytes } = moduleAt(which.place);
      const memories = three(store, module, bytes);
      // One as it is, one grown, one grown to the end: all of it written.
      for (const [delta, memory] of [0, 1, 6].map((d, i) => [d, memories[i]!] as const)) {
        memory.grow(delta);
        scribble(memory);
      }
      freeAll(memories);
      const again = three(store, module, bytes);
      for (const memory of again) scribble(memory);
      freeAll(again);
      // Smaller, larger, and with an image elsewhere: nothing of what was there before.
      for (const initial of [1, 4]) {
        const zeros = three(store, zeroModule(initial), new Uint8Array(initial * PAGE));
        for (const memory of zeros) {
          expect(memory.grow(2)).toBe(initial);
          expect(contents(memory).equals(new Uint8Array((initial + 2) * PAGE))).toBe(true);
          scribble(memory);
        }
        freeAll(zeros);
      }
      const other = { offset: 7 * HOST_PAGE + 1, byteLength: 5000 };
      freeAll(three(store, imageModule(0xb0, other), imageBytes(0xb0, other)));
      freeAll(three(store, module, bytes));
      expect(pool.metrics()).toMatchObject({ failedResets: 0, refusedCalls: 0, liveMemories: 0 });
    });
  });
});
