/** Resets that look for dirty pages: where a scan stops, and what happens where it cannot be had. */
import { host, platform } from '@guardstripe/mmap';
import { needing } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import {
  describeModule,
  type MemoryPool,
  type MemoryPoolConfig,
  type PooledMemory,
} from '../../src/index.js';
import { faultyMemory } from '../support/fault-injection.js';
import {
  checkBooks,
  closedLater,
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
import { encodeModule } from '@guardstripe/wasm-builder';

const noScan = platform().canScanDirtyPages ? undefined : 'this kernel has no PAGEMAP_SCAN (Linux 6.7 has)';
const BIG = 16 * PAGE;
const BIG_HOST_PAGES = BIG / HOST_PAGE;

function keepingPool(config: MemoryPoolConfig = {}): MemoryPool {
  return smallPool({
    maxMemorySize: BIG,
    memoryReservation: BIG,
    linearMemoryKeepResident: BIG,
    pagemapScan: 'auto',
    ...config,
  });
}

const image = { initial: 16, offset: 30 * HOST_PAGE + 5, byteLength: 60 * HOST_PAGE };
/** Pages outside of the image, which the kernel gives to a read where it has no shared page of zeros. */
const PAGES_TAKEN_BY_READS = host().features.sharedZeroPage ? 0 : BIG_HOST_PAGES - 61;

/** Two neighbours that are scribbled over, and between them the memory that is made dirty, freed and looked at again. */
function roundTrip(pool: MemoryPool, dirty: (memory: PooledMemory) => void): void {
  const store = pool.openStore();
  const module = imageModule(0x3c, { ...image, maximum: 16 });
  const [before, memory, after] = [1, 2, 3].map(() => store.allocate({ module })) as [
    PooledMemory,
    PooledMemory,
    PooledMemory,
  ];
  for (const neighbour of [before, after]) scribble(neighbour, 0x11);
  dirty(memory);
  memory.free();
  const again = store.allocate({ module });
  expect(again.slot).toBe(memory.slot);
  expect(contents(again).equals(imageBytes(0x3c, image))).toBe(true);
  for (const neighbour of [before, after]) {
    expect(contents(neighbour).every((byte) => byte === 0x11)).toBe(true);
  }
  checkBooks(pool);
}

const everySecond = (pages: number) => Array.from({ length: pages / 2 }, (_, i) => 2 * i + 1);

describe('a scan', () => {
  it(
    'that finds many regions writes all of them back',
    needing(noScan, () => {
      using pool = keepingPool();
      roundTrip(pool, (memory) => dirtyPages(memory, everySecond(BIG_HOST_PAGES)));
      // Every second page of 256 is a region of its own.
      expect(pool.metrics()).toMatchObject({
        resets: { scan: 1, write: 0, decommit: 0 },
        bytesCopied: BIG / 2,
        decommits: 0,
        unusedBytesResident: 0,
      });
    }),
  );

  it(
    'that finds more bytes than may be written back writes as many, and the rest is dropped',
    needing(noScan, () => {
      using pool = keepingPool({ linearMemoryWriteBack: 5 * HOST_PAGE });
      roundTrip(pool, (memory) => scribble(memory));
      expect(pool.metrics()).toMatchObject({ resets: { scan: 1 }, bytesCopied: 5 * HOST_PAGE, decommits: 1 });
    }),
  );

  it(
    'that finds more bytes than may stay writes as many, and the rest is dropped',
    needing(noScan, () => {
      using pool = keepingPool({ linearMemoryKeepResident: 7 * HOST_PAGE });
      roundTrip(pool, (memory) => scribble(memory));
      expect(pool.metrics()).toMatchObject({
        resets: { scan: 1 },
        bytesCopied: 7 * HOST_PAGE,
        decommits: 1,
      });
    }),
  );

  it(
    'stops within a region when that holds more than may stay',
    needing(noScan, () => {
      using pool = keepingPool({ linearMemoryKeepResident: 40 * HOST_PAGE });
      // One region of 100 pages across the start of the image, and one behind it.
      const region = Array.from({ length: 100 }, (_, i) => 10 + i);
      roundTrip(pool, (memory) => dirtyPages(memory, [...region, 200]));
      expect(pool.metrics()).toMatchObject({ bytesCopied: 40 * HOST_PAGE, decommits: 1 });
    }),
  );

  it(
    'passes over pages that were only read',
    needing(noScan, () => {
      using pool = keepingPool();
      roundTrip(pool, (memory) => contents(memory));
      const bytesCopied = PAGES_TAKEN_BY_READS * HOST_PAGE;
      expect(pool.metrics()).toMatchObject({ resets: { scan: 1 }, bytesCopied });
    }),
  );

  it(
    'finds a page that was read first and written later',
    needing(noScan, () => {
      using pool = keepingPool();
      roundTrip(pool, (memory) => {
        contents(memory);
        dirtyPages(memory, [0, 45, 255]);
      });
      // Page 45 is the image's.
      const bytesCopied = (PAGES_TAKEN_BY_READS === 0 ? 3 : PAGES_TAKEN_BY_READS + 1) * HOST_PAGE;
      expect(pool.metrics()).toMatchObject({ bytesCopied });
    }),
  );

  it(
    "finds what a grown memory's new pages hold",
    needing(noScan, () => {
      using pool = keepingPool();
      const store = pool.openStore();
      const module = zeroModule(1, 16);
      const memory = store.allocate({ module });
      memory.grow(15);
      dirtyPages(memory, [0, 17, 255]);
      memory.free();
      expect(pool.metrics()).toMatchObject({ bytesCopied: 3 * HOST_PAGE, decommits: 0 });
      expect(residentBytes(pool, memory.slot)).toBe(3 * HOST_PAGE);
      const again = store.allocate({ module });
      again.grow(15);
      expect(contents(again).equals(new Uint8Array(BIG))).toBe(true);
    }),
  );

  it('is not made for a memory of one page', () => {
    const faulty = faultyMemory();
    using pool = keepingPool({ virtualMemory: faulty.virtualMemory });
    const wasm = encodeModule({ memories: [{ minimum: 100n, maximum: 4096n, pageSizeLog2: 0 }] });
    const module = closedLater(describeModule(wasm));
    const store = pool.openStore();
    const memory = store.allocate({ module });
    scribble(memory);
    memory.free();
    expect(faulty.calls).not.toContain('scanPages');
    expect(pool.metrics()).toMatchObject({ resets: { write: 1 }, bytesCopied: HOST_PAGE, decommits: 0 });
    expect(contents(store.allocate({ module })).equals(new Uint8Array(100))).toBe(true);
  });

  it('is not made where nothing may stay', () => {
    const faulty = faultyMemory();
    using pool = keepingPool({ virtualMemory: faulty.virtualMemory, linearMemoryKeepResident: 0 });
    roundTrip(pool, (memory) => scribble(memory));
    expect(faulty.calls).not.toContain('scanPages');
  });
});

describe('a scan that fails', () => {
  it(
    'is counted, and the reset goes the way without',
    needing(noScan, () => {
      const faulty = faultyMemory();
      using pool = keepingPool({
        virtualMemory: faulty.virtualMemory,
        linearMemoryKeepResident: 50 * HOST_PAGE,
      });
      faulty.fail('scanPages');
      roundTrip(pool, (memory) => scribble(memory));
      expect(pool.metrics()).toMatchObject({
        resets: { scan: 0, watch: 0, write: 1, decommit: 0 },
        refusedCalls: 1,
        failedResets: 0,
      });
    }),
  );

  it("is refused at the pool's creation where it is a must", () => {
    const blind = Object.assign(faultyMemory().virtualMemory, { canScanDirtyPages: false });
    expect(() => keepingPool({ pagemapScan: 'enable', virtualMemory: blind })).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CREATION' }),
    );
    expect(() => keepingPool({ pagemapScan: 'enable', virtualMemory: blind })).toThrow(/PAGEMAP_SCAN/);
  });
});

describe("an image's bytes", () => {
  it('come from its file and not from any memory: all of those are scribbled over', () => {
    using pool = keepingPool({ pagemapScan: 'disable' });
    roundTrip(pool, (memory) => scribble(memory));
    expect(pool.metrics().resets).toEqual({ scan: 0, watch: 0, write: 1, decommit: 0 });
  });

  it.each(['auto', 'disable'] as const)(
    'that cannot be mapped are not needed: the pages are dropped (pagemapScan %s)',
    (pagemapScan) => {
      const faulty = faultyMemory();
      using pool = keepingPool({ virtualMemory: faulty.virtualMemory, pagemapScan });
      const store = pool.openStore();
      const module = imageModule(0x77, { virtualMemory: faulty.virtualMemory });
      const memory = store.allocate({ module });
      scribble(memory);
      faulty.fail('mapFile');
      memory.free();
      expect(pool.metrics()).toMatchObject({ resets: { decommit: 1 }, failedResets: 0, decommits: 1 });
      faulty.heal();
      const again = store.allocate({ module });
      expect(contents(again).equals(imageBytes(0x77))).toBe(true);
      scribble(again);
      again.free();
      expect(pool.metrics().resets.decommit).toBe(1);
      expect(contents(store.allocate({ module })).equals(imageBytes(0x77))).toBe(true);
    },
  );

  it.each(['auto', 'disable'] as const)(
    'of a closed module are not needed either (pagemapScan %s)',
    (pagemapScan) => {
      using pool = keepingPool({ pagemapScan });
      const store = pool.openStore();
      const module = imageModule(0x77);
      const memories = [1, 2, 3].map(() => store.allocate({ module }));
      memories[0]!.free();
      module.close();
      for (const memory of memories.slice(1)) {
        scribble(memory);
        memory.free();
      }
      expect(pool.metrics()).toMatchObject({ resets: { decommit: 2 }, failedResets: 0 });
      for (const value of [1, 2, 3]) {
        expect(contents(store.allocate({ module: imageModule(value) })).equals(imageBytes(value))).toBe(true);
      }
    },
  );
});
