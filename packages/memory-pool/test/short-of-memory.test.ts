/** Pools in a process that is short of memory: in a control group of its own, with a limit, on the real kernel. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { needing, sampled, SwapFile } from '@guardstripe/test-support';
import { afterAll, describe, expect, it } from 'vitest';
import { inOwnMachine } from './support/own-machine.js';
import { found, KEEPING, live, POOLS, type Life } from './support/random-lives.js';

const MIB = 2 ** 20;
const SECONDS = 1000;
const V1 = '/sys/fs/cgroup/memory';
const V2 = '/sys/fs/cgroup';
/** Node takes 50 MiB of its own. */
const LIMIT_BYTES = 64 * MIB;

/** Groups of version 1 stand side by side; one of version 2 changes what the groups around it are, so it is the machine's own only. */
const isVersion1 = isWritable(V1) && existsSync(join(V1, 'memory.limit_in_bytes'));
const noGroups =
  isVersion1 || existsSync(join(V2, 'cgroup.controllers')) ? undefined : 'there are no control groups';
const inGroup = isVersion1 ? needing : inOwnMachine;

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const swap = new SwapFile(256 * MIB);
afterAll(() => swap.close());

/** Lives in a control group of its own; how that ended, and what the group tells of it. */
function within(limitBytes: number, withSwap: boolean, life: Life) {
  const folder = join(isVersion1 ? V1 : V2, `guardstripe-${process.pid}`);
  const set = (name: string, value: number | string) => writeFileSync(join(folder, name), String(value));
  const told = (name: string, event: string) =>
    Number(new RegExp(`^${event}(\\d+)`, 'm').exec(readFileSync(join(folder, name), 'latin1'))?.[1]);
  if (!isVersion1) writeFileSync(join(V2, 'cgroup.subtree_control'), '+memory');
  mkdirSync(folder);
  try {
    set(isVersion1 ? 'memory.limit_in_bytes' : 'memory.max', limitBytes);
    if (!withSwap) {
      if (isVersion1) set('memory.memsw.limit_in_bytes', limitBytes);
      else set('memory.swap.max', 0);
    }
    const ended = live({ ...life, cgroup: folder });
    return isVersion1
      ? { ended, killed: told('memory.oom_control', 'oom_kill '), timesAtLimit: told('memory.failcnt', '') }
      : { ended, killed: told('memory.events', 'oom_kill '), timesAtLimit: told('memory.events', 'max ') };
  } finally {
    rmdirSync(folder);
  }
}

/** Slots of 1 MiB, which keep all of that. */
const slotsOf = (totalMemories: number) => ({
  totalMemories,
  maxMemorySize: MIB,
  memoryReservation: MIB,
  linearMemoryKeepResident: MIB,
});

describe("where there is less memory than a pool's slots keep", () => {
  /** The others differ in what needs no limit to be tried. */
  const pools = Object.entries(POOLS).filter(([name]) => /^(?:that keep all|closed by)/.test(name));
  const pressures = isVersion1 ? ['cold'] : ['cold', 'reclaim'];

  it.for(sampled(pools))(
    'slots %s: their pages go to swap and come back, and nothing else changes',
    { timeout: 300 * SECONDS },
    ([, pool], context) =>
      inGroup(noGroups ?? swap.obstacle, () => {
        const life = { pressures, steps: 600, liveAtOnce: 40, wastes: true };
        const { ended, killed, timesAtLimit } = within(LIMIT_BYTES, true, {
          ...life,
          pool: { ...pool, ...slotsOf(96), maxUnusedBytesResident: 1024 * MIB },
        });
        expect(killed).toBe(0);
        expect(found(ended).swappedBytes).toBeGreaterThan(MIB);
        expect(timesAtLimit).toBeGreaterThan(0);
      })(context),
  );

  it(
    'and no swap: the bound of what all free slots keep keeps the process alive, and without it the kernel ends it',
    { timeout: 300 * SECONDS },
    inGroup(noGroups, () => {
      const run = (maxUnusedBytesResident: number) => {
        const pool = { ...KEEPING, ...slotsOf(192), maxUnusedBytesResident };
        const life = { pool, pressures: ['cold'], steps: 50, liveAtOnce: 4, wastes: true };
        return within(2 * LIMIT_BYTES, false, life);
      };
      const bounded = run(8 * MIB);
      expect(bounded.killed).toBe(0);
      expect(found(bounded.ended).swappedBytes).toBe(0);
      const { killed, ended } = run(1024 * MIB);
      expect({ killed, signal: ended.signal }).toEqual({ killed: 1, signal: 'SIGKILL' });
    }),
  );
});
