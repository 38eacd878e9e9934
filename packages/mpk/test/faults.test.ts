import { describe, expect, it } from 'vitest';
import { runFixture } from './support/child.js';
import { describeWithKeys } from './support/with-keys.js';

describeWithKeys('a child process with only the middle of three keys open', () => {
  it.each([
    ['read', 1, 0x42],
    ['write', 1, 0x5a],
  ])('(%s, page %i) reaches that key’s page', (how, page, value) => {
    expect(runFixture('fault.mjs', [how, String(page)])).toMatchObject({
      status: 0,
      stdout: `ready found ${value}`,
    });
  });

  describe.each(['read', 'write'])('that wants to %s', (how) => {
    it.each([0, 2])('page %i dies of SIGSEGV', (page) => {
      const { status, signal, stdout } = runFixture('fault.mjs', [how, String(page)]);
      expect({ status, signal, stdout }).toEqual({ status: null, signal: 'SIGSEGV', stdout: 'ready ' });
    });
  });
});
