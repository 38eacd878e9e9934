import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { SystemError } from '@guardstripe/mmap';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryLimitError, PoolConcurrencyLimitError } from '../src/index.js';
import type { MemoryPool, Store } from '../src/index.js';
import { faultyMemory, type FaultyMemory } from './support/fault-injection.js';
import { checkBooks, imageModule, PAGE, smallPool, zeroModule } from './support/memories.js';

const NAMES = ['allocate', 'free', 'grow', 'exhausted', 'failure'].map(
  (event) => `guardstripe.memory-pool.${event}`,
);

let faulty: FaultyMemory;
let pool: MemoryPool;
let store: Store;
let events: unknown[][];
const listen = (message: unknown, name: string | symbol) =>
  events.push([String(name).replace('guardstripe.memory-pool.', ''), message]);

beforeEach(() => {
  faulty = faultyMemory();
  pool = smallPool({ virtualMemory: faulty.virtualMemory });
  store = pool.openStore();
  events = [];
  for (const name of NAMES) subscribe(name, listen);
});
afterEach(() => {
  for (const name of NAMES) unsubscribe(name, listen);
  if (!pool.closed) checkBooks(pool);
  pool.close({ force: true });
});

describe('the channels', () => {
  it('tell of each allocation, grow and free, with slot, stripe and sizes', () => {
    const memory = store.allocate({ module: zeroModule() });
    memory.grow(3);
    const other = store.allocate({ module: zeroModule(1) });
    memory.free();
    memory.free();
    expect(events).toEqual([
      ['allocate', { slot: 0, stripe: 0, byteLength: 2 * PAGE }],
      ['grow', { slot: 0, oldByteLength: 2 * PAGE, newByteLength: 5 * PAGE }],
      ['allocate', { slot: 1, stripe: 0, byteLength: PAGE }],
      ['free', { slot: 0, stripe: 0 }],
    ]);
    store.dispose();
    expect(other.freed).toBe(true);
    expect(events.at(-1)).toEqual(['free', { slot: 1, stripe: 0 }]);
  });

  it('tell of a full stripe, whether the caller is refused or waits', async () => {
    const memories = [1, 2, 3].map(() => store.allocate({ module: zeroModule() }));
    events = [];
    expect(() => store.allocate({ module: zeroModule() })).toThrow(PoolConcurrencyLimitError);
    const waiting = store.allocateAsync({ module: zeroModule() });
    expect(events).toEqual([
      ['exhausted', { stripe: 0, capacity: 3, coolingMemories: 0 }],
      ['exhausted', { stripe: 0, capacity: 3, coolingMemories: 0 }],
    ]);
    memories[0]!.free();
    await waiting;
    expect(events.slice(2).map(([name]) => name)).toEqual(['free', 'allocate']);
  });

  it('tell of a failure that nobody can be told of by a throw', () => {
    const module = imageModule(1);
    const memory = store.allocate({ module });
    events = [];
    faulty.fail('decommit');
    memory.free();
    faulty.fail('mapZeros');
    store.allocate({ module: imageModule(2) }).free();
    expect(events[0]).toEqual(['free', { slot: 0, stripe: 0 }]);
    expect(events[1]).toEqual(['failure', { slot: 0, error: expect.any(SystemError) }]);
  });

  it('tell of a purge that failed', () => {
    const module = imageModule(1);
    store.allocate({ module }).free();
    events = [];
    faulty.fail('mapZeros');
    pool.purgeModule(module);
    expect(events).toEqual([['failure', { slot: 0, error: expect.any(SystemError) }]]);
  });

  it('say nothing of a memory that never came to be', () => {
    const denying = pool.openStore({ limiter: { memoryGrowing: () => false } });
    expect(() => denying.allocate({ module: zeroModule() })).toThrow(MemoryLimitError);
    faulty.fail('protect');
    expect(() => store.allocate({ module: zeroModule() })).toThrow(SystemError);
    expect(events).toEqual([]);
  });

  it('are silent when nobody listens', () => {
    for (const name of NAMES) unsubscribe(name, listen);
    // Whoever publishes without a look at hasSubscribers is caught here.
    const published: string[] = [];
    const channels = NAMES.map(channel);
    for (const each of channels) each.publish = () => void published.push(String(each.name));
    try {
      const memories = [1, 2, 3].map(() => store.allocate({ module: zeroModule() }));
      expect(() => store.allocate({ module: zeroModule() })).toThrow(PoolConcurrencyLimitError);
      memories[0]!.grow(1);
      faulty.fail('decommit');
      for (const memory of memories) memory.free();
    } finally {
      for (const each of channels) Reflect.deleteProperty(each, 'publish');
    }
    expect(published).toEqual([]);
  });
});

describe('a listener', () => {
  const onFree = 'guardstripe.memory-pool.free';

  it('may close the pool while a store is being disposed', () => {
    [1, 2, 3].map(() => store.allocate({ module: imageModule(1) }));
    const close = () => pool.close({ force: true });
    subscribe(onFree, close);
    try {
      store.dispose();
    } finally {
      unsubscribe(onFree, close);
    }
    expect(pool.closed).toBe(true);
    expect(pool.metrics().liveMemories).toBe(0);
  });

  it('may free and allocate while a store is being disposed', () => {
    const other = pool.openStore();
    const kept = [1, 2].map(() => store.allocate({ module: imageModule(1) }));
    const foreign = other.allocate({ module: zeroModule() });
    const meddle = () => {
      foreign.free();
      kept[1]!.free();
      if (other.liveMemories === 0) other.allocate({ module: zeroModule() });
    };
    subscribe(onFree, meddle);
    try {
      store.dispose();
    } finally {
      unsubscribe(onFree, meddle);
    }
    expect(pool.metrics().liveMemories).toBe(1);
  });

  it('may close the pool when it hears of the failure that an allocation runs into', () => {
    using batching = smallPool({ decommitBatchSize: 6, virtualMemory: faulty.virtualMemory });
    const tenant = batching.openStore();
    for (const memory of [1, 2, 3].map(() => tenant.allocate({ module: zeroModule() }))) memory.free();
    const close = () => batching.close({ force: true });
    subscribe('guardstripe.memory-pool.failure', close);
    try {
      faulty.fail('decommitMany');
      expect(() => tenant.allocate({ module: zeroModule() })).toThrow(
        expect.objectContaining({ code: 'ERR_POOL_CLOSED' }),
      );
    } finally {
      unsubscribe('guardstripe.memory-pool.failure', close);
    }
  });
});
