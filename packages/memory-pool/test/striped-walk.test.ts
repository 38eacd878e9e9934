/** The layout's promise against the truth: a guest reaches its own memory, and nothing else within its reservation and guards. */
import { calculate, slabConstraints } from '@guardstripe/layout';
import { expect, it } from 'vitest';
import type { ResolvedConfig } from '../src/index.js';
import { CLOSINGS, HOST_PAGE, PAGE } from './support/memories.js';
import { describeWithKeys, runFixture } from './support/striped.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

interface Found {
  readonly numStripes: number;
  readonly numSlots: number;
  readonly ownPages: number;
  readonly faulting: number;
  readonly wrong: readonly { readonly slot: number; readonly offset: number; readonly readable: boolean }[];
}

type Sizes = Required<
  Pick<ResolvedConfig, 'maxMemorySize' | 'memoryReservation' | 'memoryGuardSize' | 'totalMemories'>
>;

const sizes: Record<string, Sizes> = {
  'small memories': {
    totalMemories: 31,
    maxMemorySize: 3 * PAGE,
    memoryReservation: 40 * PAGE,
    memoryGuardSize: 5 * PAGE,
  },
  'memories as large as their reservation': {
    totalMemories: 7,
    maxMemorySize: 16 * PAGE,
    memoryReservation: 16 * PAGE,
    memoryGuardSize: 2 * PAGE,
  },
  'a guard of one page, and sizes that no stripe count divides': {
    totalMemories: 16,
    maxMemorySize: PAGE,
    memoryReservation: 17 * PAGE + 5 * HOST_PAGE,
    memoryGuardSize: HOST_PAGE,
  },
  'a guard larger than many slots': {
    totalMemories: 32,
    maxMemorySize: PAGE,
    memoryReservation: 2 * PAGE,
    memoryGuardSize: 28 * PAGE,
  },
  'the usual 4 GiB': {
    totalMemories: 33,
    maxMemorySize: 64 * MIB,
    memoryReservation: 4 * GIB,
    memoryGuardSize: 32 * MIB,
  },
  'memories of 4 GiB': {
    totalMemories: 5,
    maxMemorySize: 4 * GIB,
    memoryReservation: 4 * GIB,
    memoryGuardSize: 2 * GIB,
  },
};

/** Each number of keys with a guard before the first slot, and without. */
const variants = [2, 3, 7, 15].flatMap((maxMemoryProtectionKeys) =>
  [true, false].map((guardBeforeLinearMemory) => ({ maxMemoryProtectionKeys, guardBeforeLinearMemory })),
);

/** Larger walks look at one page of each mapping, and markers are inside of mappings. */
const MAX_GUARDED_WALK_BYTES = 16 * MIB;

const walks = Object.entries(sizes).flatMap(([name, size]) =>
  CLOSINGS.filter(
    (guardPages) => guardPages === 'disable' || size.memoryReservation <= MAX_GUARDED_WALK_BYTES,
  ).map((guardPages) => ({ name, size, guardPages })),
);

describeWithKeys('what a guest can touch', () => {
  it.each(walks)(
    '$name, 2 to 15 keys, with a guard before and without, guardPages $guardPages',
    ({ size, guardPages }) => {
      const configs = variants.map((variant) => ({ ...size, ...variant, guardPages }));
      const { status, stderr, stdout } = runFixture('striped-walk.mjs', [JSON.stringify(configs)]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const all = JSON.parse(stdout) as Found[];
      expect(all).toHaveLength(configs.length);
      for (const [i, found] of all.entries()) {
        const config = configs[i]!;
        expect(found.wrong).toEqual([]);
        const layout = calculate(slabConstraints(config, config, config.maxMemoryProtectionKeys));
        expect(found).toMatchObject({ numStripes: layout.numStripes, numSlots: config.totalMemories });
        expect(found.numStripes).toBeGreaterThan(1);
        // It looked at pages of both kinds, for every memory.
        expect(found.ownPages).toBeGreaterThanOrEqual(config.totalMemories);
        expect(found.faulting).toBeGreaterThanOrEqual(config.totalMemories);
      }
    },
  );

  const small = { ...sizes['small memories'], guardBeforeLinearMemory: true, maxMemoryProtectionKeys: 15 };
  const { slotBytes } = calculate(slabConstraints(small, small, 15));

  it.each([
    ['its own first byte', 16, 0, 'is read'],
    ['its own last byte', 16, PAGE - 1, 'is read'],
    ['the byte before its own', 16, -1, 'ends the process'],
    ['the byte after its own', 16, PAGE, 'ends the process'],
    ['the next memory', 16, slotBytes, 'ends the process'],
    ['the memory before', 16, 0 - slotBytes, 'ends the process'],
    ['the memory before the next of its stripe', 16, 14 * slotBytes, 'ends the process'],
    ['the first guard', 0, -1, 'ends the process'],
    ['the end of its guard, in the guard behind the slab', 30, 45 * PAGE - 1, 'ends the process'],
  ])('%s, of slot %i at %i, %s', (_, slot, offset, outcome) => {
    const args = [JSON.stringify(small), String(slot), String(offset)];
    const { signal, stdout } = runFixture('striped-walk.mjs', args);
    expect({ signal, stdout }).toEqual(
      outcome === 'is read' ? { signal: null, stdout: 'ready 0' } : { signal: 'SIGSEGV', stdout: 'ready' },
    );
  });
});
