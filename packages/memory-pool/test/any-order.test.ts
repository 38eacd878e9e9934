/* eslint-disable vitest/no-standalone-expect -- a run checks itself, and the test runs it */
/**
 * Whoever is told of something may do anything: subscribers of every event, limiters when they are asked and when they are told,
 * listeners of the signals that end a wait. Here each of them does, at every point, what a random script says, and so does the
 * test itself in between. Nobody may hang, nobody be served twice, and all books must hold: the pool's, the subscribers'
 * and the limiters'.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate } from 'node:timers/promises';
import { laps } from '@guardstripe/test-support';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  AllocateEvent,
  FreeEvent,
  MemoryLimiter,
  MemoryPoolConfig,
  PooledMemory,
  Store,
} from '../src/index.js';
import { faultyMemory, SLOT_PRIMITIVES } from './support/fault-injection.js';
import { checkBooks, CLOSINGS, imageModule, PAGE, smallPool, zeroModule } from './support/memories.js';
import { openStoreInside, stripedOrNot, stripesOf } from './support/striped.js';

const NUM_SLOTS = 3;
const NUM_STORES = 3;
const MAX_DEPTH = 3;
const MODULES = [imageModule(0xa1), zeroModule(1), zeroModule(9, 9)];
const CHANNELS = ['allocate', 'free', 'grow', 'exhausted', 'failure'].map(
  (name) => `guardstripe.memory-pool.${name}`,
);

/** Thrown by limiters on purpose. */
class Refusal extends Error {
  readonly code = 'ERR_TEST_REFUSAL';
}

/** A run of a script. */
class Run {
  readonly faulty = faultyMemory();
  readonly pool;
  readonly stores: Store[] = [];
  readonly memories = new Set<PooledMemory>();
  readonly aborts: AbortController[] = [];
  /** Answers that limiters owe. */
  readonly owed: ((answer: unknown) => void)[] = [];
  /** By slot, as the events have it. */
  readonly liveSlots = new Set<number>();
  readonly problems: string[] = [];
  unsettled = 0;
  /** Of all limiters together: granted, less what did not come, less what was freed. */
  heldBytes = 0;
  readonly #script: readonly number[];
  #depth = 0;
  #at = 0;

  constructor(script: readonly number[], config: MemoryPoolConfig) {
    this.#script = script;
    this.pool = smallPool({
      maxWaitingAllocations: 4,
      virtualMemory: this.faulty.virtualMemory,
      ...config,
    });
    for (let i = 0; i < NUM_STORES; i++) this.openStore();
  }

  /** The next number of the script; 0, which stands for nothing, behind its end. */
  next(): number {
    return this.#script[this.#at++] ?? 0;
  }

  get isDone(): boolean {
    return this.#at >= this.#script.length;
  }

  /** Does what the script says, from wherever this is called. */
  act(): void {
    if (this.#depth === MAX_DEPTH) return;
    this.#depth += 1;
    try {
      this.#actions[this.next() % this.#actions.length]!();
    } catch (error) {
      this.#excuse(error);
    } finally {
      this.#depth -= 1;
    }
  }

  openStore(): void {
    const withLimiter = this.next() % 3 !== 0;
    this.stores.push(openStoreInside(this.pool, withLimiter ? { limiter: this.#limiter() } : {}));
  }

  #limiter(): MemoryLimiter {
    return {
      memoryGrowing: (currentBytes, desiredBytes) => {
        this.act();
        const answer = (granted: unknown) => {
          if (granted === true) this.heldBytes += desiredBytes - currentBytes;
          return granted as boolean;
        };
        switch (this.next() % 6) {
          case 0:
            return answer(false);
          case 1:
            throw new Refusal();
          case 2:
          case 3:
            return new Promise<unknown>((resolve) => this.owed.push(resolve)).then(answer);
          default:
            return answer(true);
        }
      },
      memoryGrowFailed: (currentBytes, desiredBytes) => {
        this.heldBytes -= desiredBytes - currentBytes;
        this.act();
      },
      memoryFreed: (byteLength) => {
        this.heldBytes -= byteLength;
        this.act();
      },
    };
  }

  readonly #actions: readonly (() => void)[] = [
    () => undefined,
    () => this.#keep(this.#store().allocate(this.#request())),
    () => this.#keep(this.#store().tryAllocate(this.#request())),
    () => this.#wait(),
    () => this.#wait(),
    () => this.#memory()?.free(),
    () => this.#memory()?.free(),
    () => void this.#memory()?.grow(this.next() % 3),
    () => this.#growAsync(),
    () => this.owed.splice(this.next() % (this.owed.length + 1), 1)[0]?.(this.next() % 3 > 0),
    () => this.owed.shift()?.(true),
    () => this.aborts.splice(this.next() % (this.aborts.length + 1), 1)[0]?.abort(new Refusal()),
    () => {
      this.#store().dispose();
      if (this.stores.filter(({ disposed }) => !disposed).length < NUM_STORES) this.openStore();
    },
    () => void this.pool.purgeModule(MODULES[this.next() % 2]!),
    () => this.faulty.fail(SLOT_PRIMITIVES[this.next() % SLOT_PRIMITIVES.length]!, 1),
    () => {
      if (this.next() % 8 === 0) this.pool.close({ force: true });
    },
  ];

  #store(): Store {
    const open = this.stores.filter(({ disposed }) => !disposed);
    return (open.length === 0 ? this.stores : open)[this.next() % (open.length || this.stores.length)]!;
  }

  #memory(): PooledMemory | undefined {
    return [...this.memories][this.next() % (this.memories.size || 1)];
  }

  #request() {
    return { module: MODULES[this.next() % MODULES.length]! };
  }

  #signal(): AbortSignal {
    const abort = new AbortController();
    // Before the pool's own listener, and behind it.
    abort.signal.addEventListener('abort', () => this.act());
    queueMicrotask(() => abort.signal.addEventListener('abort', () => this.act()));
    this.aborts.push(abort);
    return abort.signal;
  }

  #wait(): void {
    this.#expect(this.#store().allocateAsync({ ...this.#request(), signal: this.#signal() }), (memory) =>
      this.#keep(memory),
    );
  }

  #growAsync(): void {
    const memory = this.#memory();
    if (memory === undefined) return;
    this.#expect(memory.growAsync(this.next() % 3, { signal: this.#signal() }), () => undefined);
  }

  #expect<T>(promise: Promise<T>, got: (value: T) => void): void {
    this.unsettled += 1;
    promise
      .then(got, (error: unknown) => this.#excuse(error))
      .finally(() => (this.unsettled -= 1))
      .catch((error: unknown) => this.problems.push(String(error)));
  }

  #keep(memory: PooledMemory | undefined): void {
    if (memory === undefined) return;
    // Between the answer and its hearing the store may have been disposed.
    if (!memory.freed && [...this.memories].some((other) => !other.freed && other.slot === memory.slot)) {
      this.problems.push(`slot ${memory.slot} was given to two`);
    }
    this.memories.add(memory);
  }

  /** Everything that is refused is refused with a code. */
  #excuse(error: unknown): void {
    const { code } = error as { code?: unknown };
    if (typeof code !== 'string' || !code.startsWith('E')) this.problems.push(`no code: ${String(error)}`);
  }

  readonly #heard = (event: unknown, channel: string | symbol): void => {
    const { slot } = event as AllocateEvent | FreeEvent;
    if (String(channel).endsWith('.allocate')) {
      if (this.liveSlots.has(slot)) this.problems.push(`slot ${slot} was allocated twice`);
      this.liveSlots.add(slot);
    } else if (String(channel).endsWith('.free') && !this.liveSlots.delete(slot)) {
      this.problems.push(`slot ${slot} was freed and never allocated`);
    }
    this.act();
  };

  listen(): void {
    for (const channel of CHANNELS) subscribe(channel, this.#heard);
  }

  stopListening(): void {
    for (const channel of CHANNELS) unsubscribe(channel, this.#heard);
  }

  /** What must hold whenever nothing is going on. */
  check(): void {
    expect(this.problems).toEqual([]);
    for (const memory of this.memories) if (memory.freed) this.memories.delete(memory);
    if (this.pool.closed) return;
    checkBooks(this.pool);
    const { liveMemories, waitingAllocations } = this.pool.metrics();
    expect(this.liveSlots.size).toBe(liveMemories);
    expect(this.memories.size).toBe(liveMemories);
    if (waitingAllocations > 0) expect(liveMemories).toBe(NUM_SLOTS);
  }

  /** All comes to an end, whatever was hanging. */
  async end(): Promise<void> {
    this.faulty.heal();
    this.pool.close({ force: true });
    await settle();
    expect(this.unsettled).toBe(0);
    expect([...this.liveSlots]).toEqual([]);
    // What is granted when everything is over was granted in vain, and is told as that.
    for (const answer of this.owed.splice(0)) answer(true);
    await settle();
    expect(this.problems).toEqual([]);
    expect(this.heldBytes).toBe(0);
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await setImmediate();
}

async function live(script: readonly number[], config: MemoryPoolConfig): Promise<void> {
  const run = new Run(script, config);
  run.listen();
  try {
    while (!run.isDone) {
      run.act();
      await settle();
      run.check();
    }
    await run.end();
  } finally {
    run.stopListening();
    if (!run.pool.closed) run.pool.close({ force: true });
  }
}

const configs: fc.Arbitrary<MemoryPoolConfig> = fc
  .tuple(stripedOrNot, fc.constantFrom(1, NUM_SLOTS), fc.constantFrom(...CLOSINGS))
  .map(([isStriped, decommitBatchSize, guardPages]) => ({
    ...stripesOf(NUM_SLOTS, isStriped),
    decommitBatchSize,
    guardPages,
  }));

describe('events, limiters and signals', () => {
  it('may do anything at any point', async () => {
    const script = fc.array(fc.nat({ max: 1023 }), { minLength: 10, maxLength: 160, size: 'max' });
    await fc.assert(fc.asyncProperty(script, configs, live), { numRuns: laps(400) });
  });

  it('never leave a waiter beside a slot that came free while a failed reset was told of', async () => {
    const faulty = faultyMemory();
    using pool = smallPool({ decommitBatchSize: 3, virtualMemory: faulty.virtualMemory });
    const module = zeroModule(1);
    const store = pool.openStore();
    const [first, ...others] = Array.from({ length: NUM_SLOTS }, () => store.allocate({ module }));
    // It waits for a batch to be dropped with, which the system refuses when the next one wants its slot.
    first!.free();
    for (const name of ['decommit', 'decommitMany'] as const) faulty.fail(name, 1);
    let waited: Promise<PooledMemory> | undefined;
    // Full, and the failure is not told of yet.
    const wait = () => {
      unsubscribe('guardstripe.memory-pool.allocate', wait);
      waited = store.allocateAsync({ module });
    };
    const evict = () => others.splice(0).forEach((memory) => memory.free());
    subscribe('guardstripe.memory-pool.allocate', wait);
    subscribe('guardstripe.memory-pool.failure', evict);
    try {
      store.allocate({ module });
      expect(others).toEqual([]);
      expect(pool.metrics()).toMatchObject({ liveMemories: 2, waitingAllocations: 0 });
      expect((await waited)?.freed).toBe(false);
    } finally {
      unsubscribe('guardstripe.memory-pool.failure', evict);
    }
  });

  it('never leave a waiter beside a slot that came free while the full stripe was told of', async () => {
    using pool = smallPool();
    const module = zeroModule(1);
    const store = pool.openStore();
    const memories = Array.from({ length: NUM_SLOTS }, () => store.allocate({ module }));
    const evict = () => memories.shift()?.free();
    subscribe('guardstripe.memory-pool.exhausted', evict);
    try {
      expect((await store.allocateAsync({ module })).freed).toBe(false);
      expect(store.allocate({ module }).byteLength).toBe(PAGE);
      expect(store.tryAllocate({ module })?.byteLength).toBe(PAGE);
    } finally {
      unsubscribe('guardstripe.memory-pool.exhausted', evict);
    }
    expect(store.tryAllocate({ module })).toBeUndefined();
    expect(pool.metrics()).toMatchObject({ liveMemories: NUM_SLOTS, waitingAllocations: 0 });
  });

  it('never have anybody wait for a pool of no slots', async () => {
    using pool = smallPool({ totalMemories: 0 });
    const store = pool.openStore();
    await expect(store.allocateAsync({ module: zeroModule() })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_POOL_CONCURRENCY_LIMIT' }),
    );
    expect(store.tryAllocate({ module: zeroModule() })).toBeUndefined();
  });

  it('hear of each memory that a forced close ends', () => {
    const pool = smallPool();
    const freed: number[] = [];
    const told: number[] = [];
    const limiter = { memoryGrowing: () => true, memoryFreed: (byteLength: number) => told.push(byteLength) };
    const heard = (event: unknown) => freed.push((event as FreeEvent).slot);
    const store = pool.openStore({ limiter });
    for (const pages of [1, 2, 3]) store.allocate({ module: zeroModule(pages) });
    subscribe('guardstripe.memory-pool.free', heard);
    try {
      pool.close({ force: true });
    } finally {
      unsubscribe('guardstripe.memory-pool.free', heard);
    }
    expect(new Set(freed)).toEqual(new Set([0, 1, 2]));
    expect(new Set(told)).toEqual(new Set([PAGE, 2 * PAGE, 3 * PAGE]));
  });
});
