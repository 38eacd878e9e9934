/** What the shared allocator says of itself, refuses, and does for those that wait. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';

import { SharedIndexAllocator } from '../../src/index.js';
import { placeShards, seatAt } from '../../src/shared/shape.js';
import { LINE_WORD, MAX_SEATS, SEAT_CALL } from '../../src/shared/words.js';
import { WARM_SLOTS } from '../../src/state.js';
import { PlayedThreads } from '../support/threads.js';

const A = { moduleId: 1, memoryIndex: 0 };
const threads = new PlayedThreads().as(1);

function wordsOf(allocator: SharedIndexAllocator): Int32Array {
  return new Int32Array(allocator.share().indexAllocator);
}

/** How often the thread in a seat was told that it may be its turn. */
function callsOf(allocator: SharedIndexAllocator, seat: number): number {
  return wordsOf(allocator)[seatAt(seat) + SEAT_CALL]!;
}

describe('a bad argument is refused by its name', () => {
  const [one] = new PlayedThreads().share(4, 4, 1, 2);
  const refusals: readonly [string, () => unknown, string][] = [
    ['no slots', () => SharedIndexAllocator.create(0, 0, { threads }), 'ERR_OUT_OF_RANGE "capacity"'],
    [
      'a negative limit',
      () => SharedIndexAllocator.create(4, -1, { threads }),
      'ERR_OUT_OF_RANGE "maxUnusedWarmSlots"',
    ],
    [
      '17 shards',
      () => SharedIndexAllocator.create(4, 0, { threads, numShards: 17 }),
      'ERR_OUT_OF_RANGE "options.numShards"',
    ],
    [
      'no shards',
      () => SharedIndexAllocator.create(4, 0, { threads, numShards: 0 }),
      'ERR_OUT_OF_RANGE "options.numShards"',
    ],
    [
      'no handle',
      () => SharedIndexAllocator.attach(null as never, { threads }),
      'ERR_INVALID_ARG_TYPE "handle"',
    ],
    ['a shard too many', () => one!.allocOldestWarm(2), 'ERR_OUT_OF_RANGE "shard"'],
    ['a slot too many', () => one!.free(4, 0), 'ERR_OUT_OF_RANGE "slot"'],
    ['a negative slot', () => one!.free(-1, 0), 'ERR_OUT_OF_RANGE "slot"'],
    ['a text for a slot', () => one!.free('1' as never, 0), 'ERR_INVALID_ARG_TYPE "slot"'],
    ['negative bytes', () => one!.free(0, -1), 'ERR_OUT_OF_RANGE "bytesResident"'],
    ['a slot too many to adopt', () => one!.adopt(4, 2), 'ERR_OUT_OF_RANGE "slot"'],
    ['no thread to adopt from', () => one!.adopt(0, 0), 'ERR_OUT_OF_RANGE "from"'],
    ['a slot too many to ask after', () => one!.isUsed(4), 'ERR_OUT_OF_RANGE "slot"'],
  ];

  it.each(refusals)('%s', (_, call, words) => {
    const [code, name] = words.split(' ');
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(name!) }));
  });

  it('and by its place in a batch', () => {
    const slot = one!.alloc()!;
    const twice = [slot, slot].map((each) => ({ slot: each, bytesResident: 0 }));
    expect(() => one!.freeMany(twice)).toThrow('"items[1].slot"');
    expect(() => one!.freeMany([{ slot: 3, bytesResident: 0 }])).toThrow('"items[0].slot"');
    expect(() => one!.free(3, 0)).toThrow('"slot": slot 3 is not in use');
    one!.free(slot, 0);
  });

  it('with the greatest that is right in the message', () => {
    for (const call of [() => one!.free(4, 0), () => one!.adopt(4, 2), () => one!.isUsed(4)]) {
      expect(call).toThrow('<= 3. Received 4');
    }
  });
});

it('after it is closed every call that would read or change something is refused', async () => {
  const [one, two] = new PlayedThreads().share(4, 4, 2, 2);
  const slot = one!.alloc(A)!;
  one![Symbol.dispose]();
  const calls: Record<string, () => unknown> = {
    length: () => one!.length,
    isEmpty: () => one!.isEmpty,
    unusedWarmSlots: () => one!.unusedWarmSlots,
    unusedBytesResident: () => one!.unusedBytesResident,
    isWaitedFor: () => one!.isWaitedFor,
    alloc: () => one!.alloc(),
    allocAffineAndClearAffinity: () => one!.allocAffineAndClearAffinity(A),
    allocOldestWarm: () => one!.allocOldestWarm(),
    free: () => one!.free(slot, 0),
    freeMany: () => one!.freeMany([]),
    adopt: () => one!.adopt(slot, 2),
    reclaim: () => one!.reclaim(),
    checkConsistency: () => one!.checkConsistency(),
  };
  const closed = expect.objectContaining({ code: 'ERR_ALLOCATOR_CLOSED' });
  for (const [name, call] of Object.entries(calls)) expect(call, name).toThrow(closed);
  await expect(one!.allocAsync()).rejects.toEqual(closed);
  // What it held came back, and a second end takes nothing from whoever sits there now.
  expect([two!.isUnknown(slot), two!.length]).toEqual([true, 0]);
  const again = SharedIndexAllocator.attach(two!.share(), { threads: new PlayedThreads().as(1) });
  const held = again.alloc()!;
  one!.close();
  expect(two!.holder(held)).toBe(1);
});

it('shows how large it is, and says whether it is empty', () => {
  const [one] = new PlayedThreads().share(4, 4, 1, 2);
  expect(inspect(one)).toBe('SharedIndexAllocator { 4 slots in 2 shards }');
  expect(one!.isEmpty).toBe(true);
  const slot = one!.alloc()!;
  expect(one!.isEmpty).toBe(false);
  one!.free(slot, 0);
  expect(one!.isEmpty).toBe(true);
});

describe('checkConsistency', () => {
  const [place, second] = placeShards(8, 8, 2);

  it.each([
    ['a count of warm slots', place!.state + WARM_SLOTS, 3, 'ERR_INCONSISTENT_STATE'],
    ['a count in another shard', second!.state + WARM_SLOTS, 3, 'ERR_INCONSISTENT_STATE'],
    [
      'a free slot that somebody is said to hold',
      place!.holders + 2,
      7,
      "slot 2 is free, its holder's word 7",
    ],
    ['a used slot that nobody is said to hold', place!.holders, 0, "slot 0 is used, its holder's word 0"],
  ])('finds %s, and lets go of the lock', (_, word, value, found) => {
    const [one] = new PlayedThreads().share(8, 8, 1, 2);
    one!.alloc();
    one!.checkConsistency();
    const words = wordsOf(one!);
    const before = words[word]!;
    words[word] = value;
    expect(() => one!.checkConsistency()).toThrow(
      expect.objectContaining({
        code: 'ERR_INCONSISTENT_STATE',
        message: expect.stringContaining(found.startsWith('ERR') ? 'breaks the rule' : `"holder": ${found}`),
      }),
    );
    expect([words[place!.control], words[second!.control]]).toEqual([0, 0]);
    words[word] = before;
    one!.checkConsistency();
  });
});

describe('a waiter of another thread is called', () => {
  it.each<[string, (one: SharedIndexAllocator, slots: number[]) => void]>([
    ['a slot of the home shard is freed', (one, slots) => one.free(slots[0]!, 0)],
    ['a slot of another shard is freed', (one, slots) => one.free(slots[2]!, 0)],
    ['several are freed', (one, slots) => one.freeMany([{ slot: slots[3]!, bytesResident: 0 }])],
    ['the thread leaves', (one) => one.close()],
  ])('once %s', async (_, free) => {
    const [one, two] = new PlayedThreads().share(4, 4, 2, 2);
    const slots = Array.from({ length: 4 }, () => one!.alloc()!);
    const waiting = two!.allocAsync();
    const before = callsOf(one!, 1);
    free(one!, slots);
    expect(callsOf(one!, 1)).toBeGreaterThan(before);
    expect(slots).toContain(await waiting);
  });

  it('and nobody where nobody waits', () => {
    const [one] = new PlayedThreads().share(4, 4, 2, 2);
    const before = wordsOf(one!).slice(0, seatAt(MAX_SEATS));
    one!.free(one!.alloc()!, 0);
    one!.freeMany([{ slot: one!.alloc()!, bytesResident: 0 }]);
    expect(wordsOf(one!).slice(0, seatAt(MAX_SEATS))).toEqual(before);
  });
});

describe('whoever comes later', () => {
  it('and waits, waits behind those that do already, even if a slot is free', async () => {
    const [one, two, three] = new PlayedThreads().share(1, 1, 3, 1);
    const slot = one!.alloc()!;
    const order: string[] = [];
    const serve = async (allocator: SharedIndexAllocator, name: string): Promise<void> => {
      const got = await allocator.allocAsync();
      order.push(name);
      allocator.free(got, 0);
    };
    const first = serve(two!, 'two');
    one!.free(slot, 0);
    const second = serve(three!, 'three');
    await Promise.all([first, second]);
    expect(order).toEqual(['two', 'three']);
  });

  it('does not stand behind a line that is empty', async () => {
    const [one] = new PlayedThreads().share(2, 2, 1, 1);
    const words = wordsOf(one!);
    // Somebody came, and went again.
    words[LINE_WORD] = 5;
    expect(one!.isWaitedFor).toBe(false);
    expect(words[LINE_WORD]).toBe(0);
    words[LINE_WORD] = 5;
    expect(await one!.allocAsync()).toBe(0);
    words[LINE_WORD] = 5;
    expect(one!.alloc()).toBe(1);
  });

  it('does not stand behind the dead', async () => {
    const played = new PlayedThreads();
    const [one, two] = played.share(2, 2, 2, 1);
    const slots = [one!.alloc()!, one!.alloc()!];
    const abort = new AbortController();
    const lost = two!.allocAsync(A, { signal: abort.signal });
    played.dead.add(2);
    one!.free(slots[0]!, 0);
    expect(one!.alloc()).toBe(slots[0]);
    abort.abort();
    await expect(lost).rejects.toBe(abort.signal.reason);
  });
});

describe('what a dead thread held', () => {
  it('is had at once, without anybody asking for it to be taken away, and one slot of it', () => {
    const played = new PlayedThreads();
    const [one, two] = played.share(4, 4, 2, 2);
    while (two!.alloc() !== undefined);
    played.dead.add(2);
    const slot = one!.alloc()!;
    expect([one!.isUnknown(slot), one!.holder(slot), one!.length]).toEqual([true, 1, 1]);
  });

  it('is left alone while there are others', () => {
    const played = new PlayedThreads();
    const [one, two] = played.share(4, 4, 2, 2);
    const kept = two!.alloc()!;
    played.dead.add(2);
    const taken = [one!.alloc(), one!.alloc(), one!.alloc()];
    expect(new Set([...taken, kept])).toEqual(new Set([0, 1, 2, 3]));
    expect(one!.holder(kept)).toBe(2);
  });
});
