/** The shared area: found, made, and kept apart from what is not ours. In this process, at addresses of the tests' own. */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';

import { openArea } from '../../src/process/area.js';
import { AREA_BYTES, headerOf } from '../../src/process/layout.js';
import { fixtureJson } from '../support/child.js';
import { permissionsAt } from '../support/process-maps.js';

const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
const libc = koffi.load(null);
const mmap = libc.func(
  'intptr_t mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, int64_t offset)',
) as (...args: number[]) => number;
const munmap = libc.func('int munmap(uintptr_t addr, size_t length)') as (...args: number[]) => number;

let next = 0x5_0000_0000;

/** Three free addresses. */
function addresses(): [number, number, number] {
  next += 0x1000_0000;
  return [next, next + 0x100_0000, next + 0x200_0000];
}

/** A mapping of somebody else, readable and writable unless said otherwise. */
function stranger(address: number, protection = 3): number {
  return mmap(address, AREA_BYTES, protection, 0x22 | 0x10_0000, -1, 0);
}

function words(area: ArrayBuffer): Int32Array {
  return new Int32Array(area);
}

describe('the shared area', () => {
  it('is made once and found from then on', () => {
    const at = addresses();
    const first = words(openArea(at));
    const second = words(openArea(at));
    first[100] = 42;
    expect(second[100]).toBe(42);
    expect(Atomics.compareExchange(second, 100, 42, 43)).toBe(42);
    expect(first[100]).toBe(43);
    expect(permissionsAt(at[0])).toBe('rw-p');
    expect(first.subarray(0, 6)).toEqual(headerOf(process.pid, at[0]));
    expect(first.subarray(6, 100).every((word) => word === 0)).toBe(true);
  });

  it.each([
    ['can be read', 3],
    ['cannot be touched', 0],
  ])('goes round a stranger that %s, and leaves it alone', (_, protection) => {
    const at = addresses();
    expect(stranger(at[0], protection)).toBe(at[0]);
    const area = words(openArea(at));
    expect(area.subarray(0, 6)).toEqual(headerOf(process.pid, at[1]));
    if (protection === 3) {
      expect(words(koffi.view(at[0], AREA_BYTES)).every((word) => word === 0)).toBe(true);
    }
    // When the stranger goes, the area stays where it is.
    munmap(at[0], AREA_BYTES);
    area[200] = 7;
    expect(words(openArea(at))[200]).toBe(7);
    expect(permissionsAt(at[0])).toBeUndefined();
  });

  it('is refused where everything is taken', () => {
    const at = addresses();
    for (const address of at) stranger(address);
    expect(() => openArea(at)).toThrow('all addresses of the shared area are taken');
  });

  it.each([
    ['of another process, as after fork()', 3],
    ['that was moved', 4],
    ['without the right first word', 0],
    ['without the right second word', 1],
  ])('is not taken from a header %s', (_, word) => {
    const at = addresses();
    const found = words(openArea(at));
    found[word] = found[word]! + 1;
    expect(words(openArea(at)).subarray(0, 6)).toEqual(headerOf(process.pid, at[1]));
  });

  it('of another version is not read', () => {
    const at = addresses();
    words(openArea(at))[2] = 99;
    expect(() => openArea(at)).toThrow('another version of @guardstripe/mmap');
  });

  it('leaves no descriptor and no mapping behind when it is found', () => {
    expect(fixtureJson('process-area.mjs', ['find'])).toEqual({ descriptors: 0, mappings: 0 });
  });

  it('is one for three workers and three copies of the package in each', () => {
    const { threads, sums } = fixtureJson('process-area.mjs', ['share']) as {
      threads: number[];
      sums: number[];
    };
    expect(new Set(threads).size).toBe(4);
    expect(sums).toEqual([9, 9, 9]);
  });

  it('is a child’s own', () => {
    expect(fixtureJson('process-area.mjs', ['child'])).toEqual({ parent: 5, child: 0 });
  });
});
