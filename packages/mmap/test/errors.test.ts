import { openSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import {
  fromNodeError,
  invalidArgType,
  outOfRange,
  SystemError,
  ViewUnsupportedError,
} from '../src/errors.js';
import { hex, received, size } from '../src/format.js';

describe('SystemError', () => {
  it("has the fields and the grammar of Node's own", () => {
    let own: NodeJS.ErrnoException | undefined;
    try {
      openSync('/nonexistent/file', 'r');
    } catch (error) {
      own = error as NodeJS.ErrnoException;
    }
    const ours = new SystemError(2, { syscall: 'open', details: { path: '/nonexistent/file' } });
    expect(ours).toMatchObject({
      code: own?.code,
      errno: own?.errno,
      syscall: own?.syscall,
      name: 'SystemError',
    });
    expect(ours.message).toBe('ENOENT: no such file or directory, open (path /nonexistent/file)');
    expect('address' in ours).toBe(false);
  });

  it('knows what to call a number that it does not know', () => {
    expect(new SystemError(4000, { syscall: 'x' })).toMatchObject({ code: 'ERRNO_4000', errno: -4000 });
  });

  it('wraps errors of node:fs and nothing else', () => {
    const plain = new Error('plain');
    expect(fromNodeError(plain)).toBe(plain);
    expect(fromNodeError('text')).toBe('text');
    const own = Object.assign(new Error('EBADF'), { errno: -9, syscall: 'fstat', code: 'EBADF' });
    expect(fromNodeError(own)).toMatchObject({ code: 'EBADF', errno: -9, syscall: 'fstat', cause: own });
  });
});

describe('messages', () => {
  it('sizes in hex and units', () => {
    expect([0, 1000, 65_536, 1.5 * 2 ** 30, 2 ** 52].map(size)).toEqual([
      '0x0 (0 bytes)',
      '0x3e8 (1000 bytes)',
      '0x10000 (64 KiB)',
      '0x60000000 (1.5 GiB)',
      '0x10000000000000 (4 PiB)',
    ]);
    expect([0, 255, -1].map(hex)).toEqual(['0x0', '0xff', '-0x1']);
  });

  it('any value can be shown', () => {
    const values = [
      1,
      'a',
      'x'.repeat(50),
      5n,
      null,
      undefined,
      Symbol('s'),
      new Map(),
      Object.create(null),
      Math.max,
    ];
    expect(values.map(received)).toEqual([
      '1',
      '"a"',
      `"${'x'.repeat(40)}..."`,
      '5n',
      'null',
      'undefined',
      'Symbol(s)',
      'an instance of Map',
      'an instance of Object',
      'function max',
    ]);
  });

  it('argument errors name the field, the rule and the value', () => {
    expect(invalidArgType('offset', 'a number', '5').message).toBe(
      'The "offset" argument must be a number. Received "5"',
    );
    expect(outOfRange('offset', 'at most 10', 4096).message).toBe(
      'The value of "offset" is out of range. It must be at most 10. Received 4096 = 0x1000 (4 KiB)',
    );
    expect(new ViewUnsupportedError(undefined).message).toMatch(/^This runtime refuses/);
  });
});
