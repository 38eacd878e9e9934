/** Waiting for a slot, in several threads that the test plays. */
import { describe, expect, it } from 'vitest';

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
