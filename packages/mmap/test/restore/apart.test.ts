import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, PageRestorer, platform, type VirtualMemory } from '../../src/index.js';
import { PageKind, pageRuns, type PageRuns } from '../../src/platform/page-runs.js';
import { ApartScan } from '../../src/restore/apart.js';
import { contentsOf } from '../../src/restore/contents.js';

const system = platform();
const { pageSize } = system;
const NUM_PAGES = 64;
const BYTES = NUM_PAGES * pageSize;

const pageSet = fc.uniqueArray(fc.nat({ max: NUM_PAGES - 1 }), { maxLength: NUM_PAGES });
const imagesAt = fc.constantFrom<readonly (readonly [page: number, pages: number])[]>(
  [],
  [[0, 8]],
  [[56, 8]],
  [[0, NUM_PAGES]],
  [[9, 7]],
  [
    [0, 4],
    [4, 4],
    [30, 1],
    [60, 4],
  ],
);

/** The page numbers of what was found. */
function pagesOf({ starts, ends, kinds, count }: PageRuns, base: number, kept: (kind: number) => boolean) {
  const pages: [page: number, kind: number][] = [];
  for (let i = 0; i < count; i++) {
    for (let at = starts[i]! - base; at < ends[i]! - base; at += pageSize)
      if (kept(kinds[i]!)) pages.push([at / pageSize, kinds[i]!]);
  }
  return pages;
}

/** A map with images, some of whose pages were read, and some written. */
function made(places: readonly (readonly [number, number])[], reads: number[], writes: number[]) {
  const map = Mmap.anonymous(BYTES);
  map.advise(0, BYTES, 'nohugepage');
  const images = places.map(([page, pages]) => {
    const bytes = new Uint8Array(pages * pageSize).map((_, i) => (i * 7 + page) & 255);
    using image = memoryImage(bytes);
    map.mapImageAt(image, page * pageSize);
    return { offset: page * pageSize, bytes, mapped: true };
  });
  const bytes = new Uint8Array(map.view());
  let sum = 0;
  for (const page of reads) sum += bytes[page * pageSize]!;
  for (const page of writes) bytes[page * pageSize + 5] = 255;
  return { map, bytes, images, contents: contentsOf(images, system), sum };
}

describe.runIf(PageRestorer.isSupported('scan'))(
  'a scan in parts (skipped where there is no PAGEMAP_SCAN)',
  () => {
    it('finds what a whole one does, but for pages of zeros that no image covers', () => {
      fc.assert(
        fc.property(imagesAt, pageSet, pageSet, (places, reads, writes) => {
          const { map, contents } = made(places, reads, writes);
          using _ = map;
          const [whole, apart] = [pageRuns(128), pageRuns(128)];
          system.scanPages(map.address, BYTES, whole);
          const scan = new ApartScan();
          expect(scan.scan(system, contents, map.address, BYTES, apart)).toBe(false);
          scan.counted(100_000, contents, BYTES);
          expect(scan.scan(system, contents, map.address, BYTES, apart)).toBe(true);
          expect(apart.walkEnd).toBe(map.address + BYTES);
          expect(pagesOf(apart, map.address, () => true)).toEqual(
            pagesOf(whole, map.address, (kind) => kind !== PageKind.ZERO),
          );
        }),
      );
    });

    it('hears of pages of zeros over an image: a written one that holds nothing else may be one', () => {
      const { map, contents } = made([[2, 2]], [], []);
      using _ = map;
      const asked: string[] = [];
      const told = (name: string) => (address: number, byteLength: number, into: PageRuns) => {
        const first = (address - map.address) / pageSize;
        asked.push(`${name} ${first}-${first + byteLength / pageSize}`);
        Object.assign(into, { count: 0, walkEnd: address + byteLength });
      };
      const virtualMemory = Object.assign(Object.create(system) as VirtualMemory, {
        scanPages: told('all'),
        scanOwnPages: told('own'),
      });
      const scan = new ApartScan();
      scan.counted(100_000, contents, BYTES);
      scan.scan(virtualMemory, contents, map.address, BYTES, pageRuns(128));
      expect(asked).toEqual(['own 0-2', 'all 2-4', `own 4-${NUM_PAGES}`]);
    });

    it('says so where there is no room', () => {
      const { map, contents } = made([[0, 8]], [], [1, 3, 20, 22]);
      using _ = map;
      const scan = new ApartScan();
      scan.counted(100_000, contents, BYTES);
      expect(scan.scan(system, contents, map.address, BYTES, pageRuns(3))).toBe(false);
      expect(scan.scan(system, contents, map.address, BYTES, pageRuns(4))).toBe(true);
    });

    it('is made for users that read everything, counts again now and then, and brings the bytes back', () => {
      const calls = { own: 0, all: 0 };
      const virtualMemory = Object.assign(Object.create(system) as VirtualMemory, {
        scanPages(...args: Parameters<VirtualMemory['scanPages']>) {
          if (args[1] === NUM_LARGE * pageSize) calls.all += 1;
          system.scanPages(...args);
        },
        scanOwnPages(...args: Parameters<VirtualMemory['scanOwnPages']>) {
          calls.own += 1;
          system.scanOwnPages(...args);
        },
      });
      const NUM_LARGE = 512;
      const image = new Uint8Array(4 * pageSize).fill(3);
      using file = memoryImage(image);
      using map = Mmap.anonymous(NUM_LARGE * pageSize);
      map.advise(0, map.byteLength, 'nohugepage');
      map.mapImageAt(file, 0);
      const start = Buffer.alloc(map.byteLength);
      start.set(image);
      const bytes = new Uint8Array(map.view());
      using restorer = new PageRestorer(
        { map },
        { images: [{ offset: 0, bytes: image, mapped: true }], virtualMemory },
      );
      for (let i = 0; i < 200; i++) {
        for (const page of [1, 3, 100, 101, 511]) bytes[page * pageSize + i] = 255;
        restorer.restore();
        // Which reads all.
        expect(Buffer.compare(bytes, start)).toBe(0);
      }
      expect(calls.own).toBeGreaterThan(100);
      expect(calls.all).toBeGreaterThan(10);
      bytes.fill(1);
      restorer.restore();
      expect(Buffer.compare(bytes, start)).toBe(0);
    });
  },
);
