/** A million recycles, or as many as GUARDSTRIPE_RECYCLES says, leave the process as it was. No clocks: only what it holds. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
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
  readonly before: Process;
  readonly after: Process;
  readonly metrics: readonly PoolMetrics[];
  /** Tenants that found something else than their own bytes. */
  readonly wrong: number;
}

const MIB = 2 ** 20;
const RECYCLES = Number(process.env['GUARDSTRIPE_RECYCLES'] ?? 1_000_000);

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
  const { before, after, metrics, wrong } = JSON.parse(child.stdout) as Report;
  expect(wrong).toBe(0);
  for (const pool of metrics)
    expect(pool).toMatchObject({ liveMemories: 0, failedResets: 0, refusedCalls: 0 });
  const resets = metrics.map((pool) => pool.resets.scan + pool.resets.write + pool.resets.decommit);
  const queued = metrics.reduce((sum, pool) => sum + pool.queuedMemories, 0);
  expect(resets.reduce((sum, count) => sum + count, queued)).toBeGreaterThan(1.1 * RECYCLES);
  expect(after.descriptors).toBe(before.descriptors);
  expect(after.mappings).toBe(before.mappings);
  expect(after.heapUsed - before.heapUsed).toBeLessThan(2 * MIB);
  // The pool keeps a view of each slot, as large as the slot's largest memory so far: at most a MiB each of 96.
  expect(after.external - before.external).toBeLessThan(16 * MIB);
  // A page lost in each hundredth recycle would be 40 MiB; the rest is the heap's and the compiler's own coming and going.
  expect(after.rss - before.rss).toBeLessThan(36 * MIB);
});
