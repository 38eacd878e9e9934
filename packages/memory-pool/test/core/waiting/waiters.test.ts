/** Who waits is answered, wherever the script that frees, aborts, disposes or closes is cut short. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

const FIXTURE = join(import.meta.dirname, '..', '..', 'fixtures', 'cut-waiters.mjs');

interface Report {
  readonly cuts: number;
  readonly answers: number;
}

describe('those who wait, while scripts are cut short that concern them', () => {
  // By hand for longer: `node cut-waiters.mjs '{"shared":true,"milliseconds":60000}'`
  it.each([{ shared: false }, { shared: true }])(
    'are answered, and the pool is whole: $shared',
    async ({ shared }) => {
      const how = JSON.stringify({ shared, milliseconds: laps(1500, 500) });
      const { stdout } = await promisify(execFile)(process.execPath, [FIXTURE, how]);
      const report = JSON.parse(stdout) as Report;
      const whole = { unanswered: 0, errors: [], slots: [60] };
      expect(report).toMatchObject(whole);
      expect(report.cuts).toBeGreaterThan(0);
      expect(report.answers).toBeGreaterThanOrEqual(report.cuts);
    },
  );
});
