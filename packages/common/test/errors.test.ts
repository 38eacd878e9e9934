import { describe, expect, it } from 'vitest';
import { bytesOutOfRange, invalidArgType, invalidArgValue, outOfRange } from '../src/index.ts';

describe('errors of bad arguments', () => {
  it('are JavaScript’s own classes with a code that anyone can read', () => {
    const errors = [invalidArgType('a', 'b', 1), invalidArgValue('a', 'is bad', 1), outOfRange('a', 'b', 1)];
    expect(errors.map(({ name, code, constructor }) => [name, code, constructor])).toEqual([
      ['TypeError', 'ERR_INVALID_ARG_TYPE', TypeError],
      ['TypeError', 'ERR_INVALID_ARG_VALUE', TypeError],
      ['RangeError', 'ERR_OUT_OF_RANGE', RangeError],
    ]);
    for (const error of errors) expect(Object.keys(error)).toEqual(['code']);
  });

  it('speak as Node does', () => {
    expect(invalidArgType('offset', 'of type number', 'x').message).toBe(
      `The "offset" argument must be of type number. Received type string ('x')`,
    );
    expect(invalidArgType('options.offset', 'of type number', undefined).message).toBe(
      'The "options.offset" property must be of type number. Received undefined',
    );
    expect(invalidArgValue('access', "must be one of: 'read', 'none'", 'x').message).toBe(
      "The argument 'access' must be one of: 'read', 'none'. Received 'x'",
    );
    expect(invalidArgValue('options.access', 'is not known', -0).message).toBe(
      "The property 'options.access' is not known. Received -0",
    );
    expect(outOfRange('x', '>= 0 && <= 10', 11).message).toBe(
      'The value of "x" is out of range. It must be >= 0 && <= 10. Received 11',
    );
  });

  it('show bytes as sizes too, where they are whole', () => {
    expect(bytesOutOfRange('offset', 'a multiple of 4096', 4097).message).toContain(
      'Received 4097 = 0x1001 (4 KiB)',
    );
    expect(bytesOutOfRange('offset', 'an integer', 0.5).message).toMatch(/Received 0\.5$/);
  });
});
