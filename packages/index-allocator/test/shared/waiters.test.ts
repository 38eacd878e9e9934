/** Waiting for a slot, in several threads that the test plays. */
import { describe, expect, it } from 'vitest';

import { firstInLine } from '../../src/shared/line.js';
import { seatAt } from '../../src/shared/shape.js';
import { Waiters } from '../../src/shared/waiters.js';
import { MAX_SEATS, SEAT_THREAD, SEATS_USED } from '../../src/shared/words.js';
import { PlayedThreads } from '../support/threads.js';

const A = { moduleId: 1, memoryIndex: 0 };

describe('allocAsync', () => {
  it('says in every thread whether somebody waits', async () => {
    const [one, two] = new PlayedThreads().share(1, 1, 2);
    const slot = one!.alloc()!;
    expect([one!.isWaitedFor, two!.isWaitedFor]).toEqual([false, false]);
    const waits = two!.allocAsync();
    expect([one!.isWaitedFor, two!.isWaitedFor]).toEqual([true, true]);
    one!.free(slot, 0);
    expect(await waits).toBe(slot);
    expect([one!.isWaitedFor, two!.isWaitedFor]).toEqual([false, false]);
    two!.close();
    expect(() => two!.isWaitedFor).toThrow(expect.objectContaining({ code: 'ERR_ALLOCATOR_CLOSED' }));
  });

  it('takes a slot at once if there is one', async () => {
    const [one] = new PlayedThreads().share(2, 2, 1, 1);
    expect(await one!.allocAsync(A)).toBe(0);
  });

  it('tells at once of a slot that it takes, in line or not', async () => {
    const [one, two] = new PlayedThreads().share(1, 1, 2, 1);
    const taken: number[] = [];
    const onTaken = (slot: number) => void taken.push(slot);
    const first = one!.allocAsync(A, { onTaken });
    expect(taken).toEqual([0]);
    const second = two!.allocAsync(A, { onTaken });
    expect(taken).toEqual([0]);
    one!.free(await first, 0);
    expect(await second).toBe(0);
    expect(taken).toEqual([0, 0]);
  });

  it('gives a slot back of which nobody would hear', async () => {
    const [one, two] = new PlayedThreads().share(1, 1, 2, 1);
    const error = new Error('not now');
    const onTaken = () => {
      throw error;
    };
    await expect(one!.allocAsync(A, { onTaken })).rejects.toBe(error);
    const slot = one!.alloc()!;
    const waits = two!.allocAsync(A, { onTaken });
    one!.free(slot, 0);
    await expect(waits).rejects.toBe(error);
    expect(one!.length).toBe(0);
    one!.checkConsistency();
  });

  it('serves the first that came, whatever thread it waits in', async () => {
    const [one, two, three] = new PlayedThreads().share(2, 2, 3, 2);
    const held = [one!.alloc()!, one!.alloc()!];
    const order: string[] = [];
    const waits = [
      ['two', two!],
      ['three', three!],
      ['two again', two!],
      ['one', one!],
    ] as const;
    const done = waits.map(async ([name, allocator]) => {
      const slot = await allocator.allocAsync(A);
      order.push(name);
      allocator.free(slot, 0);
    });
    expect(one!.alloc()).toBeUndefined();
    for (const slot of held) one!.free(slot, 0);
    await Promise.all(done);
    expect(order).toEqual(['two', 'three', 'two again', 'one']);
    expect(one!.length).toBe(0);
    one!.checkConsistency();
  });

  it('is not overtaken by calls that do not wait', async () => {
    const [one, two] = new PlayedThreads().share(1, 1, 2, 1);
    const slot = one!.alloc()!;
    const waiting = two!.allocAsync(A);
    one!.free(slot, 0);
    expect(one!.alloc()).toBeUndefined();
    expect(await waiting).toBe(slot);
    two!.free(slot, 0);
    expect(one!.alloc()).toBe(slot);
  });

  it('rejects with the signal’s reason, and the next in line does not notice', async () => {
    const [one, two, three] = new PlayedThreads().share(1, 1, 3, 1);
    const slot = one!.alloc()!;
    const abort = new AbortController();
    const first = two!.allocAsync(A, { signal: abort.signal });
    const second = three!.allocAsync(A);
    one!.free(slot, 0);
    const reason = new Error('no longer');
    abort.abort(reason);
    await expect(first).rejects.toBe(reason);
    expect(await second).toBe(slot);
    await expect(two!.allocAsync(A, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('does not wait for a waiter whose thread has died', async () => {
    const played = new PlayedThreads();
    const [one, two, three] = played.share(1, 1, 3, 1);
    const slot = one!.alloc()!;
    const lost = two!.allocAsync(A);
    lost.catch(() => undefined);
    const waiting = three!.allocAsync(A);
    played.dead.add(2);
    one!.free(slot, 0);
    // Whether the dead thread's attachment was called or the living one looked: one of them has it, and here both can.
    const got = await Promise.race([waiting, lost.then(() => 'the dead one')]);
    if (got === 'the dead one') expect(await waiting).toBe(slot);
    else expect(got).toBe(slot);
  });

  it('gets the slot of a thread that died', async () => {
    const played = new PlayedThreads();
    const [one, two] = played.share(1, 1, 2, 1);
    const slot = one!.alloc()!;
    const waiting = two!.allocAsync(A);
    played.dead.add(1);
    expect(await waiting).toBe(slot);
    expect(two!.isUnknown(slot)).toBe(true);
    two!.free(slot, 0);
    expect(two!.isUnknown(slot)).toBe(false);
  });

  it('ends when its thread closes, and the next in line is served', async () => {
    const [one, two, three] = new PlayedThreads().share(1, 1, 3, 1);
    const slot = one!.alloc()!;
    const first = two!.allocAsync(A);
    const second = three!.allocAsync(A);
    two!.close();
    await expect(first).rejects.toMatchObject({ code: 'ERR_ALLOCATOR_CLOSED' });
    one!.free(slot, 0);
    expect(await second).toBe(slot);
  });

  it('a thousand waiters of three threads all get their turn', async () => {
    const allocators = new PlayedThreads().share(5, 5, 3, 3);
    let served = 0;
    const waits = Array.from({ length: 1000 }, async (_, index) => {
      const allocator = allocators[index % 3]!;
      const slot = await allocator.allocAsync(A);
      served++;
      await Promise.resolve();
      allocator.free(slot, 0);
    });
    await Promise.all(waits);
    expect(served).toBe(1000);
    expect(allocators[0]!.length).toBe(0);
  });
});

describe('waiters of one thread', () => {
  /** Alone in the first seat. */
  function alone(buryDead: () => void = () => undefined): { head: Int32Array; waiters: Waiters } {
    const head = new Int32Array(new SharedArrayBuffer(4 * seatAt(MAX_SEATS)));
    head[seatAt(0) + SEAT_THREAD] = 1;
    head[SEATS_USED] = 1;
    return { head, waiters: new Waiters(head, 0, buryDead) };
  }

  it('whose attempt throws is rejected with that, and the next has its turn', async () => {
    const { head, waiters } = alone();
    const error = new Error('no slots today');
    let slot = -1;
    const failing = waiters.wait(() => {
      if (slot === -1) return -1;
      throw error;
    }, undefined);
    const next = waiters.wait(() => slot, undefined);
    slot = 7;
    await expect(failing).rejects.toBe(error);
    expect(await next).toBe(7);
    expect(firstInLine(head)).toBe(-1);
  });

  it('look after the dead before they try again, when nobody calls for a while', async () => {
    let slot = -1;
    const { waiters } = alone(() => (slot = 3));
    expect(await waiters.wait(() => slot, undefined)).toBe(3);
  });

  it('try as soon as they stand in line: whoever freed a slot before that called nobody', async () => {
    const { waiters } = alone(() => {
      throw new Error('is not to come to that');
    });
    expect(await waiters.wait(() => 5, undefined)).toBe(5);
  });

  it('listen to their signals as long as they wait', async () => {
    const { waiters } = alone();
    const abort = new AbortController();
    const listeners = new Set<unknown>();
    const signal = {
      aborted: false,
      reason: abort.signal.reason as unknown,
      throwIfAborted: () => undefined,
      addEventListener: (type: string, listener: () => void) =>
        listeners.add(type) && listeners.add(listener),
      removeEventListener: (type: string, listener: () => void) =>
        listeners.delete(type) && listeners.delete(listener),
    };
    let slot = -1;
    const waiting = waiters.wait(() => slot, signal as never);
    expect(listeners.size).toBe(2);
    slot = 4;
    expect(await waiting).toBe(4);
    expect(listeners.size).toBe(0);
  });

  it('in the middle of the line leave it without a word to anybody', async () => {
    const { head, waiters } = alone();
    let slot = -1;
    const abort = new AbortController();
    const first = waiters.wait(() => slot, undefined);
    const left = waiters.wait(() => slot, abort.signal);
    const before = head.slice();
    abort.abort();
    await expect(left).rejects.toBe(abort.signal.reason);
    expect(head).toEqual(before);
    slot = 2;
    expect(await first).toBe(2);
  });
});
