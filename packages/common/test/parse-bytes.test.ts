import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatHexBytes, parseBytes } from '../src/index.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('parseBytes(): sizes as people write them', () => {
  it.each([
    [0, 0],
    [4096, 4096],
    ['0', 0],
    ['65536', 65_536],
    ['65_536', 65_536],
    ['12B', 12],
    ['64MiB', 64 * MIB],
    ['64 MiB', 64 * MIB],
    [' 64m ', 64 * MIB],
    ['4GiB', 4 * GIB],
    ['4G', 4 * GIB],
    ['1.5 TiB', 1.5 * 2 ** 40],
    ['0.5k', 512],
    ['0x1000', 4096],
    ['0X1_0000', 65_536],
    ['0xffff_f000', 0xffff_f000],
    [String(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER],
  ])('reads %j as %d', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  it.each([
    '',
    ' ',
    '_',
    '1_',
    '_1',
    'MiB',
    '-1',
    '+1',
    '1e3',
    '4GB',
    '64 MB',
    '4 gibibytes',
    '1.MiB',
    '.5GiB',
    '1,000',
    '0x',
    '0xg',
    '1KiB1',
    'Infinity',
    'NaN',
    '1constructor',
    '1__proto__',
    '1tostring',
  ])('refuses %j, which is no size', (text) => {
    expect(() => parseBytes(text, 'memoryGuardSize')).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining(`memoryGuardSize`) as string,
      }),
    );
  });

  it.each([
    [-1, 'ERR_OUT_OF_RANGE'],
    [0.5, 'ERR_OUT_OF_RANGE'],
    [Number.NaN, 'ERR_OUT_OF_RANGE'],
    [Infinity, 'ERR_OUT_OF_RANGE'],
    [2 ** 53, 'ERR_OUT_OF_RANGE'],
    ['9007199254740992', 'ERR_OUT_OF_RANGE'],
    ['8192TiB', 'ERR_OUT_OF_RANGE'],
    ['0x20000000000000', 'ERR_OUT_OF_RANGE'],
    ['0.1GiB', 'ERR_OUT_OF_RANGE'],
    ['1.5B', 'ERR_OUT_OF_RANGE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [true, 'ERR_INVALID_ARG_TYPE'],
    [4n, 'ERR_INVALID_ARG_TYPE'],
    [['4GiB'], 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %s with %s', (value, code) => {
    expect(() => parseBytes(value)).toThrow(expect.objectContaining({ code }));
  });

  it('reads back what formatHexBytes() and whole figures of formatBytes() write', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(1023), fc.nat(4), (bytes, figure, unit) => {
        expect(parseBytes(formatHexBytes(bytes))).toBe(bytes);
        const whole = figure * 1024 ** unit;
        expect(parseBytes(formatBytes(whole))).toBe(whole);
      }),
    );
  });
});
