/** `vm.overcommit_memory` 2: what could be written counts against a limit, whether it is written or not (proc_sys_vm(5)). */
import { platform } from '@guardstripe/mmap';
import { it, expect } from 'vitest';
import { PAGE } from '../support/memories.js';
import { inOwnMachine, withSettings } from '../support/own-machine.js';
import { runFixture } from '../support/striped.js';

const MIB = 2 ** 20;
const NUM_MEMORIES = 9;
/** So many times the machine's memory that nobody else there meets the limit. */
const NEVER_MORE = { '/proc/sys/vm/overcommit_ratio': '2000', '/proc/sys/vm/overcommit_memory': '2' };

const noGuards = platform().canGuardPages ? undefined : 'this kernel has no MADV_GUARD_INSTALL (Linux 6.13)';

function answer(guardPages: string): { mappings: number; accountedBytes: number } {
  const { stdout, stderr } = runFixture('committed.mjs', [guardPages]);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as { mappings: number; accountedBytes: number };
}

it(
  "where commitment is limited, 'auto' takes no guard markers, and only what is accessible counts",
  inOwnMachine(noGuards, async () => {
    // Without the limit the same pool has them: its slots are one mapping.
    expect(answer('auto').mappings).toBeLessThan(NUM_MEMORIES);
    await withSettings(NEVER_MORE, () => {
      const auto = answer('auto');
      expect(auto.mappings).toBeGreaterThanOrEqual(2 * NUM_MEMORIES);
      expect(auto.accountedBytes).toBe(NUM_MEMORIES * 6 * PAGE);
      // What it stays away from: a slot counts as a whole.
      expect(answer('enable').accountedBytes).toBeGreaterThanOrEqual(NUM_MEMORIES * MIB);
    });
  }),
);
