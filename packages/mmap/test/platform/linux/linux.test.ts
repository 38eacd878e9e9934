import { describe, expect, it } from 'vitest';

import {
  host,
  memoryImage,
  Mmap,
  platform,
  SystemError,
  type Access,
  type DirtyPages,
} from '../../../src/index.js';
import { permissionsAt } from '../../support/process-maps.js';

const system = platform();
const { pageSize } = system;

describe('what the kernel is asked for', () => {
  it.each<[Access, string]>([
    ['none', '---p'],
    ['read', 'r--p'],
    ['read-write', 'rw-p'],
    ['read-execute', 'r-xp'],
  ])('%s is %s', (access, permissions) => {
    using map = Mmap.reserve(5 * pageSize);
    map.protect(pageSize, pageSize, access);
    map.remapAsZerosAt(3 * pageSize, pageSize, access);
    expect([0, 1, 2, 3, 4].map((page) => permissionsAt(map.address + page * pageSize))).toEqual([
      '---p',
      permissions,
      '---p',
      permissions,
      '---p',
    ]);
  });

  it('images are private, files shared unless asked otherwise', () => {
    using image = memoryImage(new Uint8Array(pageSize));
    using map = Mmap.reserve(3 * pageSize);
    map.mapImageAt(image, pageSize);
    expect(permissionsAt(map.address + pageSize)).toBe('rw-p');
    using shared = Mmap.fromFile(image.fd);
    expect(permissionsAt(shared.address)).toBe('r--s');
    using own = Mmap.fromFile(image.fd, { sharing: 'private', access: 'read-write' });
    expect(permissionsAt(own.address)).toBe('rw-p');
  });
});

describe('decommitMany', () => {
  it.each([0, 1, 3, 1024, 1025, 2500])('drops %i ranges and nothing else', (count) => {
    using map = Mmap.anonymous((2 * count + 1) * pageSize);
    const bytes = new Uint8Array(map.view());
    for (let page = 0; page <= 2 * count; page++) bytes[page * pageSize] = 1;
    const addresses = Float64Array.from({ length: count }, (_, i) => map.address + (2 * i + 1) * pageSize);
    system.decommitMany(addresses, new Float64Array(count).fill(pageSize), count);
    const firstBytes = Array.from({ length: 2 * count + 1 }, (_, page) => bytes[page * pageSize]);
    expect(firstBytes).toEqual(firstBytes.map((_, page) => (page + 1) % 2));
  });

  it('only the first count ranges', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const bytes = new Uint8Array(map.view()).fill(1);
    const addresses = Float64Array.of(map.address, map.address + pageSize, map.address + 2 * pageSize);
    system.decommitMany(addresses, new Float64Array(3).fill(pageSize), 2);
    expect([bytes[0], bytes[pageSize], bytes[2 * pageSize]]).toEqual([0, 0, 1]);
  });

  it('a hole among the ranges is an error', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const hole = Mmap.reserve(pageSize);
    hole.close();
    const addresses = Float64Array.of(map.address, hole.address, map.address + 2 * pageSize);
    expect(() => system.decommitMany(addresses, new Float64Array(3).fill(pageSize), 3)).toThrow(SystemError);
  });
});

const DIRTY = (): DirtyPages => ({
  starts: new Float64Array(8),
  ends: new Float64Array(8),
  count: 0,
  walkEnd: 0,
});

describe.runIf(system.canScanDirtyPages)('scanDirtyPages (skipped on kernels before 6.7)', () => {
  /** Page numbers in the regions found. */
  function dirtyPages(map: Mmap, found: DirtyPages): number[] {
    const pages: number[] = [];
    for (let i = 0; i < found.count; i++) {
      for (let at = found.starts[i]!; at < found.ends[i]!; at += pageSize) {
        pages.push((at - map.address) / pageSize);
      }
    }
    return pages;
  }

  it('finds written pages, not read ones and not pages of the image', () => {
    using image = memoryImage(new Uint8Array(3 * pageSize).fill(1));
    using map = Mmap.anonymous(12 * pageSize);
    map.mapImageAt(image, 4 * pageSize);
    const bytes = new Uint8Array(map.view());
    for (const page of [1, 2, 5, 9]) bytes[page * pageSize] = 7;
    expect(bytes[4 * pageSize]).toBe(1);
    expect(bytes[10 * pageSize]).toBe(0);
    const found = DIRTY();
    system.scanDirtyPages(map.address, map.byteLength, 100, found);
    // Without a shared page of zeros the read has taken page 10.
    const taken = host().features.sharedZeroPage ? [] : [10];
    expect(dirtyPages(map, found)).toEqual([1, 2, 5, 9, ...taken]);
    expect(found.walkEnd).toBe(map.address + map.byteLength);
    map.decommit(0, map.byteLength);
    system.scanDirtyPages(map.address, map.byteLength, 100, found);
    expect(dirtyPages(map, found)).toEqual([]);
  });

  it('stops at the limit of pages, and says where', () => {
    using map = Mmap.anonymous(12 * pageSize);
    new Uint8Array(map.view()).fill(1);
    const found = DIRTY();
    system.scanDirtyPages(map.address, map.byteLength, 3, found);
    expect(dirtyPages(map, found)).toEqual([0, 1, 2]);
    expect(found.walkEnd).toBe(map.address + 3 * pageSize);
  });

  it('stops when there is no room for more regions', () => {
    using map = Mmap.anonymous(40 * pageSize);
    const bytes = new Uint8Array(map.view());
    for (let page = 0; page < 40; page += 2) bytes[page * pageSize] = 1;
    const found = DIRTY();
    system.scanDirtyPages(map.address, map.byteLength, 100, found);
    expect(dirtyPages(map, found)).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
    expect(found.walkEnd).toBeLessThanOrEqual(map.address + 16 * pageSize);
    expect(found.walkEnd).toBeGreaterThan(map.address + 14 * pageSize);
  });
});
