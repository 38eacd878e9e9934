/** Workers that end in every way, by the hundred: nothing of theirs is left. In child processes. */
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { fixtureJson } from '../support/child.js';

interface Left {
  readonly reservedTebibytes: number;
  readonly images: number;
  readonly descriptors: number;
}

const NUM_WORKERS = laps(160, 8);

describe.each(sampled(['return', 'exit', 'error', 'terminate', 'terminate-busy']))(
  `${NUM_WORKERS} workers that end by %s`,
  (how) => {
    it('leave no mapping, image or descriptor', () => {
      const left = fixtureJson('worker-end.mjs', [how, String(NUM_WORKERS)]) as Left;
      expect(left).toEqual({ reservedTebibytes: 0, images: 0, descriptors: 0 });
    });
  },
);

it('what a worker of a worker leaves goes at the next start of a thread, though nobody here heard of its end', () => {
  expect(fixtureJson('worker-end.mjs', ['nested', '8'])).toMatchObject({ reservedTebibytes: 0, images: 0 });
});

it('pages wait for the OS thread: an asynchronous call of a terminated worker still finds them', () => {
  expect(fixtureJson('worker-end.mjs', ['pending', '1'])).toEqual({
    mappedWhileItRan: true,
    mappedAfterwards: false,
  });
});
