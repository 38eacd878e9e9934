/** For each way that pages get into a slot of a striped pool: the neighbours cannot read them, and their own stripe can. */
import { describe, expect, it } from 'vitest';
import { describeClosings, describeWithKeys, runFixture } from './support/striped.js';

/** Of 128 host pages, the first 64 belong to the memory. */
const OWN = 'r64 -64';
const NOTHING = '-128';

const ways = [
  'fresh',
  'grown',
  'image',
  'image over the whole memory',
  'image grown',
  'image again',
  'image replaced',
  'image gone',
  'image purged',
  'image purged, not used since',
  'unknown after a reset that failed',
  'unknown after an allocation that failed',
  'shrunk and grown',
  'grown, and reset in place',
  'discarded, and dropped behind the pool’s back',
  'larger before, and trimmed',
  'larger before',
  'kept',
  'queued',
  'written, without an image',
  'written, called back from a guest of another stripe',
  'freed and taken, called back from a guest of another stripe',
];
/** Inside of the images, before them, behind them, at both ends. */
const touched = [0, 5, 12, 33, 63];

describeClosings('pages in a slot', (guardPages) => {
  describe.each(ways.map((way, i) => ({ way, page: touched[i % touched.length]! })))(
    '($way)',
    ({ way, page }) => {
      it(`are the stripe’s own, and a neighbour that reads page ${page} dies of SIGSEGV`, () => {
        const { signal, stdout, stderr } = runFixture('striped-ways.mjs', [way, String(page), guardPages]);
        expect({ signal, stderr }).toEqual({ signal: 'SIGSEGV', stderr: '' });
        expect(JSON.parse(stdout)).toEqual({
          numStripes: 3,
          slotsSeen: 3,
          stripe: 1,
          host: OWN,
          own: OWN,
          before: NOTHING,
          after: NOTHING,
          hostAfterwards: OWN,
          forked: {
            own: ['read', 'read'],
            pastTheEnd: ['SIGSEGV', 'SIGSEGV'],
            nextMemory: ['SIGSEGV'],
            neighbour: ['SIGSEGV', 'SIGSEGV'],
          },
        });
      });
    },
  );
});

describeWithKeys('the ways', () => {
  it('are all that the fixture knows', () => {
    expect(JSON.parse(runFixture('striped-ways.mjs').stdout)).toEqual(ways);
  });
});
