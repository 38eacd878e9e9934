/** Resets of pages that are not the usual ones: huge, and swapped out. In child processes, on the real kernel. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { platform } from '@guardstripe/mmap';
import { needing, sampled, SwapFile } from '@guardstripe/test-support';
import { afterAll, describe, expect, it } from 'vitest';
import type { PoolMetrics } from '../../src/index.js';
import { HOST_PAGE, PAGE } from '../support/memories.js';

const MEMORY_BYTES = 128 * PAGE;
const keeps = [0, HOST_PAGE, 700 * HOST_PAGE, MEMORY_BYTES];
const scans = ['disable', 'auto'] as const;
const cases = scans.flatMap((scan) => keeps.map((keep) => ({ scan, keep })));

interface Report {
  /** Bytes of each memory that were huge, or swapped out, before the reset. */
  readonly bytesThen: readonly number[];
  /** How many of the three next tenants had exactly their own bytes. */
  readonly right: number;
  readonly metrics: PoolMetrics;
}

function run(kind: 'huge' | 'swap', keep: number, scan: string): Report {
  const fixture = join(import.meta.dirname, '..', 'fixtures', 'pages.mjs');
  const child = spawnSync(process.execPath, [fixture, kind, String(keep), scan], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(`${child.signal ?? child.status}: ${child.stderr}`);
  return JSON.parse(child.stdout) as Report;
}

function expectRightBytes({ bytesThen, right, metrics }: Report, keep: number, scan: string): void {
  for (const bytes of bytesThen) expect(bytes).toBeGreaterThan(MEMORY_BYTES / 4);
  expect(right).toBe(3);
  const scanned = scan === 'auto' && platform().canScanDirtyPages;
  const strategy = keep === 0 ? 'decommit' : scanned ? 'scan' : 'write';
  expect(metrics.resets[strategy]).toBe(3);
  expect(metrics.bytesCopied).toBe(3 * keep);
  expect(metrics).toMatchObject({ failedResets: 0, refusedCalls: 0 });
}

function noHugePages(): string | undefined {
  const path = '/sys/kernel/mm/transparent_hugepage/enabled';
  if (!existsSync(path)) return 'this kernel has no transparent huge pages';
  return readFileSync(path, 'latin1').includes('[never]') ? 'transparent huge pages are off' : undefined;
}

describe('a reset of huge pages', () => {
  const obstacle = noHugePages();
  for (const { scan, keep } of sampled(cases)) {
    it(
      `gives the right bytes, pagemapScan '${scan}', ${keep} bytes may stay`,
      needing(obstacle, () => {
        expectRightBytes(run('huge', keep, scan), keep, scan);
      }),
    );
  }
});

describe('a reset of pages that were swapped out', () => {
  const swap = new SwapFile(64 * 2 ** 20);
  afterAll(() => swap.close());
  for (const { scan, keep } of sampled(cases)) {
    it(
      `gives the right bytes, pagemapScan '${scan}', ${keep} bytes may stay`,
      needing(swap.obstacle, () => {
        expectRightBytes(run('swap', keep, scan), keep, scan);
      }),
    );
  }
});
