/** The shared allocator as one thread sees it, and as several do that the test plays. */
import fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { SharedIndexAllocator } from '../../src/index.js';
import { placeShards } from '../../src/shared/shape.js';
import { LOCK } from '../../src/shared/words.js';
import { ModelAllocator } from '../model.js';
import { PlayedThreads } from '../support/threads.js';

const A = { moduleId: 1, memoryIndex: 0 };
const B = { moduleId: 2, memoryIndex: 3 };

function withCode(code: string): unknown {
  return expect.objectContaining({ code });
}

function takeAll(allocator: SharedIndexAllocator): number[] {
  const slots: number[] = [];
  for (let slot = allocator.alloc(); slot !== undefined; slot = allocator.alloc()) slots.push(slot);
  return slots;
}

describe('with one shard', () => {
  it('random calls choose the slots that the model chooses', () => {
    const call = fc.record({
      action: fc.constantFrom('alloc', 'alloc', 'free', 'free', 'freeMany', 'purge', 'oldest'),
      moduleId: fc.nat(3),
      memoryIndex: fc.nat(1),
      pick: fc.nat(),
      bytes: fc.oneof(fc.nat(), fc.constant(2 ** 40 + 7)),
    });
    const property = fc.property(
      fc.nat(11),
      fc.nat(12),
      fc.array(call, { maxLength: 120 }),
      (more, limit, calls) => {
        const [real] = new PlayedThreads().share(more + 1, limit, 1, 1);
        const model = new ModelAllocator(more + 1, real!.maxUnusedWarmSlots);
        for (const { action, moduleId, memoryIndex, pick, bytes } of calls) {
          const key = { moduleId, memoryIndex };
          const used = [...model.used.keys()];
          const some = used[pick % Math.max(used.length, 1)];
          const key1 = pick % 5 === 0 ? undefined : key;
          if (action === 'alloc') expect(real!.alloc(key1)).toBe(model.alloc(key1));
          if (action === 'purge') {
            expect(real!.allocAffineAndClearAffinity(key)).toBe(model.allocAffineAndClearAffinity(key));
          }
          if (action === 'oldest') expect(real!.allocOldestWarm()).toBe(model.allocOldestWarm());
          if (action === 'free' && some !== undefined) {
            real!.free(some, bytes);
            model.free(some, bytes);
          }
          if (action === 'freeMany') {
            const items = used.slice(0, pick % 4).map((slot) => ({ slot, bytesResident: bytes }));
            real!.freeMany(items);
            model.freeMany(items);
          }
          expect(real!.length).toBe(model.length);
          expect(real!.unusedWarmSlots).toBe(model.unusedWarmSlots);
          expect(real!.unusedBytesResident).toBe(model.unusedBytesResident);
          real!.checkConsistency();
        }
      },
    );
    fc.assert(property, { numRuns: laps(300, 100) });
  });
});

describe('the warm slots', () => {
  it('are spared below the limit, not at it', () => {
    const [one] = new PlayedThreads().share(4, 2, 1, 1);
    const slots = [one!.alloc(A)!, one!.alloc(A)!];
    one!.free(slots[0]!, 0);
    expect(one!.alloc(B)).toBe(2);
    one!.free(slots[1]!, 0);
    expect(one!.alloc(B)).toBe(slots[0]);
  });

  it('are taken below the limit, too, where there are no others', () => {
    const [one] = new PlayedThreads().share(3, 3, 1, 1);
    const [, slot] = takeAll(one!);
    one!.free(slot!, 0);
    expect([one!.alloc(B), one!.alloc(B)]).toEqual([slot, undefined]);
  });

  it('say that they keep no bytes where all of them could no longer be counted', () => {
    const [one] = new PlayedThreads().share(40, 40, 1, 1);
    const slots = takeAll(one!);
    const most = 2 ** 48 - 1;
    for (const slot of slots.slice(0, 32)) one!.free(slot, most);
    expect(one!.unusedBytesResident).toBe(32 * most);
    one!.free(slots[32]!, 5);
    one!.free(slots[33]!, most);
    expect(one!.unusedBytesResident).toBe(32 * most + 5);
    one!.checkConsistency();
    for (const slot of slots.slice(0, 34)) expect(one!.allocOldestWarm()).toBe(slot);
    expect(one!.unusedBytesResident).toBe(0);
    one!.checkConsistency();
  });
});

describe('with several shards', () => {
  it('has one below 128 slots, at most 16, and none that is empty', () => {
    const threads = new PlayedThreads().as(1);
    const shards = (capacity: number, numShards?: number): number =>
      SharedIndexAllocator.create(capacity, 0, { threads, ...(numShards && { numShards }) }).numShards;
    expect(shards(127)).toBe(1);
    expect(shards(128)).toBe(Math.min(navigator.hardwareConcurrency, 16));
    expect(shards(129, 16)).toBe(15);
    expect(shards(3, 16)).toBe(3);
  });

  it('goes through the warm slots of one shard, oldest first, and round again when each is given back', () => {
    for (const allocator of new PlayedThreads().share(8, 8, 2, 4)) {
      allocator.freeMany(takeAll(allocator).map((slot) => ({ slot, bytesResident: 1 })));
      const seen = [0, 1, 2, 3].map((shard) =>
        [1, 2, 3].map(() => {
          const slot = allocator.allocOldestWarm(shard)!;
          allocator.free(slot, 0);
          return slot;
        }),
      );
      for (const [one, other, again] of seen) expect([other, again]).toEqual([one! ^ 1, one]);
      expect(new Set(seen.flat()).size).toBe(8);
      expect(() => allocator.allocOldestWarm(4)).toThrow(RangeError);
      for (const slot of takeAll(allocator)) allocator.free(slot, 0);
    }
  });

  it('gives every slot out once, wherever one begins', () => {
    const allocators = new PlayedThreads().share(50, 10, 5, 4);
    for (const allocator of allocators) {
      const slots = takeAll(allocator);
      expect(slots.toSorted((one, other) => one - other)).toEqual(
        Array.from({ length: 50 }, (_, slot) => slot),
      );
      allocator.freeMany(slots.map((slot) => ({ slot, bytesResident: 10 })));
      expect([allocator.length, allocator.unusedWarmSlots, allocator.unusedBytesResident]).toEqual([
        0, 50, 500,
      ]);
      allocator.checkConsistency();
    }
  });

  it('deals homes out in turn, and the warm budget with the remainder to the first', () => {
    const allocators = new PlayedThreads().share(40, 6, 5, 4);
    expect(allocators.map((allocator) => allocator.alloc(A))).toEqual([0, 10, 20, 30, 1]);
    // 2, 2, 1 and 1: a third module finds the next slot untouched as long as fewer are warm.
    const numSpared = (allocator: SharedIndexAllocator): number => {
      const slots = [1, 2, 3].map((moduleId) => allocator.alloc({ moduleId, memoryIndex: 9 })!);
      allocator.freeMany(slots.map((slot) => ({ slot, bytesResident: 0 })));
      return allocator.alloc({ moduleId: 4, memoryIndex: 9 })! % 10;
    };
    expect(allocators.slice(1, 4).map(numSpared)).toEqual([1, 1, 1]);
  });

  it('a slot of another shard comes back, with its key and its bytes', () => {
    const [one, two] = new PlayedThreads().share(4, 4, 2, 2);
    expect([one!.alloc(A), one!.alloc(A), one!.alloc(B)]).toEqual([0, 1, 2]);
    one!.free(2, 5000);
    expect(two!.unusedBytesResident).toBe(5000);
    expect(two!.alloc(B)).toBe(2);
  });

  it('random calls of three threads keep the books', () => {
    const call = fc.record({
      thread: fc.nat(2),
      action: fc.constantFrom('alloc', 'alloc', 'free', 'freeMany', 'purge', 'adopt', 'die'),
      moduleId: fc.nat(3),
      pick: fc.nat(),
    });
    const property = fc.property(
      fc.integer({ min: 4, max: 90 }),
      fc.array(call, { maxLength: 150 }),
      (capacity, calls) => {
        const played = new PlayedThreads();
        const allocators = played.share(capacity, 5, 3, 3);
        const ids = [1, 2, 3];
        let next = 4;
        const heldBy: number[][] = [[], [], []];
        for (const { thread, action, moduleId, pick } of calls) {
          const allocator = allocators[thread]!;
          const held = heldBy[thread]!;
          const key = { moduleId, memoryIndex: 0 };
          const others = heldBy[(thread + 1) % 3]!;
          const free = (count: number): void => {
            const slots = held.splice(pick % Math.max(held.length, 1), count);
            allocator.freeMany(slots.map((slot) => ({ slot, bytesResident: slot })));
          };
          if (action === 'alloc' || action === 'purge') {
            const slot =
              action === 'alloc' ? allocator.alloc(key) : allocator.allocAffineAndClearAffinity(key);
            if (slot === undefined)
              expect(action === 'purge' || heldBy.flat().length === capacity).toBe(true);
            else {
              expect(heldBy.flat()).not.toContain(slot);
              held.push(slot);
            }
          } else if (action === 'free') free(1);
          else if (action === 'freeMany') free(1 + (pick % 5));
          else if (action === 'adopt' && others.length > 0) {
            const slot = others.pop()!;
            allocator.adopt(slot, ids[(thread + 1) % 3]!);
            held.push(slot);
          } else if (action === 'die') {
            played.dead.add(ids[thread]!);
            ids[thread] = next++;
            allocators[thread] = SharedIndexAllocator.attach(allocator.share(), {
              threads: played.as(ids[thread]),
            });
            const lost = held.splice(0);
            expect(allocators[thread].reclaim()).toBe(lost.length);
            for (const slot of lost)
              expect([allocator.isUsed(slot), allocator.isUnknown(slot)]).toEqual([false, true]);
          }
          expect(allocators[thread]!.length).toBe(heldBy.flat().length);
          allocators[thread]!.checkConsistency();
        }
      },
    );
    fc.assert(property, { numRuns: laps(150, 50) });
  });
});

describe('a slot belongs to the thread that took it', () => {
  it('which alone may free it, once', () => {
    const [one, two] = new PlayedThreads().share(4, 4, 2, 2);
    const slot = one!.alloc(A)!;
    expect([one!.holder(slot), two!.holder(3)]).toEqual([1, undefined]);
    expect(() => two!.free(slot, 0)).toThrow(withCode('ERR_SLOT_OF_OTHER_THREAD'));
    expect(() => two!.freeMany([{ slot, bytesResident: 0 }])).toThrow(withCode('ERR_SLOT_OF_OTHER_THREAD'));
    one!.free(slot, 0);
    for (const allocator of [one!, two!]) {
      expect(() => allocator.free(slot, 0)).toThrow(withCode('ERR_SLOT_NOT_IN_USE'));
    }
    const twice = two!.alloc(A)!;
    const items = [twice, twice].map((each) => ({ slot: each, bytesResident: 0 }));
    expect(() => two!.freeMany(items)).toThrow(withCode('ERR_SLOT_NOT_IN_USE'));
    expect(two!.isUsed(twice)).toBe(true);
  });

  it('or by whom it was adopted', () => {
    const played = new PlayedThreads();
    const [one, two] = played.share(4, 4, 2, 2);
    const slot = one!.alloc(A)!;
    expect(() => two!.adopt(slot, 2)).toThrow(withCode('ERR_SLOT_OF_OTHER_THREAD'));
    two!.adopt(slot, 1);
    expect(() => two!.adopt(slot, 1)).toThrow(withCode('ERR_SLOT_OF_OTHER_THREAD'));
    expect(() => one!.free(slot, 0)).toThrow(withCode('ERR_SLOT_OF_OTHER_THREAD'));
    played.dead.add(1);
    expect(two!.reclaim()).toBe(0);
    two!.free(slot, 7);
    expect(() => two!.adopt(slot, 1)).toThrow(withCode('ERR_SLOT_NOT_IN_USE'));
    expect(two!.unusedBytesResident).toBe(7);
  });
});

describe('locks', () => {
  it('count for each attachment how often one was taken, and how often its owner had ended', () => {
    const played = new PlayedThreads();
    const [one, two, three] = played.share(4, 4, 3, 1);
    const slot = one!.alloc(A)!;
    const words = new Int32Array(one!.share().indexAllocator);
    Atomics.store(words, placeShards(4, 4, 1)[0]!.control + LOCK, 1);
    played.dead.add(1);
    expect(two!.alloc(B)).toBe(1);
    const counts = [one, two, three].map((each) => each!.lockCounts);
    const [none, once] = [0, 1].map((count) => ({ waits: count, takeovers: count }));
    expect(counts).toEqual([none, once, none]);
    expect(three!.reclaim()).toBe(1);
    expect(three!.isUnknown(slot)).toBe(true);
    three!.checkConsistency();
  });
});

describe('closing', () => {
  it('gives back what the thread holds, as unknown, and ends its calls', () => {
    const [one, two] = new PlayedThreads().share(4, 4, 2, 2);
    const slot = one!.alloc(A)!;
    one!.close();
    one!.close();
    expect(two!.isUnknown(slot)).toBe(true);
    for (const call of [() => one!.alloc(), () => one!.free(0, 0), () => one!.length, () => one!.reclaim()]) {
      expect(call).toThrow(withCode('ERR_ALLOCATOR_CLOSED'));
    }
    expect(takeAll(two!)).toHaveLength(4);
    two!.checkConsistency();
  });

  it('leaves it alone while the thread is attached a second time', () => {
    const played = new PlayedThreads();
    const [one] = played.share(4, 4, 1, 1);
    const again = SharedIndexAllocator.attach(one!.share(), { threads: played.as(1) });
    const slot = one!.alloc()!;
    one!.close();
    expect([again.holder(slot), again.isUnknown(slot)]).toEqual([1, false]);
    again[Symbol.dispose]();
  });

  it('seats are used again; more than 1,024 attachments are refused, unless some are dead', () => {
    const played = new PlayedThreads();
    const allocators = played.share(4, 4, 1024, 1);
    const attach = (self: number): SharedIndexAllocator =>
      SharedIndexAllocator.attach(allocators[0]!.share(), { threads: played.as(self) });
    expect(() => attach(2000)).toThrow(withCode('ERR_TOO_MANY_THREADS'));
    played.dead.add(7);
    expect(attach(2001).alloc()).toBe(0);
    expect(() => attach(2002)).toThrow(withCode('ERR_TOO_MANY_THREADS'));
    allocators[3]!.close();
    expect(attach(2003).alloc()).toBe(1);
  });
});

describe('a call that is broken off by a stack that is too small', () => {
  it('leaves the books right after the thread’s next call at the latest', () => {
    const [one, two] = new PlayedThreads().share(40, 8, 2, 2);
    let numBroken = 0;
    let numDone = 0;
    const held: number[] = [];
    // On the way back from where the stack ends: each call has a frame more than the one before.
    const deep = (): void => {
      try {
        deep();
      } catch {
        numDone = 0;
      }
      if (numDone === 20) return;
      try {
        const slot = one!.alloc({ moduleId: numBroken % 3, memoryIndex: 0 });
        if (slot !== undefined) held.push(slot);
        if (held.length > numBroken % 40) one!.free(held[0]!, 1);
        held.shift();
        numDone++;
      } catch {
        numBroken++;
      }
    };
    for (let round = 0; round < 60; round++) {
      deep();
      expect(one!.length).toBeLessThanOrEqual(40);
      two!.checkConsistency();
    }
    expect(numBroken).toBeGreaterThan(0);
  });
});

describe('attaching', () => {
  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['another object', { buffer: new SharedArrayBuffer(8) }, 'ERR_INVALID_ARG_VALUE'],
    ['an ArrayBuffer', { indexAllocator: new ArrayBuffer(8) }, 'ERR_INVALID_ARG_TYPE'],
    ['a small buffer', { indexAllocator: new SharedArrayBuffer(8) }, 'ERR_INVALID_ARG_VALUE'],
    ['a buffer of zeros', { indexAllocator: new SharedArrayBuffer(100_000) }, 'ERR_INVALID_ARG_VALUE'],
  ])('to %s is refused', (_, handle, code) => {
    const threads = new PlayedThreads().as(1);
    expect(() => SharedIndexAllocator.attach(handle as never, { threads })).toThrow(withCode(code));
  });

  it('to a copy that was cut off, or whose settings were changed, is refused', () => {
    const threads = new PlayedThreads().as(1);
    const { indexAllocator } = SharedIndexAllocator.create(200, 3, { threads }).share();
    const shorter = new SharedArrayBuffer(indexAllocator.byteLength - 64);
    new Uint8Array(shorter).set(new Uint8Array(indexAllocator, 0, shorter.byteLength));
    expect(() => SharedIndexAllocator.attach({ indexAllocator: shorter }, { threads })).toThrow(
      withCode('ERR_INVALID_ARG_VALUE'),
    );
    for (const word of [1, 2, 3, 4]) {
      const words = new Int32Array(indexAllocator);
      const before = words[word]!;
      for (const value of [-1, 0x7fff_ffff]) {
        words[word] = value;
        expect(() => SharedIndexAllocator.attach({ indexAllocator }, { threads })).toThrow(
          withCode('ERR_INVALID_ARG_VALUE'),
        );
      }
      words[word] = before;
    }
    expect(SharedIndexAllocator.attach({ indexAllocator }, { threads }).capacity).toBe(200);
  });
});
