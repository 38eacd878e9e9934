/** Calls that are cut short leave the pool whole: the thread lives on, and so does its pool. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

interface Report {
  readonly cuts: number;
  readonly wrongBytes: number;
  /** That could be had, again and again. */
  readonly slots: readonly number[];
  /** Of memories that ended. */
  readonly attachedBuffers: number;
  readonly unexpected: readonly string[];
  readonly liveMemories: number;
}

/** What is left by calls of each kind, after one another in one process. */
async function cutShort(how: object): Promise<Record<string, Report>> {
  const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'cut-short.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--stack-size=200',
    fixture,
    JSON.stringify(how),
  ]);
  return JSON.parse(stdout) as Record<string, Report>;
}

const CALLS = ['allocate', 'free', 'both', 'dispose', 'trim', 'buffers'];

describe('calls that are cut short', () => {
  const cases = [
    { shared: false, how: 'stack' },
    { shared: false, how: 'timeout' },
    { shared: true, how: 'stack' },
    { shared: true, how: 'timeout' },
  ];

  it.each(sampled(cases))('by $how, shared: $shared', async ({ shared, how }) => {
    const rounds = laps(10, 1);
    const reports = await cutShort({ shared, how, calls: CALLS, laps: 50 * rounds });
    expect(Object.keys(reports)).toEqual(CALLS);
    for (const [what, report] of Object.entries(reports)) {
      const whole = { wrongBytes: 0, attachedBuffers: 0, unexpected: [], liveMemories: 0 };
      expect(report, what).toMatchObject(whole);
      expect(report.slots, what).toEqual(Array<number>(rounds).fill(8));
      expect(report.cuts, what).toBeGreaterThan(0);
    }
  });
});
