import { describe, expect, it } from 'vitest';
import { settingReaders } from '../../src/index.js';

const { count, countUpTo, feature, flag, size } = settingReaders;

describe('a reader', () => {
  it('of yes and no knows all words for them, and no others', () => {
    expect(['y', 'yes', 'true', true].map((value) => flag(value, 'x'))).toEqual([true, true, true, true]);
    expect(['n', 'no', 'false', false].map((value) => flag(value, 'x'))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    for (const other of ['', 'Y', 'on', 1, null]) expect(() => flag(other, 'x')).toThrow('"x"');
  });

  it('of features takes yes and no for always and never', () => {
    expect(['y', 'YES', 'true', true, 'Enable'].map((value) => feature(value, 'x'))).toEqual(
      Array.from({ length: 5 }, () => 'enable'),
    );
    expect(['n', 'no', 'false', false, 'disable'].map((value) => feature(value, 'x'))).toEqual(
      Array.from({ length: 5 }, () => 'disable'),
    );
    expect(feature('auto', 'x')).toBe('auto');
    expect(() => feature('often', 'x')).toThrow("'x' must be one of: 'auto', 'enable', 'disable'");
  });

  it.each([
    [Number.NaN, 0],
    ['7', 0],
    [7, Number.NaN],
    [7, 8],
    [-1, undefined],
  ])('of counts has bounds: %s and %s are none', (max, min) => {
    expect(() => countUpTo(max as number, min)).toThrow(/"(max|min)"/);
  });

  it('says what a value is called, so that must be text', () => {
    for (const reader of [count, countUpTo(5), size, flag, feature])
      expect(() => reader('wrong', 5 as never)).toThrow('"name" argument must be of type string');
  });

  it('of counts keeps to its bounds, both included', () => {
    const few = countUpTo(16, 2);
    expect([2, '16', '0x10'].map((value) => few(value, 'x'))).toEqual([2, 16, 16]);
    for (const other of [1, 17, '17']) expect(() => few(other, 'x')).toThrow('"x" is out of range');
    expect(count(2 ** 32 - 1, 'x')).toBe(2 ** 32 - 1);
    for (const other of ['', '1.5', '1e3', ' 1', '-1'])
      expect(() => count(other, 'x')).toThrow('must be a whole number such as 1000 or 0x3e8');
  });
});
