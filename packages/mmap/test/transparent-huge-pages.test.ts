/** Transparent huge pages: one page of many is dropped, found and restored alone, whether the kernel has made them huge or not. */

import { existsSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { Mmap, PageRestorer, PageScanner, platform } from '../src/index.js';

const { pageSize } = platform();
const MIB = 2 ** 20;
const at = 3 * MIB + 5 * pageSize;

const SETTING = '/sys/kernel/mm/transparent_hugepage/enabled';
const enabled = existsSync(SETTING) ? /\[(\w+)\]/.exec(readFileSync(SETTING, 'latin1'))?.[1] : 'never';

/** Bytes that are in huge pages, of the mapping that holds an address. */
function hugeBytesAt(address: number): number {
  let isInside = false;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range !== null) isInside = address >= Number(`0x${range[1]}`) && address < Number(`0x${range[2]}`);
    const kibibytes = /^AnonHugePages:\s+(\d+) kB/.exec(line)?.[1];
    if (isInside && kibibytes !== undefined) return Number(kibibytes) * 1024;
  }
  return 0;
}

/** 8 MiB of ones, on huge pages where the kernel gives some. */
function onHugePages(): Mmap {
  const map = Mmap.anonymous(8 * MIB);
  map.advise('hugepage');
  map.write(0, new Uint8Array(8 * MIB).fill(1));
  return map;
}

describe(`with transparent huge pages (here: ${enabled})`, () => {
  it('there are some, if they may be asked for', (context) => {
    using map = onHugePages();
    const hugeBytes = hugeBytesAt(map.address + 4 * MIB);
    if (enabled !== 'never' && hugeBytes === 0) context.skip('the kernel had no memory in pieces as large');
    expect(hugeBytes > 0).toBe(enabled !== 'never');
  });

  it('a page is dropped alone', () => {
    using map = onHugePages();
    map.decommit(at, pageSize);
    expect([-1, 0, pageSize - 1, pageSize].map((offset) => map.read(at + offset, 1)[0])).toEqual([
      1, 0, 0, 1,
    ]);
  });

  it('what was written is found, and restored', () => {
    using map = onHugePages();
    if (PageScanner.isSupported()) expect(new PageScanner(map).dirtyBytes()).toBe(8 * MIB);
    using restorer = new PageRestorer({ map });
    restorer.restore();
    expect(map.read(0, 8 * MIB).every((byte) => byte === 0)).toBe(true);
    map.write(at, Uint8Array.of(7));
    restorer.restore();
    expect(map.read(at, 1)[0]).toBe(0);
  });

  it('a page is locked alone, refuses to be dropped, and its neighbours do not', () => {
    using map = onHugePages();
    map.lock(at, 1);
    expect(() => map.decommit(at, pageSize)).toThrow(expect.objectContaining({ code: 'EINVAL' }) as Error);
    map.decommit(at - pageSize, pageSize);
    map.decommit(at + pageSize, pageSize);
    expect([-1, 0, pageSize].map((offset) => map.read(at + offset, 1)[0])).toEqual([0, 1, 0]);
    map.unlock(at, 1);
    map.decommit(at, pageSize);
    expect(map.read(at, 1)[0]).toBe(0);
  });
});
