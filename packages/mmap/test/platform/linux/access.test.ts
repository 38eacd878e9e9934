import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { Mmap, platform } from '../../../src/index.js';
import { accessOf, parseMappings, queryMappings, runsOf } from '../../../src/platform/linux/access.js';

const { pageSize } = platform();
const readMaps = () => parseMappings(readFileSync('/proc/self/maps', 'latin1'));

/** Which pages allow what: a random but fixed mix over 64 pages. */
function mixed(): Mmap {
  const map = Mmap.reserve(64 * pageSize);
  for (let page = 0; page < 64; page += 1) {
    const access = (['none', 'read', 'read-write', 'read-execute'] as const)[((page * 37) % 11) % 4];
    if (access !== undefined) map.protect(page * pageSize, pageSize, access);
  }
  return map;
}

describe('accessOf', () => {
  it('the list of mappings and the question by ioctl give the same runs', () => {
    using map = mixed();
    const end = map.address + map.byteLength;
    const listed = runsOf(readMaps(), map.address, end);
    expect(listed.length).toBeGreaterThan(20);
    expect(listed.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(map.byteLength);
    expect(accessOf(map.address, map.byteLength)).toEqual(listed);
    const asked = queryMappings(map.address, end);
    // Nothing before Linux 6.11.
    if (asked !== undefined) expect(runsOf(asked, map.address, end)).toEqual(listed);
  });

  it('cuts runs to the range and joins equal neighbours', () => {
    const mappings = [
      { start: 10, end: 20, bits: 3 },
      { start: 20, end: 30, bits: 3 },
      { start: 30, end: 40, bits: 1 },
      { start: 40, end: 50, bits: 7 },
    ];
    expect(runsOf(mappings, 15, 45)).toEqual([
      { address: 15, byteLength: 15, access: 'read-write' },
      { address: 30, byteLength: 10, access: 'read' },
      { address: 40, byteLength: 5, access: 'other' },
    ]);
    expect(runsOf(mappings, 32, 38)).toEqual([{ address: 32, byteLength: 6, access: 'read' }]);
    // What ends where the range begins has no part in it.
    expect(runsOf(mappings, 30, 38)).toEqual([{ address: 30, byteLength: 8, access: 'read' }]);
  });

  it.each([
    ['before', 5, 20],
    ['between', 15, 45],
    ['behind', 45, 60],
    ['all of it', 60, 70],
  ])('a gap %s is ENOMEM', (_, start, end) => {
    const mappings = [
      { start: 10, end: 20, bits: 3 },
      { start: 40, end: 50, bits: 3 },
    ];
    expect(() => runsOf(mappings, start, end)).toThrow(expect.objectContaining({ code: 'ENOMEM' }) as Error);
  });

  it('a range that is not mapped is ENOMEM by either way', () => {
    const gone = Mmap.reserve(1024 * pageSize);
    gone.close();
    expect(() => accessOf(gone.address, pageSize)).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }) as Error,
    );
  });

  it('reads lines as the kernel writes them', () => {
    const maps = [
      '7f00a0000000-7f00a0001000 rw-p 00000000 00:00 0 ',
      '7f00a0001000-7f00a0003000 ---p 00000000 00:00 0                          [anon:some name]',
      '7f00a0003000-7f00a0004000 r-xs 00001000 fe:01 1234                       /tmp/a b/00-11 rwxp',
      'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
      '',
    ].join('\n');
    expect(parseMappings(maps).map(({ bits }) => bits)).toEqual([3, 0, 5, 4]);
    expect(parseMappings(maps)[1]).toEqual({ start: 0x7f00_a000_1000, end: 0x7f00_a000_3000, bits: 0 });
  });
});
