import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatHexBytes, size } from '../src/index.ts';

describe('formatBytes()', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [4096, '4 KiB'],
    [32 * 2 ** 20, '32 MiB'],
    [2 ** 20 - 1, '1 MiB'],
    [2 ** 20 - 6 * 1024, '1018 KiB'],
    [4 * 2 ** 30, '4 GiB'],
    [4 * 2 ** 30 + 32 * 2 ** 20, '4.03 GiB'],
    [2 ** 47, '128 TiB'],
    [Number.MAX_SAFE_INTEGER, '8 PiB'],
  ])('formats %i as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('refuses what is not a byte count', () => {
    for (const bytes of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => formatBytes(bytes)).toThrow(RangeError);
    expect(() => formatBytes('1' as unknown as number)).toThrow(TypeError);
  });
});

describe('size()', () => {
  it('is exact and readable, and never throws', () => {
    expect([0, 500, 65_536, 2 ** 20 - 1, -4096, Number.NaN, 0.5].map((bytes) => size(bytes))).toEqual([
      '0x0 (0 B)',
      '0x1f4 (500 B)',
      '0x10000 (64 KiB)',
      '0xfffff (1 MiB)',
      '-0x1000 (-4 KiB)',
      '0xNaN (NaN B)',
      '0x0.8 (0.5 B)',
    ]);
  });
});

describe('formatHexBytes() and formatCount()', () => {
  it('are exact', () => {
    expect(formatHexBytes(0)).toBe('0x0');
    expect(formatHexBytes(-4096)).toBe('-0x1000');
    expect(formatHexBytes(Number.MAX_SAFE_INTEGER)).toBe('0x1fffffffffffff');
    expect(() => formatHexBytes(1.5)).toThrow(RangeError);
    expect([0, 999, 1000, 65_530, 1_000_000].map((count) => formatCount(count))).toEqual([
      '0',
      '999',
      '1,000',
      '65,530',
      '1,000,000',
    ]);
  });
});
