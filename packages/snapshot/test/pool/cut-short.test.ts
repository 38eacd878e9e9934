/** Calls of a pool that are cut short: nothing is lost, and what was begun is finished. */
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { fixtureJson } from '../support/child.js';

describe.each(['acquire', 'release', 'release with users in line', 'discard', 'close'])(
  '%s, cut short',
  (what) => {
    it.each([
      { how: 'stack', fork: false },
      { how: 'timeout', fork: true },
    ])('by $how: every instance is there on the next turn, as it was prepared', ({ how, fork }) => {
      const settings = JSON.stringify({ how, fork, what, laps: laps(120) });
      const report = fixtureJson('cut-pool.mjs', [settings], ['--stack-size=200']) as Record<string, unknown>;
      expect(report).toMatchObject({ wrongBytes: 0, wrongCounts: [], unexpected: [] });
      expect(report['cuts']).toBeGreaterThan(0);
    });
  },
);
