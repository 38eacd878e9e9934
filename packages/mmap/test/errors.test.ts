import { openSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { fromNodeError, SystemError, ViewUnsupportedError } from '../src/errors.js';

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

describe('ViewUnsupportedError', () => {
  it('names the runtime', () => {
    expect(new ViewUnsupportedError(undefined).message).toMatch(/^This runtime refuses/);
  });
});
