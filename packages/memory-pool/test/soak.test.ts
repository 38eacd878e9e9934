/** A million recycles, in CI, leave the process as it was. No clocks: only what it holds. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { laps } from '@guardstripe/test-support';
import { expect, it } from 'vitest';
import type { PoolMetrics } from '../src/index.js';

interface Process {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Of the pools' slabs. */
  readonly mappings: number;
  readonly descriptors: number;
}

interface Report {
  /** At the start, and after each lap. */
  readonly laps: readonly Process[];
  readonly metrics: readonly PoolMetrics[];
  /** Tenants that found something else than their own bytes. */
  readonly wrong: number;
}

const MIB = 2 ** 20;
const RECYCLES = laps(1_000_000, 100_000);

it(`${RECYCLES} recycles leave memory, mappings, descriptors and heap flat`, () => {
  const fixture = join(import.meta.dirname, 'fixtures', 'soak.mjs');
  const child = spawnSync(
    process.execPath,
    ['--expose-gc', '--max-semi-space-size=1', fixture, String(RECYCLES)],
    {
      encoding: 'utf8',
    },
  );
  if (child.status !== 0) throw new Error(`${child.signal ?? child.status}: ${child.stderr}`);
  const { laps, metrics, wrong } = JSON.parse(child.stdout) as Report;
  // What leaks grows in every lap; the heap and the compiler's memory come and go.
  const growth = (what: keyof Process) =>
    Math.min(...laps.slice(1).map((lap, before) => lap[what] - laps[before]![what]));
  expect(wrong).toBe(0);
  for (const pool of metrics)
    expect(pool).toMatchObject({ liveMemories: 0, failedResets: 0, refusedCalls: 0 });
  const resets = metrics.map((pool) => pool.resets.scan + pool.resets.write + pool.resets.decommit);
  const queued = metrics.reduce((sum, pool) => sum + pool.queuedMemories, 0);
  expect(resets.reduce((sum, count) => sum + count, queued)).toBeGreaterThan(1.1 * RECYCLES);
  expect(laps.at(-1)!.descriptors).toBe(laps[0]!.descriptors);
  expect(laps.at(-1)!.mappings).toBe(laps[0]!.mappings);
  expect(growth('heapUsed')).toBeLessThan(MIB / 2);
  // The pool keeps a view of each slot, as large as the slot's largest memory so far: at most a MiB each of 96.
  expect(growth('external')).toBeLessThan(4 * MIB);
  // Less than a page lost in each hundredth recycle.
  const lapRecycles = RECYCLES / (laps.length - 1);
  expect(growth('rss')).toBeLessThan((lapRecycles / 100) * 4096);
});
