/**
 * Pages that were swapped out are not in memory, and still hold what was written: whatever looks for written pages finds them. On the
 * real kernel, with a swap file of our own.
 */
import { readFileSync } from 'node:fs';

import { needing, SwapFile } from '@guardstripe/test-support';
import { afterAll, describe, expect, it } from 'vitest';

import { memoryImage, Mmap, PageRestorer, PageScanner, platform } from '../../src/index.js';

const { pageSize } = platform();
const NUM_PAGES = 256;
const BYTES = NUM_PAGES * pageSize;
const MAX_TRIES = 20;
const IMAGE_OFFSET = 32 * pageSize;
const imageBytes = new Uint8Array(64 * pageSize).map((_, i) => (i * 31 + 7) & 255);
const startBytes = Buffer.alloc(BYTES);
startBytes.set(imageBytes, IMAGE_OFFSET);

const STRATEGIES = (['scan', 'watch', 'copy', 'drop'] as const).filter((strategy) =>
  PageRestorer.isSupported(strategy),
);
const cases = STRATEGIES.flatMap((strategy) => [true, false].map((mapped) => ({ strategy, mapped })));

const noScan = platform().canScanDirtyPages ? undefined : 'this kernel has no PAGEMAP_SCAN';

/** Bytes of the map's pages that are in swap, by `/proc/self/smaps`. */
function swappedBytes({ address }: Mmap): number {
  let inside = false;
  let sum = 0;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const start = /^([0-9a-f]+)-[0-9a-f]+ /.exec(line)?.[1];
    if (start !== undefined) {
      const at = Number.parseInt(start, 16);
      inside = at >= address && at < address + BYTES;
    } else if (inside && line.startsWith('Swap:')) sum += Number(/\d+/.exec(line)![0]) * 1024;
  }
  return sum;
}

const swap = new SwapFile(64 * 2 ** 20);
afterAll(() => swap.close());

/** A map with its image, in small pages, that is the start bytes. */
function fresh(isMapped: boolean): Mmap {
  const map = Mmap.anonymous(BYTES);
  map.advise(0, BYTES, 'nohugepage');
  using image = memoryImage(imageBytes);
  if (isMapped) map.mapImageAt(image, IMAGE_OFFSET);
  else map.write(IMAGE_OFFSET, imageBytes);
  return map;
}

/** Writes every second page, and has the system take them away. */
function writeAndSwapOut(map: Mmap): void {
  const bytes = new Uint8Array(map.view());
  for (let page = 0; page < NUM_PAGES; page += 2) bytes[page * pageSize + page] = 0xee;
  // Some stay, for reasons of the system, and another test's swap file takes its pages back when it goes: then they are asked again.
  for (let tries = 0; tries < MAX_TRIES && swappedBytes(map) <= BYTES / 4; tries++)
    map.advise(0, BYTES, 'pageout');
  // Where none went, nothing is tried.
  expect(swappedBytes(map)).toBeGreaterThan(BYTES / 4);
}

describe('pages that were written and swapped out', () => {
  for (const { strategy, mapped } of cases) {
    it(
      `are put back by '${strategy}', with an image that is ${mapped ? 'mapped' : 'written'}`,
      needing(swap.obstacle, () => {
        using map = fresh(mapped);
        const images = [{ offset: IMAGE_OFFSET, bytes: imageBytes, mapped }];
        using restorer = new PageRestorer({ map }, { images, strategies: [strategy], clean: true });
        for (let user = 0; user < 3; user++) {
          writeAndSwapOut(map);
          restorer.restore();
          expect(startBytes.equals(map.read(0, BYTES))).toBe(true);
        }
      }),
    );
  }

  it(
    'are among the changed pages, and among the dirty ones',
    needing(swap.obstacle ?? noScan, () => {
      using map = fresh(true);
      const images = [{ offset: IMAGE_OFFSET, bytes: imageBytes, mapped: true }];
      using restorer = new PageRestorer({ map }, { images, strategies: ['scan'] });
      writeAndSwapOut(map);
      const written = Array.from({ length: NUM_PAGES / 2 }, (_, i) => ({
        offset: 2 * i * pageSize,
        byteLength: pageSize,
      }));
      expect(restorer.changedRanges()).toEqual(written);
      expect([...new PageScanner(map).dirtyRanges()]).toEqual(written);
    }),
  );
});
