import { describe, expect, it } from 'vitest';

import { platform } from '../src/index.js';
import { runFixture } from './support/child.js';

const { pageSize } = platform();

/** `fixtures/touch.mjs`: pages 0 and 3 read-write, 1 none, 2 read, 4 to 11 none. */
const CASES = [
  ['read', 0, true],
  ['read', pageSize - 1, true],
  ['read', pageSize, false],
  ['read', 2 * pageSize - 1, false],
  ['read', 2 * pageSize, true],
  ['write', 2 * pageSize, false],
  ['write', 4 * pageSize - 1, true],
  ['write', 4 * pageSize, false],
  ['read', 4 * pageSize, false],
  ['read', 12 * pageSize - 1, false],
] as const;

describe('a child process that touches a byte', () => {
  it.each(CASES)('%s at %i: lives %s', (how, offset, lives) => {
    const { status, signal, stdout } = runFixture('touch.mjs', [how, String(offset)]);
    if (lives) {
      expect({ status, signal, stdout }).toEqual({
        status: 0,
        signal: null,
        stdout: `ready survived ${how === 'write' ? 1 : 0}`,
      });
    } else {
      expect({ status, signal, stdout }).toEqual({ status: null, signal: 'SIGSEGV', stdout: 'ready ' });
    }
  });
});
