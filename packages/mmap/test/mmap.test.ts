import { describe, expect, it } from 'vitest';

import { memoryImage, Mmap, platform, type Access, type ProtectionGuard } from '../src/index.js';
import { isMapped, permissionsAt } from './support/process-maps.js';

const { pageSize } = platform();

const bytesOf = (map: Mmap, offset: number, byteLength: number) =>
  new Uint8Array(map.view(offset, byteLength));

describe('making a map', () => {
  it('reserves what was asked for, and gives it back', () => {
    const map = Mmap.reserve(64 * 2 ** 30);
    expect(map.byteLength).toBe(64 * 2 ** 30);
    expect(map.address % pageSize).toBe(0);
    expect(isMapped(map.address)).toBe(true);
    expect(isMapped(map.address + map.byteLength - 1)).toBe(true);
    map.close();
    expect(map.closed).toBe(true);
    expect(isMapped(map.address)).toBe(false);
  });

  it('anonymous memory is zero and writable to the last byte', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const bytes = bytesOf(map, 0, map.byteLength);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    bytes.fill(1);
    expect(bytes.at(-1)).toBe(1);
  });

  it('accessibleReserved opens the front only, from nothing to all', () => {
    for (const accessiblePages of [0, 1, 3, 4]) {
      using map = Mmap.accessibleReserved(accessiblePages * pageSize, 4 * pageSize);
      expect(map.byteLength).toBe(4 * pageSize);
      if (accessiblePages > 0) bytesOf(map, 0, accessiblePages * pageSize).fill(3);
    }
  });

  it('using closes', () => {
    let outer: Mmap;
    {
      using map = Mmap.anonymous(pageSize);
      outer = map;
    }
    expect(outer.closed).toBe(true);
  });

  it('the constructor is not for users', () => {
    const constructor = Mmap as unknown as new (...args: unknown[]) => Mmap;
    expect(() => new constructor(Symbol('Mmap'), {})).toThrow(/Mmap\.reserve/);
  });

  it.each([
    ['nothing', 0, 'ERR_OUT_OF_RANGE', /"byteLength" .* (at least one page|>= 1)/],
    ['a negative size', -pageSize, 'ERR_OUT_OF_RANGE', /Received -/],
    ['NaN', Number.NaN, 'ERR_OUT_OF_RANGE', /Received NaN/],
    ['infinity', Infinity, 'ERR_OUT_OF_RANGE', /Received Infinity/],
    ['past the safe integers', 2 ** 53, 'ERR_OUT_OF_RANGE', /<= 90071992547[34]/],
    ['a string', '4096', 'ERR_INVALID_ARG_TYPE', /Received type string \('4096'\)/],
    ['a bigint', 4096n, 'ERR_INVALID_ARG_TYPE', /Received type bigint \(4096n\)/],
  ])('refuses %s', (_, byteLength, code, message) => {
    for (const make of [(n: number) => Mmap.reserve(n), (n: number) => Mmap.anonymous(n)]) {
      expect(() => make(byteLength as number)).toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
      );
    }
  });

  it.each([100, pageSize * 1.5])('reserves whole pages only, not %s bytes', (byteLength) => {
    expect(() => Mmap.reserve(byteLength)).toThrow(/"byteLength" .* multiple of the page size/);
  });

  it('refuses more accessible than reserved, and options that are none', () => {
    expect(() => Mmap.accessibleReserved(2 * pageSize, pageSize)).toThrow(
      /accessibleBytes.*at most totalBytes/,
    );
    expect(() => Mmap.reserve(pageSize, 5 as never)).toThrow(/"options".*object/);
    expect(() => Mmap.reserve(pageSize, { virtualMemory: 5 as never })).toThrow(/VirtualMemory/);
  });
});

describe('pages', () => {
  it('decommit brings zeros back and keeps neighbours and protection', () => {
    using map = Mmap.anonymous(5 * pageSize);
    const bytes = bytesOf(map, 0, map.byteLength).fill(6);
    map.decommit(pageSize, 2 * pageSize);
    expect(bytes.subarray(0, pageSize).every((byte) => byte === 6)).toBe(true);
    expect(bytes.subarray(pageSize, 3 * pageSize).every((byte) => byte === 0)).toBe(true);
    expect(bytes.subarray(3 * pageSize).every((byte) => byte === 6)).toBe(true);
    bytes[pageSize] = 1;
    expect(bytes[pageSize]).toBe(1);
  });

  it('decommit brings the image back', () => {
    using map = Mmap.anonymous(6 * pageSize);
    using image = memoryImage(new Uint8Array(2 * pageSize - 10).fill(9));
    const bytes = bytesOf(map, 0, map.byteLength).fill(1);
    map.mapImageAt(image, 2 * pageSize);
    const expected = new Uint8Array(map.byteLength).fill(1);
    expected.fill(9, 2 * pageSize, 4 * pageSize - 10).fill(0, 4 * pageSize - 10, 4 * pageSize);
    expect(Buffer.compare(bytes, expected)).toBe(0);

    bytes.fill(77);
    map.decommit(0, map.byteLength);
    expected.fill(0, 0, 2 * pageSize).fill(0, 4 * pageSize);
    expect(Buffer.compare(bytes, expected)).toBe(0);
  });

  it('two maps of one image do not see each other, and the image may be closed', () => {
    const image = memoryImage(new Uint8Array(pageSize).fill(4));
    using first = Mmap.anonymous(pageSize);
    using second = Mmap.anonymous(pageSize);
    first.mapImageAt(image, 0);
    second.mapImageAt(image, 0);
    image.close();
    bytesOf(first, 0, pageSize).fill(5);
    expect(bytesOf(second, 0, pageSize)[0]).toBe(4);
    first.decommit(0, pageSize);
    expect(bytesOf(first, 0, pageSize)[0]).toBe(4);
  });

  it('remapAsZerosAt replaces an image by zeros for good, without access unless asked for', () => {
    using map = Mmap.anonymous(4 * pageSize);
    using image = memoryImage(new Uint8Array(2 * pageSize).fill(9));
    map.mapImageAt(image, pageSize);
    map.remapAsZerosAt(pageSize, 2 * pageSize);
    map.makeAccessible(pageSize, 2 * pageSize);
    const bytes = bytesOf(map, pageSize, 2 * pageSize);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    map.decommit(pageSize, 2 * pageSize);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    map.remapAsZerosAt(0, pageSize, 'read-write');
    bytesOf(map, 0, pageSize).fill(1);
  });

  it('a part of an image is mapped alone, and comes back when its pages are dropped', () => {
    using map = Mmap.anonymous(4 * pageSize);
    const pages = [1, 2, 3, 4, 5].map((value) => new Uint8Array(pageSize).fill(value));
    using image = memoryImage(Buffer.concat(pages));
    const firstBytes = () => [0, 1, 2, 3].map((page) => new Uint8Array(map.view())[page * pageSize]);
    map.mapImageAt(image, pageSize, 'read-write', { imageOffset: 2 * pageSize, byteLength: 2 * pageSize });
    expect(firstBytes()).toEqual([0, 3, 4, 0]);
    bytesOf(map, 0, map.byteLength).fill(9);
    map.decommit(0, map.byteLength);
    expect(firstBytes()).toEqual([0, 3, 4, 0]);
    map.mapImageAt(image, 3 * pageSize, 'read', { imageOffset: 4 * pageSize });
    expect(firstBytes()).toEqual([0, 3, 4, 5]);
    map.mapImageAt(image, 0, 'read-write', { byteLength: pageSize });
    expect(firstBytes()).toEqual([1, 3, 4, 5]);
    map.mapImageAt(image, 0, 'read-write', { imageOffset: 5 * pageSize });
    expect(firstBytes()).toEqual([1, 3, 4, 5]);
  });

  it.each([
    ['ERR_OUT_OF_RANGE', { imageOffset: 1 }],
    ['ERR_OUT_OF_RANGE', { imageOffset: -pageSize }],
    ['ERR_OUT_OF_RANGE', { imageOffset: 4 * pageSize }],
    ['ERR_OUT_OF_RANGE', { byteLength: 4 * pageSize }],
    ['ERR_OUT_OF_RANGE', { imageOffset: 2 * pageSize, byteLength: 2 * pageSize }],
    ['ERR_OUT_OF_RANGE', { byteLength: Number.NaN }],
    ['ERR_INVALID_ARG_TYPE', { byteLength: '4096' as never }],
    ['ERR_INVALID_ARG_TYPE', { imageOffset: 0n as never }],
    ['ERR_INVALID_ARG_TYPE', null as never],
  ])('no part of an image: %s %o', (code, part) => {
    using map = Mmap.anonymous(8 * pageSize);
    using image = memoryImage(new Uint8Array(3 * pageSize).fill(1));
    expect(() => map.mapImageAt(image, 0, 'read-write', part)).toThrow(
      expect.objectContaining({ code }) as Error,
    );
    expect(bytesOf(map, 0, map.byteLength).every((byte) => byte === 0)).toBe(true);
  });

  it('an inaccessible page keeps its contents', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const bytes = bytesOf(map, 0, map.byteLength).fill(8);
    map.makeInaccessible(pageSize, pageSize);
    expect(bytes[0]).toBe(8);
    map.protect(pageSize, pageSize, 'read');
    expect(bytes[pageSize]).toBe(8);
  });

  it('an empty range does nothing, also at the very end', () => {
    using map = Mmap.reserve(3 * pageSize);
    using empty = memoryImage(new Uint8Array(0));
    for (const offset of [0, pageSize, 3 * pageSize]) {
      map.makeAccessible(offset, 0);
      map.makeInaccessible(offset, 0);
      map.protect(offset, 0, 'read');
      map.protectWithKey(offset, 0, 'read', 0);
      map.decommit(offset, 0);
      map.remapAsZerosAt(offset, 0);
      map.mapImageAt(empty, offset);
    }
    expect([0, 1, 2].map((page) => permissionsAt(map.address + page * pageSize))).toEqual(
      Array(3).fill('---p'),
    );
  });

  const BAD_RANGES = [
    [1, pageSize],
    [0, 4 * pageSize],
    [3 * pageSize, pageSize],
    [4 * pageSize, 0],
    [pageSize, Number.MAX_SAFE_INTEGER],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [-pageSize, pageSize],
    [0, -pageSize],
    [Number.NaN, pageSize],
    [0, Number.NaN],
    [0.5, pageSize],
  ] as const;

  it.each(BAD_RANGES)('refuses offset %d, length %d before asking the system', (offset, byteLength) => {
    using map = Mmap.anonymous(3 * pageSize);
    const bytes = bytesOf(map, 0, map.byteLength).fill(2);
    const calls = [
      () => map.makeAccessible(offset, byteLength),
      () => map.makeInaccessible(offset, byteLength),
      () => map.protect(offset, byteLength, 'none'),
      () => map.protectWithKey(offset, byteLength, 'none', 0),
      () => map.decommit(offset, byteLength),
      () => map.remapAsZerosAt(offset, byteLength, 'read-write'),
    ];
    for (const call of calls)
      expect(call).toThrow(
        expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }) as Error,
      );
    expect(bytes.every((byte) => byte === 2)).toBe(true);
  });

  it.each([
    [0, 100],
    [pageSize, pageSize + 1],
  ])('offset %d, length %d ends within a page: what is protected is all of it', (offset, byteLength) => {
    using map = Mmap.anonymous(3 * pageSize);
    map.write(0, new Uint8Array(map.byteLength).fill(2));
    const end = Math.ceil((offset + byteLength) / pageSize) * pageSize;
    for (const protect of [
      () => map.protect(offset, byteLength, 'none'),
      () => map.makeInaccessible(offset, byteLength),
      () => map.protectWhile(offset, byteLength, 'none'),
    ]) {
      const guard: unknown = protect();
      expect(map.pageAccess().find(({ access }) => access === 'none')).toEqual({
        offset,
        byteLength: end - offset,
        access: 'none',
      });
      (guard as ProtectionGuard | undefined)?.restore();
      map.makeAccessible(offset, byteLength);
      expect(map.pageAccess()).toEqual([{ offset: 0, byteLength: map.byteLength, access: 'read-write' }]);
    }
    // What loses bytes, or says who may reach them, takes whole pages only.
    for (const call of [
      () => map.protectWithKey(offset, byteLength, 'none', 0),
      () => map.decommit(offset, byteLength),
      () => map.decommitMany([{ offset, byteLength }]),
      () => map.remapAsZerosAt(offset, byteLength, 'read-write'),
      () => map.advise(offset, byteLength, 'free'),
    ])
      expect(call).toThrow(/page boundary/);
    expect(map.read(0, map.byteLength).every((byte) => byte === 2)).toBe(true);
  });

  it('refuses an image that does not fit, is closed, or is none', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const image = memoryImage(new Uint8Array(2 * pageSize));
    expect(() => map.mapImageAt(image, 2 * pageSize)).toThrow(RangeError);
    expect(() => map.mapImageAt(image, 8)).toThrow(/page boundary/);
    expect(() => map.mapImageAt({ byteLength: pageSize, fd: 0 } as never, 0)).toThrow(TypeError);
    image.close();
    expect(() => map.mapImageAt(image, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_MEMORY_IMAGE_CLOSED' }) as Error,
    );
  });

  it('refuses an unknown access, also for nothing', () => {
    using map = Mmap.anonymous(pageSize);
    for (const access of ['write', 'rw', '', 3, undefined, 'toString']) {
      expect(() => map.protect(0, pageSize, access as Access)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
      );
    }
    expect(() => map.remapAsZerosAt(0, 0, 'x' as Access)).toThrow(/'read-write'/);
    using image = memoryImage(new Uint8Array(1));
    expect(() => map.mapImageAt(image, 0, 'x' as Access)).toThrow(/'read-write'/);
    expect(() => map.protectWithKey(0, pageSize, 'x' as Access, 0)).toThrow(/'read-write'/);
  });
});
