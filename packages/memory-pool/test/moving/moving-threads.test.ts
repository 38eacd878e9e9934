/** Stores that move between threads. Each case in a child process. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

async function answerOf(fixture: string, ...args: string[]): Promise<unknown> {
  const file = join(import.meta.dirname, '..', 'fixtures', fixture);
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args]);
  return JSON.parse(stdout);
}

const threads = (...args: string[]) => answerOf('moving-threads.mjs', ...args);

describe('a store that moves between threads', () => {
  it('comes there and back with its memories, which can do all that they could', async () => {
    const found = [
      'after ERR_STORE_RELEASED',
      ...['isCopied', 'isDiscarded', 'isReset', 'isWhole', 'same place', 'sent back'].map(
        (what) => `${what} true`,
      ),
    ];
    expect(await threads('passes')).toEqual({ found, free: 3 });
  });

  it('is had by one of three that come at the same time', async () => {
    expect(await threads('once')).toEqual({
      outcomes: { 'ERR_STORE_TOKEN,ERR_STORE_TOKEN,had': 200 },
      free: 3,
    });
  });

  it.each(sampled(['return', 'exit', 'error', 'terminate']))(
    'comes back to the pool when its thread ends by %s before anybody adopted it',
    async (how) => {
      expect(await threads('leaves', how)).toEqual({
        before: 2,
        free: 3,
        adopted: ['ERR_STORE_TOKEN', 'ERR_STORE_TOKEN'],
        liveMemories: 0,
        left: 0,
      });
    },
  );

  it('outlives the thread that released it, once it was adopted', async () => {
    expect(await threads('outlives')).toEqual({ free: 1, isWhole: true, freeAfter: 3 });
  });

  it('is given up when its thread leaves the pool by force, to who waits for a slot', async () => {
    expect(await threads('closes')).toEqual({
      busy: 'ERR_POOL_BUSY',
      isZeros: true,
      adopted: 'ERR_POOL_CLOSED',
    });
  });

  it('needs no descriptor to be adopted, its module included', async () => {
    expect(await threads('starves')).toEqual({ code: 'EMFILE', isWhole: true, free: 3 });
  });
});

const KILLS = laps(25);
const MOVES = laps(1500);
/** More where there is a night for it. */
const NUM_SEEDS = laps(1);

describe('workers that pass stores around, every memory stamped', () => {
  // By hand with more: `node moving-storm.mjs '{"seed":1,"workers":4,"moves":20000,"kills":1000,"config":{"totalMemories":40}}'`
  it.each(
    sampled([
      { what: 'none is killed', seed: 5, kills: 0, config: { totalMemories: 24 } },
      { what: 'some are killed', seed: 6, kills: KILLS, config: { totalMemories: 24 } },
      {
        what: 'some are killed, with shards and batches',
        seed: 7,
        kills: KILLS,
        config: { totalMemories: 200, decommitBatchSize: 4 },
      },
    ]),
  )('find every one as it was sent, and leave nothing behind: $what', async ({ seed, kills, config }) => {
    for (let more = 0; more < NUM_SEEDS; more++) {
      const options = { seed: seed + 100 * more, workers: 4, moves: MOVES, kills, config };
      expect(await answerOf('moving-storm.mjs', JSON.stringify(options))).toEqual({
        errors: [],
        killed: kills,
        isMoved: true,
        isMissedByRacersOnly: true,
        slots: config.totalMemories,
        liveMemories: 0,
        inFlightMemories: 0,
        retiredMemories: 0,
        moreDescriptors: 0,
        moreReserved: 0,
      });
    }
  });
});
