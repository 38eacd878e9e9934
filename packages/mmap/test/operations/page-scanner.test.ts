import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  host,
  memoryImage,
  Mmap,
  MmapClosedError,
  PageScanner,
  platform,
  type PageRange,
} from '../../src/index.js';
import { temporaryFiles } from '../support/files.js';

const { pageSize } = platform();
const write = temporaryFiles();

const range = (page: number, count = 1): PageRange => ({
  offset: page * pageSize,
  byteLength: count * pageSize,
});

describe.runIf(PageScanner.isSupported())('PageScanner (skipped on kernels before 6.7)', () => {
  it('lists written pages as joined runs, and counts their bytes', () => {
    using image = memoryImage(new Uint8Array(3 * pageSize).fill(1));
    using map = Mmap.anonymous(16 * pageSize);
    map.mapImageAt(image, 4 * pageSize);
    const scanner = new PageScanner(map);
    expect(scanner.dirtyRanges()).toEqual([]);
    const bytes = new Uint8Array(map.view());
    for (const page of [1, 2, 3, 5, 9]) bytes[page * pageSize + 7] = 7;
    expect([bytes[4 * pageSize], bytes[12 * pageSize]]).toEqual([1, 0]);
    // Without a shared page of zeros the read has taken page 12.
    const taken = host().features.sharedZeroPage ? [] : [range(12)];
    expect(scanner.dirtyRanges()).toEqual([range(1, 3), range(5), range(9), ...taken]);
    expect(scanner.dirtyBytes()).toBe((5 + taken.length) * pageSize);
    expect(scanner.dirtyRanges(2 * pageSize, 4 * pageSize)).toEqual([range(2, 2), range(5)]);
    expect(scanner.dirtyRanges(6 * pageSize - 1, 2)).toEqual([range(5)]);
    expect(scanner.dirtyBytes(6 * pageSize, 6 * pageSize)).toBe(pageSize);
    expect(scanner.dirtyRanges(pageSize, 0)).toEqual([]);
    map.decommitMany(scanner.dirtyRanges());
    expect(scanner.dirtyBytes()).toBe(0);
    expect([bytes[1 * pageSize + 7], bytes[5 * pageSize + 7]]).toEqual([0, 1]);
  });

  it('any pages, any room for runs: exactly what was written', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(63), { maxLength: 64 }),
        fc.integer({ min: 1, max: 9 }),
        (pages, maxRunsPerCall) => {
          using map = Mmap.anonymous(64 * pageSize);
          const bytes = new Uint8Array(map.view());
          for (const page of pages) bytes[page * pageSize] = 1;
          const scanner = new PageScanner(map, { maxRunsPerCall });
          const found = scanner
            .dirtyRanges()
            .flatMap(({ offset, byteLength }) =>
              Array.from({ length: byteLength / pageSize }, (_, i) => offset / pageSize + i),
            );
          expect(found).toEqual([...pages].sort((a, b) => a - b));
          expect(scanner.dirtyBytes()).toBe(pages.length * pageSize);
        },
      ),
    );
  });

  it('more runs than any one call reports', () => {
    using map = Mmap.anonymous(6000 * pageSize);
    map.advise(0, map.byteLength, 'nohugepage');
    const bytes = new Uint8Array(map.view());
    for (let page = 0; page < 6000; page += 2) bytes[page * pageSize] = 1;
    for (const maxRunsPerCall of [256, 65_536]) {
      const runs = new PageScanner(map, { maxRunsPerCall }).dirtyRanges();
      expect(runs).toHaveLength(3000);
      expect(runs.at(-1)).toEqual(range(5998));
    }
  });

  it('a ragged private file map: offsets inside of the map', () => {
    const path = write('ragged', new Uint8Array(3 * pageSize));
    using map = Mmap.fromFile(path, {
      sharing: 'private',
      access: 'read-write',
      offset: 100,
      byteLength: 2 * pageSize,
    });
    const scanner = new PageScanner(map);
    const bytes = new Uint8Array(map.view());
    bytes[0] = 1;
    expect(scanner.dirtyRanges()).toEqual([{ offset: 0, byteLength: pageSize - 100 }]);
    bytes[2 * pageSize - 1] = 1;
    const runs = scanner.dirtyRanges();
    expect(runs).toEqual([
      { offset: 0, byteLength: pageSize - 100 },
      { offset: 2 * pageSize - 100, byteLength: 100 },
    ]);
    map.decommitMany(runs);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('follows a resize, and refuses a closed map', () => {
    const map = Mmap.anonymous(3 * pageSize);
    const scanner = new PageScanner(map);
    map.resize(2 ** 30);
    new Uint8Array(map.view(2 ** 30 - 1, 1))[0] = 1;
    expect(scanner.dirtyRanges()).toEqual([{ offset: 2 ** 30 - pageSize, byteLength: pageSize }]);
    expect(() => scanner.dirtyRanges(2 ** 30, 1)).toThrow(RangeError);
    map.close();
    expect(() => scanner.dirtyRanges()).toThrow(MmapClosedError);
    expect(() => scanner.dirtyBytes()).toThrow(MmapClosedError);
  });
});

describe('a PageScanner anywhere', () => {
  it('refuses what is no map, and no room', () => {
    using map = Mmap.anonymous(pageSize);
    expect(() => new PageScanner({} as never)).toThrow(TypeError);
    for (const maxRunsPerCall of [0, -1, 0.5, 65_537])
      expect(() => new PageScanner(map, { maxRunsPerCall })).toThrow(RangeError);
  });

  it("refuses a shared map of a file, whose pages are the file's, written or not", () => {
    using map = Mmap.fromFile(write('shared', new Uint8Array(3 * pageSize)), { access: 'read-write' });
    expect(() => new PageScanner(map)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringMatching(/share/),
      }) as Error,
    );
  });

  it('says so where the kernel cannot scan', () => {
    const real = platform();
    const virtualMemory = Object.create(real, { canScanDirtyPages: { value: false } }) as typeof real;
    expect(PageScanner.isSupported(virtualMemory)).toBe(false);
    expect(PageScanner.isSupported()).toBe(real.canScanDirtyPages);
  });
});
