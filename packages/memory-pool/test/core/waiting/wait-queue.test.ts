/** `allocateAsync` on a full pool: first come, first served, and whoever leaves costs the others nothing. */
import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { SystemError } from '@guardstripe/mmap';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  ModuleClosedError,
  PoolClosedError,
  PoolQueueFullError,
  StoreDisposedError,
  type MemoryPool,
  type PooledMemory,
  type Store,
} from '../../../src/index.js';
import { faultyMemory, type FaultyMemory } from '../../support/fault-injection.js';
import {
  checkBooks,
  contents,
  imageBytes,
  imageModule,
  scribble,
  smallPool,
  zeroModule,
} from '../../support/memories.js';

let faulty: FaultyMemory;
let pool: MemoryPool;
let store: Store;
let held: PooledMemory[];
const module = imageModule(0x61);

beforeEach(() => {
  faulty = faultyMemory();
  pool = smallPool({ maxWaitingAllocations: 4, virtualMemory: faulty.virtualMemory });
  store = pool.openStore();
  held = [1, 2, 3].map(() => store.allocate({ module }));
  for (const memory of held) scribble(memory);
});
afterEach(() => {
  faulty.heal();
  if (!pool.closed) checkBooks(pool);
  pool.close({ force: true });
});

/** Waits, and notes in `order` when it was served or refused. */
function wait(order: string[], name: string, signal?: AbortSignal, tenant = store): Promise<PooledMemory> {
  const promise = tenant.allocateAsync(signal === undefined ? { module } : { module, signal });
  promise.then(
    () => order.push(name),
    () => order.push(`not ${name}`),
  );
  return promise;
}

describe('allocateAsync', () => {
  it('takes a free slot at once', async () => {
    held[0]!.free();
    const memory = await store.allocateAsync({ module });
    expect(contents(memory).equals(imageBytes(0x61))).toBe(true);
  });

  it('waits on a full pool, and is served in the order of arrival', async () => {
    const order: string[] = [];
    const waiting = ['a', 'b', 'c'].map((name) => wait(order, name));
    await setImmediate();
    expect(order).toEqual([]);
    expect(pool.metrics().waitingAllocations).toBe(3);
    held[1]!.free();
    await setImmediate();
    expect(order).toEqual(['a']);
    expect((await waiting[0])!.slot).toBe(held[1]!.slot);
    held[0]!.free();
    held[2]!.free();
    for (const memory of await Promise.all(waiting)) {
      expect(contents(memory).equals(imageBytes(0x61))).toBe(true);
    }
    expect(order).toEqual(['a', 'b', 'c']);
    expect(pool.metrics()).toMatchObject({ liveMemories: 3, waitingAllocations: 0 });
  });

  it('is not overtaken by allocate', async () => {
    const order: string[] = [];
    const waiting = wait(order, 'a');
    held[0]!.free();
    expect(() => store.allocate({ module })).toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CONCURRENCY_LIMIT' }),
    );
    await waiting;
  });

  it('waits for the slots of another store, too', async () => {
    const other = pool.openStore();
    const waiting = other.allocateAsync({ module });
    store.dispose();
    expect((await waiting).freed).toBe(false);
    expect(other.liveMemories).toBe(1);
  });

  it('refuses bad input by rejection, without waiting', async () => {
    await expect(store.allocateAsync({ module: {} as never })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(pool.metrics().waitingAllocations).toBe(0);
  });
});

describe('a signal', () => {
  it('that was aborted before ends it at once, even if there is a slot', async () => {
    held[0]!.free();
    const reason = new Error('too late');
    await expect(store.allocateAsync({ module, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(pool.metrics().liveMemories).toBe(2);
  });

  it('that aborts while it waits rejects with its reason, and the others move up', async () => {
    const order: string[] = [];
    const aborts = ['a', 'b', 'c'].map(() => new AbortController());
    const [a, b, c] = aborts.map(({ signal }, i) => wait(order, 'abc'[i]!, signal));
    const reason = new Error('enough');
    aborts[1]!.abort(reason);
    await expect(b).rejects.toBe(reason);
    aborts[0]!.abort();
    await expect(a).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(pool.metrics().waitingAllocations).toBe(1);
    held[0]!.free();
    await c;
    expect(order).toEqual(['not b', 'not a', 'c']);
    expect(pool.metrics()).toMatchObject({ liveMemories: 3, waitingAllocations: 0 });
  });

  it('that aborts between the free and the turn gives the slot to the next', async () => {
    const order: string[] = [];
    const abort = new AbortController();
    const [a, b] = [wait(order, 'a', abort.signal), wait(order, 'b')];
    held[0]!.free();
    // The slot is a's already, but a's promise has not told it yet.
    abort.abort();
    await expect(a).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    await b;
    expect(pool.metrics()).toMatchObject({ liveMemories: 3, waitingAllocations: 0 });
  });

  it('that aborts while the limiter thinks is heard when it has answered', async () => {
    held[0]!.free();
    const abort = new AbortController();
    const slow = pool.openStore({
      limiter: {
        memoryGrowing: async () => {
          abort.abort();
          await setImmediate();
          return true;
        },
      },
    });
    await expect(slow.allocateAsync({ module, signal: abort.signal })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    );
    expect(pool.metrics().liveMemories).toBe(2);
  });

  it('that aborts afterwards changes nothing', async () => {
    const abort = new AbortController();
    const waiting = store.allocateAsync({ module, signal: abort.signal });
    held[0]!.free();
    const memory = await waiting;
    abort.abort();
    await setImmediate();
    expect(memory.freed).toBe(false);
  });

  it('is listened to only while somebody waits, however that ends', async () => {
    const { signal } = new AbortController();
    const listeners = () => getEventListeners(signal, 'abort').length;
    const other = pool.openStore();
    const waiting = [store, other, store].map((tenant) => tenant.allocateAsync({ module, signal }));
    expect(listeners()).toBe(3);
    held[0]!.free();
    await waiting[0];
    expect(listeners()).toBe(2);
    other.dispose();
    await expect(waiting[1]).rejects.toThrow(StoreDisposedError);
    expect(listeners()).toBe(1);
    pool.close({ force: true });
    await expect(waiting[2]).rejects.toThrow(PoolClosedError);
    expect(listeners()).toBe(0);
  });

  it('leaves no listener behind when the allocation itself fails', async () => {
    const abort = new AbortController();
    const waiting = store.allocateAsync({ module: imageModule(0x62), signal: abort.signal });
    faulty.fail('mapFile');
    held[0]!.free();
    await expect(waiting).rejects.toThrow(SystemError);
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });
});

describe('the queue', () => {
  it('has a bound, which is named', async () => {
    const order: string[] = [];
    const waiting = ['a', 'b', 'c', 'd'].map((name) => wait(order, name));
    const error = await store.allocateAsync({ module }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PoolQueueFullError);
    expect(error).toMatchObject({ code: 'ERR_POOL_QUEUE_FULL', maxWaitingAllocations: 4 });
    held[0]!.free();
    await waiting[0];
    wait(order, 'e').catch(() => undefined);
    expect(pool.metrics().waitingAllocations).toBe(4);
    for (const promise of waiting) promise.catch(() => undefined);
  });

  it('may be forbidden', async () => {
    using strict = smallPool({ totalMemories: 0, maxWaitingAllocations: 0 });
    await expect(strict.openStore().allocateAsync({ module })).rejects.toThrow(PoolQueueFullError);
  });

  it('goes on behind one whose system call fails', async () => {
    const order: string[] = [];
    const failing = store.allocateAsync({ module: zeroModule(8) });
    const next = wait(order, 'next');
    faulty.fail('protect');
    held[0]!.free();
    await expect(failing).rejects.toThrow(SystemError);
    expect(contents(await next).equals(imageBytes(0x61))).toBe(true);
  });

  it('goes on behind one whose limiter says no', async () => {
    const denying = pool.openStore({ limiter: { memoryGrowing: () => Promise.resolve(false) } });
    const order: string[] = [];
    const denied = wait(order, 'denied', undefined, denying);
    const next = wait(order, 'next');
    held[0]!.free();
    await expect(denied).rejects.toThrow(expect.objectContaining({ code: 'ERR_MEMORY_LIMIT' }));
    expect(contents(await next).equals(imageBytes(0x61))).toBe(true);
  });

  it('rejects a waiter whose module was closed, and goes on', async () => {
    const other = imageModule(0x63);
    const waiting = store.allocateAsync({ module: other });
    const next = wait([], 'next');
    other.close();
    held[0]!.free();
    await expect(waiting).rejects.toThrow(ModuleClosedError);
    await next;
  });
});

describe('a store that is disposed', () => {
  it('rejects its own waiters and nobody else', async () => {
    const other = pool.openStore();
    const order: string[] = [];
    const mine = wait(order, 'mine', undefined, other);
    const theirs = wait(order, 'theirs');
    other.dispose();
    await expect(mine).rejects.toThrow(StoreDisposedError);
    expect(pool.metrics().waitingAllocations).toBe(1);
    held[2]!.free();
    await theirs;
  });

  it('gives up a slot that was given to it in the same turn', async () => {
    const other = pool.openStore();
    const mine = wait([], 'mine', undefined, other);
    const theirs = wait([], 'theirs');
    held[0]!.free();
    other.dispose();
    await expect(mine).rejects.toThrow(StoreDisposedError);
    await theirs;
    expect(pool.metrics().liveMemories).toBe(3);
  });

  it('serves its own slots to others, not to its own waiters', async () => {
    const other = pool.openStore();
    const mine = wait([], 'mine');
    const theirs = wait([], 'theirs', undefined, other);
    store.dispose();
    await expect(mine).rejects.toThrow(StoreDisposedError);
    expect((await theirs).freed).toBe(false);
  });
});

describe('a pool that is closed', () => {
  it('rejects everybody who waits', async () => {
    const waiting = [wait([], 'a'), wait([], 'b')];
    pool.close({ force: true });
    for (const promise of waiting) await expect(promise).rejects.toThrow(PoolClosedError);
    expect(pool.metrics().waitingAllocations).toBe(0);
  });
});
