import { afterEach, describe, expect, it, vi } from 'vitest';

import { makeShared, openShared } from '../../src/shared/open-buffer.js';
import { seatAt } from '../../src/shared/shape.js';
import {
  CAPACITY_WORD,
  MAGIC_WORD,
  MAX_SEATS,
  NUM_SHARDS_WORD,
  VERSION_WORD,
  WARM_LIMIT_WORD,
} from '../../src/shared/words.js';
import { MAX_CAPACITY } from '../../src/state.js';

afterEach(() => {
  vi.unstubAllGlobals();
});

function refused(found: string): unknown {
  return expect.objectContaining({
    code: 'ERR_INVALID_ARG_VALUE',
    message: `"handle.indexAllocator" holds no shared allocator of this version: ${found}`,
  });
}

describe('a buffer is taken up', () => {
  it.each([
    [1, 0, 1],
    [5, 3, 2],
    [200, 200, 16],
  ])('with all it was made with: %i slots, a limit of %i, %i shards', (capacity, warmLimit, numShards) => {
    const made = makeShared(capacity, warmLimit, numShards);
    const opened = openShared(made.buffer);
    expect(opened).toMatchObject({ capacity, warmLimit, slotsEach: made.slotsEach });
    expect(opened.shards.map(({ firstSlot }) => firstSlot)).toEqual(
      made.shards.map(({ firstSlot }) => firstSlot),
    );
  });

  it('with a limit of no more than its slots', () => {
    expect(openShared(makeShared(5, 9, 1).buffer).warmLimit).toBe(5);
  });
});

describe('a buffer is refused', () => {
  const settings: readonly [string, number, number, string][] = [
    ['that begins otherwise', MAGIC_WORD, 1, 'it does not begin as one'],
    ['of another version', VERSION_WORD, 2, 'its layout is 2'],
    ['of no slots', CAPACITY_WORD, 0, 'it has 0 slots'],
    ['of a negative number of slots', CAPACITY_WORD, -1, 'it has -1 slots'],
    ['of too many slots', CAPACITY_WORD, MAX_CAPACITY + 1, `it has ${MAX_CAPACITY + 1} slots`],
    ['of more slots than it has room for', CAPACITY_WORD, MAX_CAPACITY, 'its length is another'],
    ['of a negative limit', WARM_LIMIT_WORD, -1, 'its warm limit is -1'],
    ['of a limit above its slots', WARM_LIMIT_WORD, 130, 'its warm limit is 130'],
    ['of no shards', NUM_SHARDS_WORD, 0, 'it has 0 shards'],
    ['of a negative number of shards', NUM_SHARDS_WORD, -1, 'it has -1 shards'],
    ['of too many shards', NUM_SHARDS_WORD, 17, 'it has 17 shards'],
    ['of other shards', NUM_SHARDS_WORD, 3, 'its length is another'],
    // 129 slots do not fill 16 shards: the same 15 come of it.
    ['of a shard more than there are', NUM_SHARDS_WORD, 16, 'its length is another'],
  ];

  it.each(settings)('%s', (_, word, value, found) => {
    const { buffer } = makeShared(129, 5, 16);
    new Int32Array(buffer)[word] = value;
    expect(() => openShared(buffer)).toThrow(refused(found));
  });

  it('that is too short for its seats', () => {
    expect(() => openShared(new SharedArrayBuffer(11))).toThrow(refused('it has 2 words'));
    const seats = new SharedArrayBuffer(4 * seatAt(MAX_SEATS));
    expect(() => openShared(seats)).toThrow(refused('it does not begin as one'));
  });

  it.each([
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['what has only its prototype', Object.create(SharedArrayBuffer.prototype)],
    ['a proxy of one', new Proxy(new SharedArrayBuffer(8), {})],
  ])('if it is %s', (_, buffer) => {
    expect(() => openShared(buffer)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining(
          '"handle.indexAllocator" property must be an instance of SharedArrayBuffer',
        ),
      }),
    );
  });

  it('where there are no shared buffers, as in a page that is not isolated', () => {
    const { buffer } = makeShared(3, 3, 1);
    vi.stubGlobal('SharedArrayBuffer', SharedArrayBuffer);
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    expect(() => openShared(buffer)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });
});

it('without memory for it: the error says how much was asked for, and why there is none', () => {
  const { byteLength } = makeShared(3, 0, 1).buffer;
  const cause = new RangeError('Array buffer allocation failed');
  vi.stubGlobal('SharedArrayBuffer', function () {
    throw cause;
  });
  expect(() => makeShared(3, 0, 1)).toThrow(
    expect.objectContaining({
      code: 'ERR_MEMORY_ALLOCATION_FAILED',
      message: `Cannot allocate ${byteLength} bytes of state for 3 slots`,
      cause,
    }),
  );
});
