/** Pools in stripes that threads share: whose keys they are, what each thread can reach, and what is left by those that end. */
import { isSupported } from '@guardstripe/mpk';
import { laps } from '@guardstripe/test-support';
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
  const STEPS = laps(200);
  const cases = [
    { seed: 1, config: {} },
    { seed: 2, config: { linearMemoryKeepResident: '1MiB', decommitBatchSize: 3 } },
    { seed: 3, config: { guardPages: 'auto', maxUnusedWarmSlots: 2 } },
  ];

  // With or without keys: in one stripe, the rules are the same.
  it.each(cases)('is what a plain model says, and no store reaches another stripe: %o', (each) => {
    const answer = answerOf('model', { ...each, steps: STEPS }) as Record<string, number>;
    expect(answer['allocated']).toBeGreaterThan(0);
    expect(answer['probed']).toBeGreaterThan(0);
  });
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
