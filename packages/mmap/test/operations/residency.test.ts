import { describe, expect, it } from 'vitest';

import { Mmap, platform } from '../../src/index.js';
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

  it('a file that was just written is in memory, whole pages of it', () => {
    using map = Mmap.fromFile(write('warm', new Uint8Array(2 * pageSize + 1)), { offset: 10 });
    expect(map.byteLength).toBe(2 * pageSize - 9);
    expect(new Uint8Array(map.view()).every((byte) => byte === 0)).toBe(true);
    expect(map.resident()).toBe(3 * pageSize);
  });
});
