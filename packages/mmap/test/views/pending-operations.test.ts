/** What Node's own I/O does with a view whose map is gone: it meets zero pages, never another map's. */

import { sampled } from '@guardstripe/test-support';
import { expect, it } from 'vitest';

import { fixtureJson } from '../support/child.js';

const OPERATIONS = [
  'fs.read',
  'fs.write',
  'randomFill',
  'deflate',
  'socket',
  'subtle.digest',
  'Blob',
  'dgram',
];

const nodeMajor = Number(process.versions.node.split('.')[0]);

it.runIf(nodeMajor >= 26)(
  'an immutable buffer made of a view shows zeros once its map is gone (Node 26)',
  () => {
    expect(fixtureJson('immutable.mjs', [], ['--js-immutable-arraybuffer'])).toEqual({
      own: 'ERR_VIEW_NOT_TRANSFERABLE',
      before: 7,
      after: 0,
      retired: 1,
    });
  },
);

const cases = OPERATIONS.flatMap((operation) => ['close', 'move'].map((end) => [operation, end] as const));

it.each(sampled(cases))(
  'a pending %s is harmless after a %s, and holds the addresses until it is done',
  (operation, end) => {
    expect(fixtureJson('pending-operation.mjs', [operation, end], ['--expose-gc'])).toEqual({
      overlaps: false,
      withheld: 1,
      sawStamp: false,
      strangerDamaged: false,
      damaged: false,
      withheldAtLast: 0,
    });
  },
);
