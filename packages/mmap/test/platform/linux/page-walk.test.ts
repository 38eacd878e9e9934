/** Walks over page tables, on the real kernel: what each finds, however much that is, and whatever became of the pages. */
import { needing, SwapFile } from '@guardstripe/test-support';
import { afterAll, describe, expect, it } from 'vitest';

import { Mmap, PageRestorer, PageScanner, platform } from '../../../src/index.js';
import { mistakesSwapped, pageWalks } from '../../../src/platform/linux/page-walk.js';
import { pageRuns, type PageRuns } from '../../../src/platform/page-runs.js';

const system = platform();
const { pageSize } = system;
const noScan = system.canScanDirtyPages ? undefined : 'this kernel has no PAGEMAP_SCAN';
const noWatch =
  noScan ??
  (system.canWatchWrites ? undefined : 'this kernel does not watch writes, or a sandbox refuses it');

/** A map with room for so many runs of one page, in small pages. */
function withRuns(numRuns: number): Mmap {
  const map = Mmap.anonymous((2 * numRuns + 7) * pageSize);
  map.advise('nohugepage');
  return map;
}

function write(map: Mmap, numRuns: number): number[] {
  const bytes = new Uint8Array(map.view());
  const starts = Array.from({ length: numRuns }, (_, i) => (2 * i + 1) * pageSize);
  for (const start of starts) bytes[start + (start % 251)] = 1;
  return starts;
}

/** Where the runs of a whole walk begin, as offsets. */
function walked(map: Mmap, maxRuns: number, walk: typeof system.scanPages): number[] {
  const runs: PageRuns = pageRuns(maxRuns);
  const found: number[] = [];
  const end = map.address + map.byteLength;
  for (let at = map.address; at < end; at = runs.walkEnd) {
    walk(at, end - at, runs);
    for (let i = 0; i < runs.count; i++) found.push(runs.starts[i]! - map.address);
  }
  return found;
}

// Around what the kernel collects at once, what fits into a buffer, and multiples of them.
const NUMBERS = [1, 127, 128, 129, 511, 512, 513, 600, 678, 679, 999, 1000, 1001, 1023, 1024, 1025, 1537];
const ROOMS = [1, 128, 512, 513, 1000, 1024, 4096];

describe('each run is found once', () => {
  it.for(NUMBERS)('of %d', (numRuns, context) =>
    needing(noScan, () => {
      using map = withRuns(numRuns);
      const starts = write(map, numRuns);
      for (const room of ROOMS.filter((each) => each > 1 || numRuns < 200)) {
        expect(walked(map, room, (...range) => system.scanPages(...range))).toEqual(starts);
        expect(walked(map, room, (...range) => system.scanResident(...range))).toEqual(starts);
        const maxRunsPerCall = room;
        expect(new PageScanner(map, { maxRunsPerCall }).dirtyBytes()).toBe(numRuns * pageSize);
      }
      using restorer = new PageRestorer({ map }, { strategies: ['scan'] });
      const written = starts.map((offset) => ({ offset, byteLength: pageSize }));
      expect(restorer.changedRanges()).toEqual(written);
      expect(restorer.restore().bytesWritten).toBe(numRuns * pageSize);
    })(context),
  );

  it.for(NUMBERS)('of %d that were written while writes were watched', (numRuns, context) =>
    needing(noWatch, () => {
      using map = withRuns(numRuns);
      system.watchWrites(map.address, map.byteLength);
      const starts = write(map, numRuns);
      for (const room of ROOMS.filter((each) => each > 1 || numRuns < 200))
        expect(walked(map, room, (...range) => system.scanWrittenPages(...range))).toEqual(starts);
      const unwritten: typeof system.scanPages = (...range) => system.scanUnwrittenPages(...range);
      expect(walked(map, 128, unwritten)).toEqual([]);
      system.protectWrittenPages(map.address, map.byteLength);
      expect(walked(map, 128, (...range) => system.scanWrittenPages(...range))).toEqual([]);
      for (const room of ROOMS.filter((each) => each > 1 || numRuns < 200))
        expect(walked(map, room, unwritten)).toEqual(starts);
      system.unwatchWrites(map.address, map.byteLength);
    })(context),
  );
});

describe('kernels that take swapped pages for protected ones', () => {
  it.each([
    ['6.7.0', true],
    ['6.7.12-amd64', true],
    ['6.8.0-31-generic', true],
    ['6.8.12', true],
    ['6.1.0-25-amd64', false],
    ['6.9.3', false],
    ['6.12.43+deb12-cloud-amd64', false],
    ['6.18.1', false],
    ['6.70.1', false],
    ['7.8.0', false],
    ['16.7.1', false],
  ])('%s: %s', (release, mistakes) => {
    expect(mistakesSwapped(release)).toBe(mistakes);
  });

  const swap = new SwapFile(64 * 2 ** 20);
  afterAll(() => swap.close());

  it(
    'are asked otherwise, and what they find is the same: written pages, in memory and in swap, and no others',
    needing(swap.obstacle ?? noWatch, () => {
      const numRuns = 300;
      using map = withRuns(numRuns);
      system.watchWrites(map.address, map.byteLength);
      const starts = write(map, numRuns);
      map.advise(0, 301 * pageSize, 'pageout');
      for (const release of ['6.8.0-31-generic', '6.12.1'])
        expect(walked(map, 128, pageWalks(release).written)).toEqual(starts);
      system.protectWrittenPages(map.address, map.byteLength);
      for (const release of ['6.8.0-31-generic', '6.12.1'])
        expect(walked(map, 128, pageWalks(release).written)).toEqual([]);
      system.unwatchWrites(map.address, map.byteLength);
    }),
  );
});
