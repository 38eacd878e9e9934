import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { mappingDetails } from '../support/process-maps.js';

const { pageSize } = platform();

describe('name', () => {
  it('is seen in /proc/self/maps where the kernel knows names, and false is said elsewhere', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const label = (page: number) => mappingDetails(map.address + page * pageSize)?.label;
    const known = map.name('guardstripe test');
    expect(label(1)).toBe(known ? '[anon:guardstripe test]' : '');
    expect(map.name('middle', pageSize, pageSize)).toBe(known);
    if (known)
      expect([0, 1, 2].map(label)).toEqual(
        ['test', 'middle', 'test'].map((end, i) => (i === 1 ? `[anon:${end}]` : '[anon:guardstripe test]')),
      );
    expect(map.name(null)).toBe(known);
    expect(label(0)).toBe('');
    new Uint8Array(map.view()).fill(1);
  });

  it('takes every character that the kernel takes, up to its limit', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const known = map.name('x');
    const allowed = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
      (character) => !'[]\\$`'.includes(character),
    );
    for (const character of allowed) expect(map.name(`a${character}b`)).toBe(known);
    expect(map.name('n'.repeat(79))).toBe(known);
    expect(map.name('')).toBe(known);
  });

  it.each(['a[b', 'a]', '$', '\\', '`', 'tab\t', 'ü', 'zero\0', '\x7f', 'n'.repeat(80)])(
    'refuses %j before asking',
    (name) => {
      const faulty = new FaultyMemory();
      using map = Mmap.anonymous(pageSize, { virtualMemory: faulty.virtualMemory });
      expect(() => map.name(name)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
      );
      expect(faulty.calls).not.toContain('name');
    },
  );

  it('refuses ranges outside, what is no name, and files', () => {
    using map = Mmap.anonymous(3 * pageSize);
    expect(() => map.name('a', pageSize, 3 * pageSize)).toThrow(RangeError);
    expect(() => map.name('a', 5)).toThrow(RangeError);
    expect(() => map.name(5 as never)).toThrow(TypeError);
    expect(map.name('a', 0, 0)).toBe(true);
    using image = memoryImage(new Uint8Array(pageSize));
    using file = Mmap.fromFile(image.fd);
    expect(() => file.name('a')).toThrow(/maps of no file/);
  });

  it('refuses an offset that is no number with a code', () => {
    using map = Mmap.anonymous(3 * pageSize);
    for (const offset of [1n, Symbol('x'), '1', null]) {
      const expected = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error;
      expect(() => map.name('x', offset as never)).toThrow(expected);
      expect(() => map.view(offset as never)).toThrow(expected);
    }
  });
});
