import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform, type PageRange } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';

const { pageSize } = platform();
const range = (page: number, count = 1): PageRange => ({
  offset: page * pageSize,
  byteLength: count * pageSize,
});
const pagesOf = (map: Mmap) => {
  const bytes = new Uint8Array(map.view());
  return Array.from({ length: map.byteLength / pageSize }, (_, page) => bytes[page * pageSize]);
};

describe('decommitMany', () => {
  it('drops the ranges and nothing else, in any order, overlapping too', () => {
    using map = Mmap.anonymous(8 * pageSize);
    using image = memoryImage(new Uint8Array(pageSize).fill(5));
    map.mapImageAt(image, 6 * pageSize);
    new Uint8Array(map.view()).fill(1);
    map.decommitMany([range(6), range(1, 2), range(2), range(4, 0)]);
    expect(pagesOf(map)).toEqual([1, 0, 0, 1, 1, 1, 5, 1]);
    map.decommitMany(new Set([range(0)]));
    expect(pagesOf(map)).toEqual([0, 0, 0, 1, 1, 1, 5, 1]);
  });

  it('is one call, and none for nothing', () => {
    const faulty = new FaultyMemory();
    using map = Mmap.anonymous(8 * pageSize, { virtualMemory: faulty.virtualMemory });
    faulty.calls.length = 0;
    map.decommitMany([]);
    map.decommitMany([range(3, 0), range(8, 0)]);
    expect(faulty.calls).toEqual([]);
    map.decommitMany([range(0), range(3), range(5)]);
    expect(faulty.calls).toEqual(['decommitMany']);
    faulty.fail('decommitMany');
    expect(() => map.decommitMany([range(0)])).toThrow(/injected-decommitMany/);
  });

  it.each([
    [range(8)],
    [{ offset: 1, byteLength: pageSize }],
    [{ offset: 0, byteLength: 1 }],
    [{ offset: -pageSize, byteLength: pageSize }],
    [{ offset: 0, byteLength: Number.NaN }],
    [range(9, 0)],
  ])('one bad range among good ones, %o: nothing is dropped', (bad) => {
    using map = Mmap.anonymous(8 * pageSize);
    new Uint8Array(map.view()).fill(1);
    expect(() => map.decommitMany([range(0), bad, range(2)])).toThrow(RangeError);
    expect(pagesOf(map)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('refuses what is no list of ranges', () => {
    using map = Mmap.anonymous(pageSize);
    for (const ranges of [undefined, null, 5, {}, [5], [null], [undefined]])
      expect(() => map.decommitMany(ranges as never)).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }) as Error,
      );
    expect(() => map.decommitMany([{}] as never)).toThrow(TypeError);
  });

  it('ranges that move or close the map while they are read are checked against what is left', () => {
    using map = Mmap.anonymous(8 * pageSize);
    const moving = function* () {
      yield range(6);
      map.resize(2 * pageSize);
    };
    expect(() => map.decommitMany(moving())).toThrow(RangeError);
    const closing = function* () {
      yield range(0);
      map.close();
    };
    expect(() => map.decommitMany(closing())).toThrow(
      expect.objectContaining({ code: 'ERR_MMAP_CLOSED' }) as Error,
    );
  });
});
