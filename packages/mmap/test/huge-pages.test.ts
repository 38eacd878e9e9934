import { closeSync, ftruncateSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { HugePagesUnavailableError, Mmap, platform, SystemError, type VirtualMemory } from '../src/index.js';
import { FaultyMemory } from './support/faulty.js';

const MiB = 2 ** 20;
import { isMapped } from './support/process-maps.js';
import { hugeMemoryFile } from './support/raw.js';

const { pageSize } = platform();

/** The real system, but for huge pages, which are small ones of the same address and length. */
function pretended(defaultHugePageBytes: number | undefined): {
  virtualMemory: VirtualMemory;
  calls: unknown[][];
} {
  const real = platform();
  const calls: unknown[][] = [];
  const overrides = {
    defaultHugePageBytes: () => defaultHugePageBytes,
    mapHugePages(byteLength: number, hugePageBytes: number) {
      const area = real.reserve(byteLength + hugePageBytes);
      const address = Math.ceil(area / hugePageBytes) * hugePageBytes;
      if (address > area) real.unmap(area, address - area);
      real.unmap(address + byteLength, hugePageBytes - (address - area));
      real.protect(address, byteLength, 'read-write');
      calls.push(['mapHugePages', byteLength, hugePageBytes]);
      return address;
    },
  };
  const virtualMemory = new Proxy(real, {
    get(target, name: keyof VirtualMemory) {
      if (name in overrides) return overrides[name as keyof typeof overrides];
      const value = target[name];
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        calls.push([name, ...args]);
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  return { virtualMemory, calls };
}

describe('lengths of huge mappings', () => {
  it('are rounded up for unmap, protect and the rest; the map is as long as asked', () => {
    const { virtualMemory, calls } = pretended(2 * MiB);
    const map = Mmap.anonymous(5 * MiB, { hugePages: true, virtualMemory });
    const { address } = map;
    expect(map.byteLength).toBe(5 * MiB);
    expect(map.view().byteLength).toBe(5 * MiB);
    map.protect(0, 5 * MiB, 'read');
    map.protect(2 * MiB, 3 * MiB, 'read-write');
    map.decommit(4 * MiB, MiB);
    map.lock(0, 2 * MiB);
    map.unlock(0, 2 * MiB);
    map.decommitMany([{ offset: 0, byteLength: 2 * MiB }]);
    map.close();
    expect(calls.filter(([name]) => name !== 'decommitMany')).toEqual([
      ['mapHugePages', 6 * MiB, 2 * MiB],
      ['protect', address, 6 * MiB, 'read'],
      ['protect', address + 2 * MiB, 4 * MiB, 'read-write'],
      ['decommit', address + 4 * MiB, 2 * MiB],
      ['lock', address, 2 * MiB, false],
      ['unlock', address, 2 * MiB],
      ['mapZeros', address, 6 * MiB, 'read-write'],
    ]);
  });

  it('ranges count in huge pages', () => {
    const { virtualMemory, calls } = pretended(2 * MiB);
    using map = Mmap.anonymous(5 * MiB, { hugePages: true, virtualMemory });
    expect(() => map.protect(pageSize, 2 * MiB, 'read')).toThrow(/page boundary \(pages of 2097152/);
    expect(() => map.decommit(0, pageSize)).toThrow(RangeError);
    expect(() => map.advise(MiB, MiB, 'free')).toThrow(RangeError);
    calls.length = 0;
    map.lock(3 * MiB - 1, 1);
    map.unlock(MiB, 2 * MiB);
    map.protect(0, pageSize, 'read');
    expect(calls).toEqual([
      ['lock', map.address + 2 * MiB, 2 * MiB, false],
      ['unlock', map.address, 4 * MiB],
      ['protect', map.address, 2 * MiB, 'read'],
    ]);
    expect(map.residentPages(pageSize, 1)).toHaveLength(1);
    map.resize(3 * MiB);
    expect(map.byteLength).toBe(3 * MiB);
  });

  it('a size may be named, or be the system default', () => {
    const { virtualMemory, calls } = pretended(2 * MiB);
    Mmap.anonymous(pageSize, { hugePages: 4 * MiB, virtualMemory }).close();
    expect(calls[0]).toEqual(['mapHugePages', 4 * MiB, 4 * MiB]);
    Mmap.anonymous(pageSize, { hugePages: false, virtualMemory }).close();
    expect(calls.at(-1)?.[2]).toBe(pageSize);
  });

  it.each([0, pageSize, 3 * MiB, -2 * MiB, 0.5, Number.NaN, Infinity, '2M', null, 2 ** 53])(
    'refuses huge pages of %s',
    (hugePages) => {
      const { virtualMemory, calls } = pretended(2 * MiB);
      expect(() => Mmap.anonymous(4 * MiB, { hugePages: hugePages as never, virtualMemory })).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }) as Error,
      );
      expect(calls).toEqual([]);
    },
  );

  it('refuses lengths as other maps do', () => {
    const { virtualMemory } = pretended(2 * MiB);
    for (const byteLength of [0, 0.5, -MiB, Number.NaN, Number.MAX_SAFE_INTEGER - 4095])
      expect(() => Mmap.anonymous(byteLength, { hugePages: true, virtualMemory })).toThrow(RangeError);
  });
});

describe('a system without huge pages', () => {
  it('says so', () => {
    const { virtualMemory } = pretended(undefined);
    expect(() => Mmap.anonymous(MiB, { hugePages: true, virtualMemory })).toThrow(HugePagesUnavailableError);
    const faulty = new FaultyMemory();
    faulty.fail('mapHugePages');
    expect(() =>
      Mmap.anonymous(3 * MiB, { hugePages: 2 * MiB, virtualMemory: faulty.virtualMemory }),
    ).toThrow(
      expect.objectContaining({
        name: 'HugePagesUnavailableError',
        code: 'ERR_HUGE_PAGES_UNAVAILABLE',
        cause: expect.any(SystemError) as SystemError,
        message: expect.stringMatching(
          /no 2 free huge pages of 0x200000 \(2 MiB\).*vm\.nr_hugepages/,
        ) as string,
      }) as Error,
    );
  });
});

const meminfo = readFileSync('/proc/meminfo', 'latin1');
const numFree = Number(/^HugePages_Free:\s+(\d+)/m.exec(meminfo)?.[1] ?? 0);

describe('the real kernel', () => {
  it('has no huge page of 2^50 bytes', () => {
    expect(() => Mmap.anonymous(pageSize, { hugePages: 2 ** 50 })).toThrow(HugePagesUnavailableError);
  });

  it('gives no more huge pages than are free', () => {
    expect(() => Mmap.anonymous(2 ** 46, { hugePages: true })).toThrow(HugePagesUnavailableError);
  });

  // `vm.nr_hugepages=4` turns this on; with GUARDSTRIPE_REQUIRE_HUGE_PAGES it may not be skipped.
  const required = process.env['GUARDSTRIPE_REQUIRE_HUGE_PAGES'] !== undefined;
  it.runIf(numFree >= 3 || required)(
    'maps, protects, drops, shrinks and unmaps real ones (skipped unless 3 are free)',
    () => {
      const hugePageBytes = platform().defaultHugePageBytes()!;
      const freePages = () =>
        Number(/^HugePages_Free:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]);
      const map = Mmap.anonymous(2 * hugePageBytes + pageSize, { hugePages: true });
      expect(map.address % hugePageBytes).toBe(0);
      const bytes = new Uint8Array(map.view());
      for (let at = 0; at < bytes.length; at += pageSize) bytes[at] = 1;
      expect(freePages()).toBe(numFree - 3);
      map.protect(hugePageBytes, hugePageBytes + pageSize, 'read');
      map.protect(0, map.byteLength, 'read-write');
      map.protectWhile(0, hugePageBytes, 'none').restore();
      map.decommit(hugePageBytes, hugePageBytes);
      expect([bytes[0], bytes[hugePageBytes], bytes[2 * hugePageBytes]]).toEqual([1, 0, 1]);
      expect(() => map.resize(4 * hugePageBytes)).toThrow(SystemError);
      map.resize(hugePageBytes);
      expect(map.resident()).toBe(hugePageBytes);
      map.close();
      expect(freePages()).toBe(numFree);
    },
  );

  it.runIf(numFree >= 3 || required)(
    'maps a part of a file on hugetlbfs, and unmaps it (skipped unless 3 are free)',
    () => {
      const hugePageBytes = platform().defaultHugePageBytes()!;
      const fd = hugeMemoryFile('huge');
      ftruncateSync(fd, 2 * hugePageBytes);
      for (const [offset, byteLength] of [
        [0, 100],
        [hugePageBytes - 1, 2],
        [hugePageBytes + pageSize, pageSize],
      ] as const) {
        const map = Mmap.fromFile(fd, { offset, byteLength, access: 'read-write' });
        new Uint8Array(map.view()).fill(7);
        map.protect(0, byteLength, 'read');
        const { address } = map;
        map.close({ unsafe: true });
        expect(isMapped(address)).toBe(false);
        const watched = Mmap.fromFile(fd, { offset, byteLength });
        expect(new Uint8Array(watched.view())).toEqual(new Uint8Array(byteLength).fill(7));
        watched.close();
        expect(watched.closed).toBe(true);
      }
      closeSync(fd);
    },
  );
});
