/** What the tests of striped pools share: they need protection keys, and the fixtures are processes of their own. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isSupported, supportReason } from '@guardstripe/mpk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemoryPool, MemoryPoolConfig, Store } from '../../src/index.js';
import { CLOSINGS, PAGE } from './memories.js';

declare module 'vitest' {
  interface TaskMeta {
    /** Why tests are skipped; the summary says it. */
    obstacle?: string | undefined;
  }
}

/** `describe`, for tests that need keys: skipped aloud where there are none, a failure where they are required. */
export function describeWithKeys(name: string, body: () => void): void {
  if (isSupported()) {
    describe(name, body);
  } else if (process.env['GUARDSTRIPE_REQUIRE_MPK'] === '1') {
    it(`${name}: protection keys are required (GUARDSTRIPE_REQUIRE_MPK=1)`, () => {
      expect.unreachable(supportReason());
    });
  } else {
    describe.skip(name, { meta: { obstacle: supportReason() } }, body);
  }
}

/** `describeWithKeys`, once for each way to close slots that this kernel has: the value of `guardPages` that asks for it. */
export function describeClosings(name: string, body: (guardPages: 'disable' | 'enable') => void): void {
  for (const guardPages of CLOSINGS)
    describeWithKeys(`${name}, guardPages '${guardPages}'`, () => body(guardPages));
}

const NUM_STRIPES = 3;

/** Whether a random pool is in stripes; never without keys. */
export const stripedOrNot: fc.Arbitrary<boolean> = fc.constantFrom(false, isSupported());

/** Settings of a small pool with so many slots in each stripe: of three, or of one. */
export function stripesOf(numSlots: number, isStriped: boolean): MemoryPoolConfig {
  if (!isStriped) return { totalMemories: numSlots };
  return {
    totalMemories: NUM_STRIPES * numSlots,
    memoryReservation: 32 * PAGE,
    memoryProtectionKeys: 'enable',
    maxMemoryProtectionKeys: NUM_STRIPES,
  };
}

/** Any pool with so many slots in each stripe: in one or in three, shared or not. */
export const kindOfPool = (numSlots: number): fc.Arbitrary<MemoryPoolConfig> =>
  fc
    .tuple(stripedOrNot, fc.boolean())
    .map(([isStriped, shared]) => ({ ...stripesOf(numSlots, isStriped), shared }));

/** A store in the middle stripe, or in the only one. */
export function openStoreInside(pool: MemoryPool, options?: Parameters<MemoryPool['openStore']>[0]): Store {
  for (;;) {
    const store = pool.openStore(options);
    if (store.stripe === Math.floor(pool.layout.numStripes / 2)) return store;
    store.dispose();
  }
}

/** How a fixture ended, and what it printed. */
export function runFixture(name: string, args: readonly string[] = []): Ended {
  const file = join(import.meta.dirname, '..', 'fixtures', name);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return { status, signal, stdout, stderr };
}

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}
