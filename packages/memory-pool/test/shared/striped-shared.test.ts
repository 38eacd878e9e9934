/** Pools in stripes that threads share: whose keys they are, what each thread can reach, and what is left by those that end. */
import { isSupported } from '@guardstripe/mpk';
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { describeWithKeys, runFixture } from '../support/striped.js';

function answerOf(what: string, argument: unknown = {}): unknown {
  const ended = runFixture('striped-shared/main.mjs', [what, JSON.stringify(argument)]);
  if (ended.status !== 0)
    throw new Error(`${what} ended with ${ended.signal ?? ended.status}: ${ended.stderr}`);
  return JSON.parse(ended.stdout);
}

const ALL = [true, true, true];
const NONE = [false, false, false];

describe('a life of one pool in four threads, some of which are killed', () => {
  const STEPS = laps(200, 50);
  const cases: { seed: number; config: object }[] = [
    { seed: 1, config: {} },
    { seed: 2, config: { linearMemoryKeepResident: '1MiB', decommitBatchSize: 3 } },
    { seed: 3, config: { guardPages: 'auto', maxUnusedWarmSlots: 2 } },
    // More where there is a night for it.
    ...Array.from({ length: laps(1) - 1 }, (_, more) => ({ seed: 100 + more, config: {} })),
  ];

  // With or without keys: in one stripe, the rules are the same, and one of them will do.
  it.each(isSupported() ? cases : sampled(cases))(
    'is what a plain model says, and no store reaches another stripe: %o',
    (each) => {
      const answer = answerOf('model', { ...each, steps: STEPS }) as Record<string, number>;
      for (const what of ['allocated', 'probed', 'released', 'adopted', 'refused'])
        expect(answer[what]).toBeGreaterThan(0);
      expect(answer['freeKeys']).toBe(isSupported() ? 15 : 0);
    },
  );
});

describe('a pool whose threads are all terminated', () => {
  const [some, less] = isSupported() ? [15, 12] : [0, 0];

  it('gives its slab and its keys back', () => {
    expect(answerOf('left', { view: false })).toEqual({
      before: { free: [some, less], isMapped: true },
      after: { free: some, isMapped: false },
    });
  });

  it('keeps them for good where a buffer was read, which may be anywhere', () => {
    expect(answerOf('left', { view: true })).toEqual({
      before: { free: [some, less], isMapped: true },
      after: { free: less, isMapped: true },
    });
  });
});

describeWithKeys('a striped pool of several threads', () => {
  it('is open to each thread that attaches, until it closes it, whatever it had from its parent', () => {
    expect(answerOf('rights')).toEqual({
      // A worker has what its parent had open when it was started.
      withoutPool: [NONE, ALL],
      attached: [ALL, ALL],
      // The stores of all threads take the stripes in turn: three of the main thread come before.
      stripes: [
        [0, 1],
        [2, 0],
      ],
      entered: [true, false, false],
      // A pool of a thread's own, beside it.
      own: [3, 3],
      closed: [NONE, NONE],
      stillHere: ALL,
      free: [15, 12, 12, 12, 15],
    });
  });

  it('takes its keys once for all threads; a thread’s own pool beside it gets what is left', () => {
    expect(answerOf('all')).toEqual({
      numStripes: 15,
      distinct: 15,
      refused: ['ERR_POOL_CREATION', 1],
      free: 15,
    });
  });

  it('stays open to a thread that attached to it in a store of another pool', () => {
    expect(answerOf('inside')).toEqual({ readable: [true] });
  });

  it.each([0, 1, 2])('ends a process whose thread %d touches a neighbour of another thread', (who) => {
    expect(runFixture('striped-shared/main.mjs', ['touch', JSON.stringify({ who })])).toMatchObject({
      signal: 'SIGSEGV',
      stdout: '"before"\n',
    });
    expect(
      runFixture('striped-shared/main.mjs', ['touch', JSON.stringify({ who, sameStripe: true })]),
    ).toMatchObject({ status: 0, stdout: '"before"\n"touched"' });
  });

  it('moves a store to threads of before and after the keys: it is open to its adopter, and shut to all other stores', () => {
    const only = (stripe: number) => [0, 1, 2].map((each) => each === stripe);
    expect(answerOf('moves')).toEqual({
      // The stripe that came with what it can read, and the one of the store that took its place with what that can read.
      readable: [
        [1, only(1), 0, only(0)],
        [1, only(1), 1, only(1)],
        [1, only(1), 2, only(2)],
      ],
      stripes: [0, 0, 2, 1],
      free: 15,
    });
  });

  it.each([false, true])(
    'ends a process in which a moved store and a neighbour reach each other, adopted by the main thread: %s',
    (isHere) => {
      const run = (what: string) =>
        runFixture('striped-shared/main.mjs', ['touchMoved', JSON.stringify({ what, isHere })]);
      for (const what of ['neighbour', 'moved'])
        expect(run(what)).toMatchObject({ signal: 'SIGSEGV', stdout: '"before"\n' });
      expect(run('own')).toMatchObject({ status: 0, stdout: '"before"\n"touched"' });
    },
  );

  it('takes back what a killed thread has adopted and what it has released, with the rights of each stripe', () => {
    expect(answerOf('movedLeft')).toEqual({
      liveMemories: 2,
      inFlightMemories: 1,
      refused: 'ERR_STORE_TOKEN',
      readable: [
        [true, false, true],
        [false, true, false],
      ],
      isClean: true,
      free: 15,
    });
  });

  it.each(['close', 'terminate'])('goes on when the thread that made it ends by %s', (how) => {
    expect(answerOf('makerEnds', { how })).toEqual({
      free: [12, 12, 15],
      readable: [0, 1, 2].map((stripe) => [0, 1, 2].map((each) => each === stripe)),
    });
  });

  it('has a line a stripe, of all threads', () => {
    expect(answerOf('waits')).toEqual({
      stripes: [
        [0, 1, 2],
        [0, 1, 2],
      ],
      served: [
        [1, 1],
        [2, 2],
        [0, 0],
      ],
    });
  });
});
