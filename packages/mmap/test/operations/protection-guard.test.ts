import fc from 'fast-check';
import { collect } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform, type Access } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { permissionsAt } from '../support/process-maps.js';
import { mprotect } from '../support/raw.js';

const { pageSize } = platform();
const WORDS: Record<string, Access> = {
  '---p': 'none',
  'r--p': 'read',
  'rw-p': 'read-write',
  'r-xp': 'read-execute',
};

const accesses = (map: Mmap) =>
  Array.from(
    { length: map.byteLength / pageSize },
    (_, page) => WORDS[permissionsAt(map.address + page * pageSize) ?? ''],
  );

/** Pages: rw, none, read, rw of an image, rw of the image, read-execute, none. */
function mixed(virtualMemory = platform()): Mmap {
  const map = Mmap.reserve(7 * pageSize, { virtualMemory });
  map.makeAccessible(0, pageSize);
  map.protect(2 * pageSize, pageSize, 'read');
  {
    using image = memoryImage(new Uint8Array(2 * pageSize).fill(6));
    map.mapImageAt(image, 3 * pageSize);
  }
  map.protect(5 * pageSize, pageSize, 'read-execute');
  return map;
}

const code = (name: string) => expect.objectContaining({ code: name }) as Error;
const MIXED = ['read-write', 'none', 'read', 'read-write', 'read-write', 'read-execute', 'none'];

describe('protectWhile', () => {
  it.each<Access>(['none', 'read', 'read-write', 'read-execute'])(
    '%s for a while, then every page as before',
    (access) => {
      using map = mixed();
      expect(accesses(map)).toEqual(MIXED);
      {
        using guard = map.protectWhile(pageSize, 5 * pageSize, access);
        expect(guard.restored).toBe(false);
        expect(accesses(map)).toEqual([MIXED[0], access, access, access, access, access, MIXED[6]]);
      }
      expect(accesses(map)).toEqual(MIXED);
      expect(new Uint8Array(map.view(3 * pageSize, 1))[0]).toBe(6);
    },
  );

  it('restores in a throw, once, and guards within guards in turn', () => {
    using map = mixed();
    expect(() => {
      using _outer = map.protectWhile(0, map.byteLength, 'read');
      using _inner = map.protectWhile(pageSize, 2 * pageSize, 'none');
      expect(accesses(map).slice(0, 4)).toEqual(['read', 'none', 'none', 'read']);
      throw new Error('out');
    }).toThrow('out');
    expect(accesses(map)).toEqual(MIXED);
    const guard = map.protectWhile(0, pageSize, 'none');
    guard.restore();
    expect(guard.restored).toBe(true);
    map.protect(0, pageSize, 'read');
    guard.restore();
    guard[Symbol.dispose]();
    expect(accesses(map)[0]).toBe('read');
  });

  it('what changed behind the map is what it restores', () => {
    using map = Mmap.anonymous(3 * pageSize);
    platform().protect(map.address + pageSize, pageSize, 'read');
    map.protectWhile(0, map.byteLength, 'none').restore();
    expect(accesses(map)).toEqual(['read-write', 'read', 'read-write']);
  });

  it('does nothing to a closed map, nor to who is at its address then', () => {
    const map = Mmap.anonymous(3 * pageSize);
    const guard = map.protectWhile(0, map.byteLength, 'read');
    map.close();
    using next = Mmap.reserve(3 * pageSize);
    expect(guard.restored).toBe(true);
    guard.restore();
    expect(accesses(next)).toEqual(['none', 'none', 'none']);
  });

  it('keeps the map from being resized, an empty one as well', () => {
    using map = Mmap.anonymous(3 * pageSize);
    for (const byteLength of [3 * pageSize, 0]) {
      const guard = map.protectWhile(0, byteLength, 'read');
      expect(() => map.resize(pageSize)).toThrow(expect.objectContaining({ code: 'ERR_MMAP_BUSY' }) as Error);
      guard.restore();
    }
    map.resize(2 * pageSize);
  });

  it('refuses pages that it could not put back, and leaves them', () => {
    using map = Mmap.anonymous(3 * pageSize);
    expect(mprotect(map.address + pageSize, pageSize, 7)).toBe(0);
    expect(() => map.protectWhile(0, map.byteLength, 'none')).toThrow(
      expect.objectContaining({ code: 'ERR_MMAP_UNKNOWN_ACCESS' }) as Error,
    );
    expect(permissionsAt(map.address)).toBe('rw-p');
    expect(permissionsAt(map.address + pageSize)).toBe('rwxp');
    map.protectWhile(2 * pageSize, pageSize, 'none').restore();
  });

  it('refuses ranges and accesses as protect does', () => {
    using map = Mmap.anonymous(3 * pageSize);
    expect(() => map.protectWhile(1, pageSize, 'read')).toThrow(RangeError);
    expect(() => map.protectWhile(0, 4 * pageSize, 'read')).toThrow(RangeError);
    expect(() => map.protectWhile(0, pageSize, 'rwx' as never)).toThrow(TypeError);
    map.resize(2 * pageSize);
  });

  it('each call refused once: nothing changes, or restoring can be tried again', () => {
    const faulty = new FaultyMemory();
    using map = mixed(faulty.virtualMemory);
    faulty.fail('accessOf');
    expect(() => map.protectWhile(0, map.byteLength, 'read')).toThrow(/injected-accessOf/);
    faulty.fail('protect');
    expect(() => map.protectWhile(0, map.byteLength, 'read')).toThrow(/injected-protect/);
    expect(accesses(map)).toEqual(MIXED);
    faulty.heal();
    const guard = map.protectWhile(0, map.byteLength, 'read');
    faulty.fail('protect');
    expect(() => guard.restore()).toThrow(/injected-protect/);
    expect(guard.restored).toBe(false);
    faulty.heal();
    guard.restore();
    expect(accesses(map)).toEqual(MIXED);
  });

  it('a change that stopped half-way is taken back', () => {
    using image = memoryImage(new Uint8Array(pageSize));
    using map = Mmap.anonymous(3 * pageSize);
    // The sealed file itself, shared: it refuses to become writable, after the page before it did.
    platform().mapFile(image.fd, 0, map.address + pageSize, pageSize, 'read', 'shared');
    map.protect(0, pageSize, 'read');
    expect(() => map.protectWhile(0, map.byteLength, 'read-write')).toThrow(/mprotect/);
    expect(accesses(map)[0]).toBe('read');
    expect(permissionsAt(map.address + pageSize)).toBe('r--s');
  });
});

describe('guards of one map', () => {
  it('end in any order, and the pages are as before the first', () => {
    const range = fc.record({
      page: fc.nat(6),
      count: fc.integer({ min: 1, max: 7 }),
      access: fc.constantFrom<Access>('none', 'read', 'read-write', 'read-execute'),
    });
    fc.assert(
      fc.property(
        fc.array(range, { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(fc.nat()),
        (ranges, picks) => {
          using map = mixed();
          const guards = ranges.map(({ page, count, access }) =>
            map.protectWhile(page * pageSize, Math.min(count, 7 - page) * pageSize, access),
          );
          const open = ranges.map((range, i) => ({ ...range, guard: guards[i]! }));
          while (open.length > 0) {
            const [ended] = open.splice(picks.next().value! % open.length, 1);
            ended!.guard.restore();
            // A page shows what its latest open guard made of it.
            const expected = MIXED.map(
              (before, page) =>
                open.findLast((range) => range.page <= page && page < range.page + range.count)?.access ??
                before,
            );
            expect(accesses(map)).toEqual(expected);
          }
          map.resize(3 * pageSize);
        },
      ),
    );
  });

  it('one that is lost is restored when it is collected, and the map can be resized', async () => {
    using map = Mmap.anonymous(3 * pageSize);
    const warnings: Error[] = [];
    process.once('warning', (warning) => warnings.push(warning));
    (() => map.protectWhile(0, 2 * pageSize, 'none'))();
    expect(() => map.resize(6 * pageSize)).toThrow(code('ERR_MMAP_BUSY'));
    expect(await collect(() => accesses(map)[0] === 'read-write')).toBe(true);
    map.resize(6 * pageSize);
    expect(map.byteLength).toBe(6 * pageSize);
    await collect(() => warnings.length > 0);
    expect(warnings).toMatchObject([{ code: 'GUARDSTRIPE_MMAP_GUARD_LOST' }]);
  });
});
