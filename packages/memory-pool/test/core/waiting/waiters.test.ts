/** Who waits is answered, wherever the script that frees, aborts, disposes or closes is cut short. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

const fixture = (name: string) => join(import.meta.dirname, '..', '..', 'fixtures', name);

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
      const { stdout } = await promisify(execFile)(process.execPath, [fixture('cut-waiters.mjs'), how]);
      const report = JSON.parse(stdout) as Report;
      const whole = { unanswered: 0, errors: [], slots: [60] };
      expect(report).toMatchObject(whole);
      expect(report.cuts).toBeGreaterThan(0);
      expect(report.answers).toBeGreaterThanOrEqual(report.cuts);
    },
  );
});

describe('whoever was cut short when it asked', () => {
  it.each([
    { shared: false, how: 'abort' },
    { shared: false, how: 'dispose' },
    { shared: false, how: 'close' },
    { shared: true, how: 'abort' },
    { shared: true, how: 'dispose' },
    { shared: true, how: 'close' },
  ])(
    'ends no process by a refusal that nobody hears, and those behind are answered: $shared, $how',
    async (what) => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        fixture('cut-askers.mjs'),
        JSON.stringify(what),
      ]);
      expect(JSON.parse(stdout)).toEqual({
        cut: 'ERR_SCRIPT_EXECUTION_INTERRUPTED',
        waitingAllocations: 2,
        answer: what.how === 'close' ? 'ERR_POOL_CLOSED' : 'served',
      });
    },
  );
});
