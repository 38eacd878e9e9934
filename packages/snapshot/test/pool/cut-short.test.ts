/** Calls of a pool that are cut short: nothing is lost, and what was begun is finished. */
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { fixtureJson } from '../support/child.js';

const CALLS = ['acquire', 'release', 'release with users in line', 'discard', 'close'];
const cases = CALLS.flatMap((what) => [
  { what, how: 'stack', fork: false },
  { what, how: 'timeout', fork: true },
]);

describe('a call that is cut short', () => {
  it.each(sampled(cases))(
    '$what, by $how: every instance is there on the next turn, as it was prepared',
    (how) => {
      const settings = JSON.stringify({ ...how, laps: laps(120, 12) });
      const report = fixtureJson('cut-pool.mjs', [settings], ['--stack-size=200']) as Record<string, unknown>;
      expect(report).toMatchObject({ wrongBytes: 0, wrongCounts: [], unexpected: [] });
      expect(report['cuts']).toBeGreaterThan(0);
    },
  );
});
