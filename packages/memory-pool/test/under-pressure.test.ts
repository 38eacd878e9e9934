/**
 * Pools whose pages the kernel takes away, makes huge and merges in the middle of everything, as it is asked to here and may do unasked:
 * random lives in child processes, each byte against a plain copy.
 */
import { existsSync, readFileSync } from 'node:fs';
import { laps, needing, sampled, SwapFile } from '@guardstripe/test-support';
import { afterAll, describe, expect, it } from 'vitest';
import { withGuards } from './support/memories.js';
import { inOwnMachine, IS_OWN, withSettings } from './support/own-machine.js';
import { found, KEEPING, live, POOLS } from './support/random-lives.js';

const MIB = 2 ** 20;
const KSM = '/sys/kernel/mm/ksm';
const HUGE = '/sys/kernel/mm/transparent_hugepage/enabled';
const SECONDS = 1000;
const HUGE_SLOTS = { totalMemories: 4, maxMemorySize: 16 * MIB, memoryReservation: 16 * MIB };

const swap = new SwapFile(64 * MIB);
afterAll(() => swap.close());

const pools = Object.entries(POOLS);
/** The emulated machine has a tenth of the speed: there, what other machines have not. */
const tried = IS_OWN ? pools.filter(([name]) => name.startsWith('in stripes')) : sampled(pools);

describe.each(tried)('pages of slots %s', (_, pool) => {
  it(
    'go to swap whenever the kernel is asked, and nothing else changes',
    { timeout: 300 * SECONDS },
    needing(swap.obstacle, () => {
      const pressures = ['pageout', 'cold', 'pageout of a process', 'cold of a process'];
      const { done, swappedBytes } = found(live({ pool, pressures }));
      for (const name of pressures) expect(done[name]).toBeGreaterThan(0);
      expect(swappedBytes).toBeGreaterThan(0);
    }),
  );
});

const hugeSetting = existsSync(HUGE) ? readFileSync(HUGE, 'latin1') : undefined;
const noHuge = hugeSetting === undefined ? 'this kernel has no transparent huge pages' : undefined;
const noHugeAsked = hugeSetting?.includes('[never]') === true ? 'transparent huge pages are off' : noHuge;

const noKsm = existsSync('/proc/self/ksm_stat')
  ? undefined
  : 'this kernel has no KSM that tells what it merged of a process (Linux 6.1)';

const closings = Object.entries({
  'mappings without access': KEEPING,
  ...withGuards({ 'guard markers': KEEPING }),
});

describe.each(IS_OWN ? closings : sampled(closings))('slots that are closed by %s', (_, config) => {
  const pool = { ...config, ...HUGE_SLOTS, linearMemoryKeepResident: 16 * MIB };
  const hugeLife = { pool, liveAtOnce: 3, beginsHuge: true };

  it(
    'get huge pages where they are asked for, and lose them again',
    { timeout: 300 * SECONDS },
    needing(swap.obstacle ?? noHugeAsked, () => {
      const pressures = ['hugepage', 'collapse', 'pageout'];
      const { done, hugeBytes } = found(live({ ...hugeLife, pressures, steps: laps(600, 120) }));
      expect(done['hugepage']).toBeGreaterThan(0);
      expect(hugeBytes).toBeGreaterThan(0);
    }),
  );

  it(
    "get huge pages with the system's 'always'",
    { timeout: 300 * SECONDS },
    inOwnMachine(noHuge, async () => {
      const life = { ...hugeLife, pressures: ['collapse', 'cold'], steps: 100 };
      const { hugeBytes } = await withSettings({ [HUGE]: 'always' }, () => found(live(life)));
      expect(hugeBytes).toBeGreaterThan(0);
    }),
  );

  // Who asks for it is a call, or a setting of the process.
  const mergesAll = config.guardPages === 'enable';

  it(
    `are merged by KSM, zeros over an image included, ${mergesAll ? 'with all of the process' : 'as is advised'}`,
    { timeout: 300 * SECONDS },
    inOwnMachine(noKsm, async () => {
      const settings = { use_zero_pages: '1', pages_to_scan: '20000', sleep_millisecs: '1', run: '1' };
      const files = Object.entries(settings).map(([name, value]) => [`${KSM}/${name}`, value]);
      const life = { pool: config, pressures: [mergesAll ? 'cold' : 'mergeable'], mergesAll, steps: 300 };
      const { mergedPages } = await withSettings(Object.fromEntries(files), () => found(live(life)));
      expect(mergedPages).toBeGreaterThan(0);
    }),
  );
});
