import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { received, shown } from '../src/index.ts';

class Named {
  field = 1;
}

/** What Node itself says of a value, out of an error that it throws. */
function byNode(value: unknown): string {
  try {
    process.chdir(value as string);
  } catch (error) {
    return /Received (.*)$/s.exec((error as Error).message)?.[1] ?? '';
  }
  return '';
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

describe('received()', () => {
  it.each([
    undefined,
    null,
    true,
    0,
    -0,
    1.5,
    Number.NaN,
    Infinity,
    5n,
    Symbol('key'),
    Symbol('a'),
    [],
    {},
    new Map(),
    new Named(),
    new Date(0),
    function named() {},
    Named,
  ])('says what Node says of %o', (value) => {
    expect(received(value)).toBe(byNode(value));
  });

  it('cuts and quotes text like Node', () => {
    expect(received('x')).toBe("type string ('x')");
    expect(received('x'.repeat(29))).toBe(`type string ('${'x'.repeat(25)}...')`);
    expect(shown("it's\n\u001B[31m")).toBe(String.raw`'it\'s\n\u001b[31m'`);
    expect(shown(String.raw`a\"b`)).toBe(String.raw`'a\\"b'`);
  });

  it('separates the digits of large integers', () => {
    expect(shown(2 ** 32)).toBe('4294967296');
    expect(shown(2 ** 32 + 1)).toBe('4_294_967_297');
    expect(shown(-(2 ** 40))).toBe('-1_099_511_627_776');
    expect(shown(1e300)).toBe('1e+300');
  });

  it.each<[string, unknown, string]>([
    ['no prototype', Object.create(null), '[Object: null prototype]'],
    ['a revoked proxy', revoked({}), 'an object that cannot be read'],
    ['a revoked proxy of an array', revoked([]), 'an object that cannot be read'],
    ['a revoked proxy of a function', revoked(() => undefined), 'a function that cannot be read'],
    ['no constructor', { constructor: undefined }, 'an object'],
    ['a constructor without a name', { constructor: Object.assign(() => undefined) }, 'an object'],
    ['a constructor that is none', { constructor: 7 }, 'an object'],
    [
      'a function without a name',
      (
        () => () =>
          undefined
      )(),
      'an anonymous function',
    ],
    [
      'a getter that throws',
      Object.defineProperty({}, 'constructor', {
        get() {
          throw new Error('not me');
        },
      }),
      'an object that cannot be read',
    ],
    [
      'a name that is no text',
      Object.defineProperty(() => 0, 'name', { value: Symbol('no') }),
      'an anonymous function',
    ],
    ['a long bigint', 10n ** 40n, `type bigint (1${'0'.repeat(24)}...n)`],
  ])('has words for %s', (_, value, words) => {
    expect(received(value)).toBe(words);
  });

  it('stays short for text of any length', () => {
    const long = 'x'.repeat(2 ** 28);
    expect(received(long).length).toBeLessThan(60);
    expect(received(Symbol(long)).length).toBeLessThan(60);
  });

  it('never throws and never breaks the line, whatever it gets', () => {
    const anything = fc.anything({
      withBigInt: true,
      withNullPrototype: true,
      withObjectString: true,
      withTypedArray: true,
      withSparseArray: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const text = received(value);
        expect(text.length, inspect(value)).toBeLessThan(80);
        expect(text).not.toMatch(/\n/);
      }),
    );
  });
});
