/** What Node's own I/O does with a view whose map is gone: it meets zero pages, never another map's. */

import { describe, expect, it } from 'vitest';

import { fixtureJson } from '../support/child.js';

const OPERATIONS = ['fs.read', 'fs.write', 'randomFill', 'deflate', 'socket'];

describe.each(OPERATIONS)('a pending %s', (operation) => {
  it.each(['close', 'move'])('is harmless after a %s, and holds the addresses until it is done', (end) => {
    expect(fixtureJson('pending-operation.mjs', [operation, end], ['--expose-gc'])).toEqual({
      overlaps: false,
      withheld: 1,
      sawStamp: false,
      strangerDamaged: false,
      damaged: false,
      withheldAtLast: 0,
    });
  });
});
