/** Random lives of pools in child processes, while the kernel does to their pages what it may. */
import { isSupported } from '@guardstripe/mpk';
import { laps } from '@guardstripe/test-support';
import { expect } from 'vitest';
import type { MemoryPoolConfig, PoolMetrics } from '../../src/index.js';
import { PAGE, withGuards } from './memories.js';
import { runFixture, type Ended } from './striped.js';

const MIB = 2 ** 20;

/** Options of the fixture. */
export interface Life {
  readonly pool: MemoryPoolConfig;
  readonly pressures: readonly string[];
  readonly steps?: number;
  readonly liveAtOnce?: number;
  /** The folder of the control group to live in. */
  readonly cgroup?: string;
  readonly mergesAll?: boolean;
  readonly wastes?: boolean;
  readonly beginsHuge?: boolean;
}

/** What it prints. */
interface Found {
  readonly wrong: readonly object[];
  readonly failedResets: number;
  readonly resets: PoolMetrics['resets'];
  /** How often each pressure was accepted, and each thing done. */
  readonly done: Readonly<Record<string, number>>;
  readonly swappedBytes: number;
  readonly hugeBytes: number;
  readonly mergedPages: number;
}

/** Slots of half a MiB, which keep all of that when they are free. */
export const KEEPING: MemoryPoolConfig = {
  totalMemories: 12,
  maxMemorySize: 8 * PAGE,
  memoryReservation: 8 * PAGE,
  memoryGuardSize: PAGE,
  memoryProtectionKeys: 'disable',
  linearMemoryKeepResident: 8 * PAGE,
  maxUnusedBytesResident: 64 * MIB,
};
/** Three stripes of four slots. */
const STRIPED: MemoryPoolConfig = {
  ...KEEPING,
  memoryReservation: 32 * PAGE,
  memoryProtectionKeys: 'enable',
  maxMemoryProtectionKeys: 3,
};
/** Those whose pages are different in something. */
export const POOLS: Record<string, MemoryPoolConfig> = {
  'that keep all pages': KEEPING,
  'that keep a few': { ...KEEPING, linearMemoryKeepResident: PAGE },
  'that write everything': { ...KEEPING, pagemapScan: 'disable' },
  'that threads share': { ...KEEPING, shared: true },
  ...(isSupported() ? { 'in stripes': STRIPED } : {}),
  ...withGuards({
    'closed by guard markers': KEEPING,
    ...(isSupported() ? { 'in stripes, closed by guard markers': STRIPED } : {}),
  }),
};
/** Lives a random life, and says which. */
export function live(life: Life): Ended & { readonly seed: number } {
  const seed = Number(process.env['GUARDSTRIPE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const options = { seed, steps: laps(1500, 300), liveAtOnce: 9, ...life };
  return { seed, ...runFixture('under-pressure.mjs', [JSON.stringify(options)]) };
}

/** What is to be known of a life in which nothing was wrong. */
export function found({ seed, status, signal, stdout, stderr }: ReturnType<typeof live>): Found {
  const why = `GUARDSTRIPE_SEED=${seed}`;
  expect({ status, signal, stderr }, why).toEqual({ status: 0, signal: null, stderr: '' });
  const answer = JSON.parse(stdout) as Found;
  expect(answer, why).toMatchObject({ wrong: [], failedResets: 0 });
  return answer;
}
