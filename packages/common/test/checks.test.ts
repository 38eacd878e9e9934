import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  checkBoolean,
  checkByteRange,
  checkBytes,
  checkFunction,
  checkInstance,
  checkInteger,
  checkObject,
  checkOneOf,
  checkPages,
  checkPageSize,
  checkString,
} from '../src/index.ts';

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const STRANGE = [null, undefined, Object.create(null), revokedProxy(), 5n, Symbol('s'), [], () => 0];

function codeOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return (error as { code?: string }).code ?? `no code: ${String(error)}`;
  }
}

describe('checks of numbers', () => {
  const checks: Readonly<Record<string, (value: unknown) => void>> = {
    checkInteger: (value) => checkInteger(value, 'x'),
    checkBytes: (value) => checkBytes(value, 'x'),
    checkPages: (value) => checkPages(value, 'x', 4096, 0),
    checkPageSize: (value) => checkPageSize(value, 'x'),
    'checkByteRange, offset': (value) => checkByteRange(value, 0, 4096),
    'checkByteRange, length': (value) => checkByteRange(0, value, 4096),
  };
  it.each(Object.entries(checks))('%s tells kinds and ranges apart', (_, check) => {
    for (const value of [...STRANGE, '4096', true]) expect(codeOf(() => check(value))).toBe(TYPE);
    for (const value of [-1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 53])
      expect(codeOf(() => check(value))).toBe(RANGE);
    expect(codeOf(() => check(4096))).toBeUndefined();
  });

  it.each([2 ** 31, 2 ** 33, 1.5, Number.NaN, -1, '1', null, 7n])('say of %o what Node says', (value) => {
    const saidBy = (act: () => void) => {
      try {
        act();
        return 'nothing';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const ours = saidBy(() => checkInteger(value, 'keylen', 0, 2 ** 31 - 1));
    expect(ours).toBe(saidBy(() => scryptSync('', '', value as number)));
  });

  it('take the bounds themselves, and -0', () => {
    for (const value of [3, 5, 4]) expect(codeOf(() => checkInteger(value, 'x', 3, 5))).toBeUndefined();
    for (const value of [2, 6]) expect(codeOf(() => checkInteger(value, 'x', 3, 5))).toBe(RANGE);
    expect(codeOf(() => checkInteger(-0, 'x'))).toBeUndefined();
  });

  it('want whole pages, and as many as are asked for', () => {
    expect(codeOf(() => checkPages(0, 'x', 4096, 1))).toBe(RANGE);
    expect(codeOf(() => checkPages(4095, 'x', 4096, 0))).toBe(RANGE);
    expect(codeOf(() => checkPages(8192, 'x', 4096, 1))).toBeUndefined();
  });

  it('want page sizes that exist', () => {
    for (const bytes of [4096, 16_384, 65_536, 2 ** 30])
      expect(codeOf(() => checkPageSize(bytes))).toBeUndefined();
    for (const bytes of [0, 1, 2048, 4095, 12_288, 2 ** 31])
      expect(codeOf(() => checkPageSize(bytes))).toBe(RANGE);
  });

  it('keep ranges inside, also where a sum would round', () => {
    const largest = Number.MAX_SAFE_INTEGER;
    expect(codeOf(() => checkByteRange(0, 10, 10))).toBeUndefined();
    expect(codeOf(() => checkByteRange(10, 0, 10))).toBeUndefined();
    expect(codeOf(() => checkByteRange(11, 0, 10))).toBe(RANGE);
    expect(codeOf(() => checkByteRange(9, 2, 10))).toBe(RANGE);
    expect(codeOf(() => checkByteRange(largest, largest, largest))).toBe(RANGE);
  });
});

describe('checks of other kinds', () => {
  it.each<[string, (value: unknown) => void, unknown, string]>([
    ['checkBoolean', (value) => checkBoolean(value, 'x'), false, TYPE],
    ['checkString', (value) => checkString(value, 'x'), '', TYPE],
    ['checkOneOf', (value) => checkOneOf(value, 'x', ['a', 'b']), 'b', VALUE],
    ['checkInstance', (value) => checkInstance(value, 'x', Map), new Map(), TYPE],
  ])('%s', (_, check, good, code) => {
    expect(codeOf(() => check(good))).toBeUndefined();
    for (const value of [...STRANGE, 1, 'c']) {
      if (typeof value !== typeof good || code === VALUE) expect(codeOf(() => check(value))).toBe(code);
    }
  });

  it('an object is no array, function or revoked proxy, and may have no prototype', () => {
    for (const value of [{}, Object.create(null), new Map()])
      expect(codeOf(() => checkObject(value, 'x'))).toBeUndefined();
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    for (const value of [null, undefined, [], () => 0, revokedProxy(), proxy, 1, 'x'])
      expect(codeOf(() => checkObject(value, 'x'))).toBe(TYPE);
  });

  it('a function is anything that can be called', () => {
    expect(codeOf(() => checkFunction(Map, 'x'))).toBeUndefined();
    expect(codeOf(() => checkFunction({}, 'x'))).toBe(TYPE);
  });
});
