import { expect, it } from 'vitest';
import { checkIndex, isIndex, throwBadInteger } from '../src/checks.js';

it('an index is an integer from 0 to 2^31 - 1', () => {
  const indices = [0, -0, 1, 2 ** 31 - 1];
  const others = [
    -1,
    0.5,
    2 ** 31,
    2 ** 32,
    2 ** 32 + 1,
    Number.NaN,
    Infinity,
    '1',
    1n,
    null,
    undefined,
    [1],
  ];
  expect(indices.filter((value) => !isIndex(value))).toEqual([]);
  expect(others.filter((value) => isIndex(value))).toEqual([]);
});

it('an index up to the last one is in range', () => {
  expect(() => checkIndex(5, 'slot', 5)).not.toThrow();
  expect(() => checkIndex(6, 'slot', 5)).toThrow(/"slot".*>= 0 && <= 5\. Received 6/);
});

it('a refusal never ends without an error, even of what should not have been refused', () => {
  expect(() => throwBadInteger(3, 'slot', 5)).toThrow('slot was refused by a check that it passes');
});
