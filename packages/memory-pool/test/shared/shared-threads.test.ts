/** What threads do with one shared pool. Each case in a child process. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import type { PoolMetrics } from '../../src/index.js';
import { KILLS, QUIET, storm } from '../support/storm.js';

async function answerOf(fixture: string, ...args: string[]): Promise<unknown> {
  const file = join(import.meta.dirname, '..', 'fixtures', fixture);
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args]);
  return JSON.parse(stdout);
}

const threads = (...args: string[]) => answerOf('shared-threads.mjs', ...args);

describe('threads with one pool', () => {
  it('get its handle by every way there is', async () => {
    expect(await threads('ways')).toEqual({ same: [true, true, true] });
  });

  it('wait in one line, and nobody is overtaken', async () => {
    const overtakes = [false, false, false];
    expect(await threads('order')).toEqual({ served: ['first', 'second', 'third'], overtakes });
  });

  it('close it each for itself: busy while anybody has memories, by force with their own alone, and the last unmaps', async () => {
    const byThread = [
      [0, 1],
      [1, 2],
    ];
    expect(await threads('busy')).toEqual({
      busy: { code: 'ERR_POOL_BUSY', live: 3, byThread },
      live: 3,
      isWhole: true,
      busyThere: 'ERR_POOL_BUSY',
      freed: true,
      isStillMapped: true,
      isMapped: false,
    });
  });

  it.each(sampled(['together', 'in turn']))(
    'leave no mappings counted when all are killed, %s',
    async (how) => {
      expect(await threads('abandoned', how)).toEqual({ isCounted: true, left: 0, fresh: 0, after: 0 });
    },
  );

  it('are told apart by numbers, errors and events', async () => {
    const told = (await answerOf('shared-told.mjs')) as {
      held: number;
      waiting: number;
      before: PoolMetrics;
      after: PoolMetrics;
      full: unknown;
    };
    const { held, waiting, before, after, full } = told;
    const main = { threadId: 0, liveMemories: 1, waitingAllocations: 0 };
    expect(before).toMatchObject({
      liveMemories: 4,
      waitingAllocations: 0,
      shared: {
        threads: [
          main,
          { threadId: held, liveMemories: 2, waitingAllocations: 0 },
          { threadId: waiting, liveMemories: 1, waitingAllocations: 1 },
        ],
        waitingAllocations: 1,
        endedThreads: 0,
        recoveredMemories: 0,
      },
    });
    const liveByThread = [
      [0, 1],
      [held, 2],
      [waiting, 1],
    ];
    expect(full).toEqual({
      code: 'ERR_POOL_CONCURRENCY_LIMIT',
      liveByThread,
      message: `Cannot allocate a memory: all 4 slots are in use (1 in thread 0, 2 in thread ${held}, 1 in thread ${waiting})`,
    });
    expect(after.shared).toMatchObject({
      threads: [main, { threadId: waiting, liveMemories: 2, waitingAllocations: 0 }],
      waitingAllocations: 0,
      endedThreads: 1,
      recoveredMemories: 1,
    });
    expect(told).toMatchObject({
      threads: 1,
      heard: [
        { event: 'recover', threadId: held, liveMemories: 2 },
        { event: 'leave', threadId: 0, isLast: true },
      ],
      heardThere: [
        { event: 'attach', threadId: waiting, attachedThreads: 3 },
        { event: 'leave', threadId: waiting, isLast: false },
      ],
    });
  });

  it('may have it by two copies of the package, each thread by one', async () => {
    const taken = 'Cannot attach to the pool: this thread is attached already, or still leaving';
    expect(await answerOf('shared-copies.mjs')).toEqual({
      areTwo: true,
      twice: { code: 'ERR_POOL_ATTACH', message: taken },
      there: { byte: 7, sameSlot: true },
      liveMemories: 0,
      threads: 1,
    });
  });

  it('more at once than there is room for are refused, in the process and in one pool, and can come when others have left', async () => {
    const used = { attached: 7, own: 7, shared: 7 };
    const refused = (name: string, code: string, message: string) => ({ name, code, message });
    expect(await answerOf('full-tables.mjs')).toEqual({
      before: used,
      process: {
        attached: refused(
          'PoolAttachError',
          'ERR_POOL_ATTACH',
          'Cannot attach to the pool: too many threads use the package',
        ),
        // Of this thread alone, and so nothing has to be noted for others.
        own: 7,
        shared: refused(
          'PoolCreationError',
          'ERR_POOL_CREATION',
          'Cannot create a shared pool: too many threads use the package',
        ),
      },
      pool: {
        ...used,
        attached: refused(
          'PoolAttachError',
          'ERR_POOL_ATTACH',
          'Cannot attach to the pool: 1024 threads are attached',
        ),
      },
      after: used,
      here: 7,
    });
  });

  it.each(sampled(['cools', 'queues']))(
    'let go of what %s where they do nothing, for one that waits elsewhere',
    async (what) => {
      expect(await threads(what)).toEqual({ isFull: true, isZeros: true });
    },
  );

  it.each(sampled(['return', 'exit', 'error']))('leave every slot when they end by %s', async (how) => {
    expect(await threads('ends', how)).toEqual({
      free: 3,
      retiredMemories: 0,
      liveMemories: 0,
      isMapped: false,
    });
  });

  it('leave a slot to nobody whose buffer they had when they were terminated: it may be anywhere', async () => {
    // And so its addresses stay taken.
    expect(await threads('ends', 'terminate')).toEqual({
      free: 2,
      retiredMemories: 1,
      liveMemories: 0,
      isMapped: true,
    });
  });

  it.each(sampled(['free', 'exit', 'terminate']))(
    'never get a slot of which another thread was given a stolen view, whose thread then ended by %s',
    async (how) => {
      expect(await threads('steals', how)).toEqual({ free: 2, freeAgain: 2 });
    },
  );

  it('may attach and close at the same time: the slab goes once, and nobody is let in behind it', async () => {
    const { outcomes, left } = (await threads('races')) as { outcomes: string[]; left: number[] };
    expect(left).toEqual([]);
    expect(outcomes.filter((each) => !['had', 'ERR_POOL_CLOSED', 'ERR_POOL_BUSY'].includes(each))).toEqual(
      [],
    );
    expect(outcomes).toContain('had');
  });
});

/** More where there is a night for it. */
const NUM_SEEDS = laps(1);

describe('workers that look for strangers in every memory', () => {
  it.each(
    sampled([
      { what: 'few slots', config: { totalMemories: 12 } },
      { what: 'shards and batches', config: { totalMemories: 200, decommitBatchSize: 4 } },
      {
        what: 'nothing kept',
        config: { totalMemories: 12, linearMemoryKeepResident: 0, guardPages: 'disable' },
      },
    ]),
  )('find none: $what', async ({ config }) => {
    const slots = config.totalMemories;
    expect(await storm({ seed: 11, workers: 4, rounds: laps(400), kills: 0, config })).toEqual({
      ...QUIET,
      killed: 0,
      slots,
    });
  });

  // By hand with a thousand: `node shared-pool.mjs '{"seed":1,"workers":3,"rounds":1,"kills":1000,"config":{"totalMemories":40}}'`
  it.each(
    sampled([
      { what: 'few slots', seed: 3, config: { totalMemories: 16 } },
      { what: 'shards and batches', seed: 4, config: { totalMemories: 200, decommitBatchSize: 4 } },
    ]),
  )('nor where they are killed: $what', async ({ seed, config }) => {
    const slots = config.totalMemories;
    for (let more = 0; more < NUM_SEEDS; more++) {
      expect(await storm({ seed: seed + 100 * more, workers: 3, rounds: 1, kills: KILLS, config })).toEqual({
        ...QUIET,
        killed: KILLS,
        slots,
      });
    }
  });
});
