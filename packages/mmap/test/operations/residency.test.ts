import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Mmap, PageScanner, platform } from '../../src/index.js';
import { fixtureJson } from '../support/child.js';
import { temporaryFiles } from '../support/files.js';

const { pageSize } = platform();
const write = temporaryFiles();

describe('resident', () => {
  it('counts pages that were touched, also part by part', () => {
    using map = Mmap.anonymous(10 * pageSize);
    const bytes = new Uint8Array(map.view());
    expect(map.resident()).toBe(0);
    for (const page of [1, 2, 7]) bytes[page * pageSize + 5] = 1;
    expect([...map.residentPages()]).toEqual([0, 1, 1, 0, 0, 0, 0, 1, 0, 0]);
    expect(map.resident()).toBe(3 * pageSize);
    expect(map.resident(2 * pageSize)).toBe(2 * pageSize);
    expect(map.resident(2 * pageSize - 1, 2)).toBe(2 * pageSize);
    expect(map.resident(2 * pageSize, 0)).toBe(0);
    expect([...map.residentPages(pageSize + 1, pageSize)]).toEqual([1, 1]);
    expect(map.residentPages(3, 0)).toHaveLength(0);
    map.decommit(0, 10 * pageSize);
    expect(map.resident()).toBe(0);
  });

  it('pages without access can be looked at', () => {
    using map = Mmap.reserve(3 * pageSize);
    expect(map.resident()).toBe(0);
    map.makeAccessible(pageSize, pageSize);
    new Uint8Array(map.view(pageSize, pageSize)).fill(1);
    map.makeInaccessible(0, map.byteLength);
    expect(map.resident()).toBe(pageSize);
  });

  it('sums over more pages than one call takes', () => {
    // 6 GiB on pages of 4 KiB are one and a half calls; 5 GiB + 7 pages lie in the second.
    using map = Mmap.reserve(6 * 2 ** 30);
    const far = 5 * 2 ** 30 + 7 * pageSize;
    for (const offset of [0, far]) {
      map.makeAccessible(offset, pageSize);
      new Uint8Array(map.view(offset, pageSize)).fill(1);
    }
    expect(map.resident()).toBe(2 * pageSize);
    expect(map.resident(far, 1)).toBe(pageSize);
    expect(map.resident(pageSize, far - pageSize)).toBe(0);
  });

  it('answers at once for address space that nobody touched, of any length', () => {
    using map = Mmap.reserve(2 ** 45);
    const far = 2 ** 44 + 5 * pageSize;
    map.makeAccessible(far, 2 * pageSize);
    new Uint8Array(map.view(far, 2 * pageSize)).fill(1);
    expect(() => map.residentPages()).toThrow(
      expect.objectContaining({
        code: 'ERR_OUT_OF_RANGE',
        message: expect.stringMatching(/residentRanges/),
      }) as Error,
    );
    expect(map.residentPages(far - pageSize, 4 * pageSize)).toEqual(Uint8Array.of(0, 1, 1, 0));
    if (!PageScanner.isSupported()) return;
    expect(map.resident()).toBe(2 * pageSize);
    expect(map.residentRanges()).toEqual([{ offset: far, byteLength: 2 * pageSize }]);
  });

  it('runs and pages say the same, whichever way they are found', () => {
    const real = platform();
    const old = new Proxy(real, {
      get: (target, name: keyof typeof real) =>
        name === 'canScanDirtyPages' ? false : (target[name] as unknown),
    });
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(99), { maxLength: 40 }), fc.boolean(), (touched, scans) => {
        using map = Mmap.anonymous(100 * pageSize, { virtualMemory: scans ? real : old });
        map.advise(0, map.byteLength, 'nohugepage');
        const bytes = new Uint8Array(map.view());
        for (const page of touched) bytes[page * pageSize] = 1;
        const expected = Array.from({ length: 100 }, (_, page) => (touched.includes(page) ? 1 : 0));
        expect([...map.residentPages()]).toEqual(expected);
        const pages = new Uint8Array(100);
        for (const { offset, byteLength } of map.residentRanges())
          pages.fill(1, offset / pageSize, (offset + byteLength) / pageSize);
        expect([...pages]).toEqual(expected);
      }),
    );
  });

  it.runIf(process.geteuid?.() === 0)('says that it does not know for files of others', () => {
    expect(fixtureJson('file-of-others.mjs')).toEqual({
      asOwner: 3 * 4096,
      asNobody: 'ERR_MMAP_RESIDENCY_HIDDEN',
    });
  });

  it('a file that was just written is in memory, whole pages of it', () => {
    using map = Mmap.fromFile(write('warm', new Uint8Array(2 * pageSize + 1)), { offset: 10 });
    expect(map.byteLength).toBe(2 * pageSize - 9);
    expect(new Uint8Array(map.view()).every((byte) => byte === 0)).toBe(true);
    expect(map.resident()).toBe(3 * pageSize);
    expect(map.residentRanges()).toEqual([{ offset: 0, byteLength: 2 * pageSize - 9 }]);
  });
});
