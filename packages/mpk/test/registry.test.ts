/** The process's keys as all threads and copies of the package see them, each in a fresh process. */
import { expect, it } from 'vitest';
import { fixtureJson } from './support/child.js';
import { describeWithKeys } from './support/with-keys.js';

const YES = [true, true, true];
const NO = [false, false, false];

describeWithKeys('the process’s keys', () => {
  it('are asked for without taking one, changing a right, or remembering that all were taken', () => {
    expect(fixtureJson('registry.mjs', ['support'])).toEqual({ whileTaken: true, unchanged: true, free: 15 });
  });

  it('are closed for the thread that gives them back', () => {
    expect(fixtureJson('registry.mjs', ['dispose'])).toEqual({ held: true, afterwards: false });
  });

  it('given back, stay open for a thread that had them open, until a mask of its own: the guide says so', () => {
    expect(fixtureJson('registry.mjs', ['others'])).toEqual({
      sameNumber: true,
      here: false,
      before: 42,
      oldMask: 'ERR_MPK_KEY_RELEASED',
      zero: 'allowed',
      afterwards: 'EFAULT',
    });
  });

  it('are closed and opened by the masks of a worker and of another copy of the package', () => {
    expect(fixtureJson('registry.mjs', ['worker'])).toEqual({
      inherited: YES,
      openBits: true,
      inside: NO,
      after: YES,
      closed: NO,
      none: 0,
      all: YES,
      closedByCopy: NO,
      openedByCopy: YES,
    });
  });

  it('are not given back while pages carry them that nobody noted', () => {
    expect(fixtureJson('registry.mjs', ['carried'])).toEqual({
      codes: ['ERR_MPK_KEY_IN_USE', 'ERR_MPK_KEY_IN_USE', 'given back'],
      closed: true,
    });
  });

  it('come back from lost leases once nothing carries them, closed to every mask until then', () => {
    expect(fixtureJson('registry.mjs', ['lost'], ['--expose-gc'])).toEqual({
      whileCarried: 14,
      rightsLeft: false,
      openedByAll: [false],
      besideMask: 14,
      usable: true,
      warnings: ['GUARDSTRIPE_KEY_LEAK'],
    });
  });

  it('come back from workers that end in every way', () => {
    expect(fixtureJson('registry.mjs', ['workers'])).toEqual([15, 15, 15, 15, 15, 15, 15]);
  });
});
