/** Calls that are cut short leave the pool whole: the thread lives on, and so does its pool. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps } from '@guardstripe/test-support';
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

async function cutShort(what: object): Promise<Report> {
  const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'cut-short.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--stack-size=200',
    fixture,
    JSON.stringify(what),
  ]);
  return JSON.parse(stdout) as Report;
}

describe.each(['allocate', 'free', 'both', 'dispose', 'trim', 'buffers'])('%s, cut short', (what) => {
  it.each([
    { shared: false, how: 'stack' },
    { shared: false, how: 'timeout' },
    { shared: true, how: 'stack' },
    { shared: true, how: 'timeout' },
  ])('by $how, shared: $shared', async ({ shared, how }) => {
    const rounds = Math.max(2, Math.round(laps(10)));
    const report = await cutShort({ shared, how, what, laps: 50 * rounds });
    expect(report).toMatchObject({ wrongBytes: 0, attachedBuffers: 0, unexpected: [], liveMemories: 0 });
    expect(report.slots).toEqual(Array<number>(rounds).fill(8));
    expect(report.cuts).toBeGreaterThan(0);
  });
});
