/**
 * The whole pool, in random configurations, against a plain model: random tenants allocate, wait, give up waiting, write,
 * grow, free, purge, are refused by their limiter and meet failing system calls. After every step the books must agree, and
 * every live memory must have exactly the bytes that the model has.
 */
import { platform } from '@guardstripe/mmap';
import { SystemError } from '@guardstripe/mmap';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MemoryLimitError,
  PoolConcurrencyLimitError,
  PoolQueueFullError,
  StoreDisposedError,
  type MemoryPool,
  type MemoryPoolConfig,
  type PooledMemory,
  type PoolModule,
  type Store,
} from '../src/index.js';
import { faultyMemory, type FaultyMemory, type Primitive } from './support/fault-injection.js';
import {
  checkBooks,
  contents,
  HOST_PAGE,
  imageBytes,
  imageModule,
  PAGE,
  smallPool,
  zeroModule,
} from './support/memories.js';

const NUM_SLOTS = 4;
const NUM_STORES = 3;
const MAX_WAITING = 3;
const GAVE_UP = new Error('enough');

interface Tenant {
  readonly memory: PooledMemory;
  readonly store: number;
  bytes: Buffer;
}

interface Kind {
  readonly module: PoolModule;
  readonly initial: Uint8Array;
}

/** An allocation that waits, in the model. */
interface Waiter {
  readonly order: number;
  readonly store: number;
  readonly kind: number;
  readonly abort: AbortController;
  /** One too many. */
  readonly overflows: boolean;
  readonly isDenied: boolean;
}

/** What became of one. */
interface Settled {
  readonly waiter: Waiter;
  readonly memory?: PooledMemory;
  readonly error?: unknown;
}

interface Model {
  readonly kinds: readonly Kind[];
  readonly tenants: Tenant[];
  /** First come, first served. */
  readonly waiters: Waiter[];
  readonly settled: Settled[];
  lastServed: number;
  numWaiters: number;
}

interface Real {
  readonly pool: MemoryPool;
  readonly stores: Store[];
  readonly faulty: FaultyMemory;
  readonly limit: { allows: boolean };
}

const kinds: readonly Kind[] = [
  { module: imageModule(0xa1), initial: imageBytes(0xa1) },
  {
    module: imageModule(0xb2, { initial: 3, offset: 5 * HOST_PAGE + 9, byteLength: 2 * HOST_PAGE }),
    initial: imageBytes(0xb2, { initial: 3, offset: 5 * HOST_PAGE + 9, byteLength: 2 * HOST_PAGE }),
  },
  { module: zeroModule(1), initial: new Uint8Array(PAGE) },
  { module: zeroModule(4), initial: new Uint8Array(4 * PAGE) },
];

/** Runs `action`; a refusal of the injected kinds is fine, anything else is not. Returns undefined if it was refused. */
function attempt<T>(real: Real, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    expectExcuse(real, error);
    return undefined;
  }
}

function expectExcuse(real: Real, error: unknown): void {
  if (error instanceof SystemError) return;
  if (error instanceof MemoryLimitError && !real.limit.allows) return;
  throw error;
}

/** Lets promises settle, and compares what became of them with what may become of them. */
async function settle(model: Model, real: Real): Promise<void> {
  await setImmediate();
  for (const { waiter, memory, error } of model.settled.splice(0)) {
    if (waiter.overflows) {
      expect(error).toBeInstanceOf(PoolQueueFullError);
      continue;
    }
    if (waiter.isDenied) {
      expect(error).toBeInstanceOf(MemoryLimitError);
      continue;
    }
    model.waiters.splice(model.waiters.indexOf(waiter), 1);
    if (memory !== undefined) {
      // Nobody overtakes anybody.
      expect(waiter.order).toBeGreaterThan(model.lastServed);
      model.lastServed = waiter.order;
      const { initial } = model.kinds[waiter.kind]!;
      model.tenants.push({ memory, store: waiter.store, bytes: Buffer.from(initial) });
    } else if (error !== GAVE_UP && !(error instanceof StoreDisposedError)) {
      expectExcuse(real, error);
    }
  }
  for (const { order } of model.waiters) expect(order).toBeGreaterThan(model.lastServed);
}

function check(model: Model, real: Real): void {
  checkBooks(real.pool);
  const { liveMemories, waitingAllocations } = real.pool.metrics();
  expect(liveMemories).toBe(model.tenants.length);
  expect(waitingAllocations).toBe(model.waiters.length);
  // Nobody waits while a slot is free, or could be.
  if (waitingAllocations > 0) expect(liveMemories).toBe(NUM_SLOTS);
  expect(new Set(model.tenants.map(({ memory }) => memory.slot)).size).toBe(model.tenants.length);
  for (const [i, store] of real.stores.entries()) {
    expect(store.liveMemories).toBe(model.tenants.filter((tenant) => tenant.store === i).length);
  }
  for (const { memory, bytes } of model.tenants) expect(contents(memory).equals(bytes)).toBe(true);
}

type Action = (model: Model, real: Real) => void;

const allocate =
  (store: number, kind: number): Action =>
  (model, real) => {
    const { module, initial } = model.kinds[kind]!;
    const action = () => real.stores[store]!.allocate({ module });
    if (model.tenants.length === NUM_SLOTS) {
      // The limiter is asked first.
      expect(action).toThrow(real.limit.allows ? PoolConcurrencyLimitError : MemoryLimitError);
      return;
    }
    const memory = attempt(real, action);
    if (memory !== undefined) model.tenants.push({ memory, store, bytes: Buffer.from(initial) });
  };

const allocateAsync =
  (store: number, kind: number): Action =>
  (model, real) => {
    const { module } = model.kinds[kind]!;
    const abort = new AbortController();
    const isDenied = !real.limit.allows;
    const overflows = !isDenied && model.waiters.length === MAX_WAITING;
    const promise = real.stores[store]!.allocateAsync({ module, signal: abort.signal });
    const waiter = { order: ++model.numWaiters, store, kind, abort, overflows, isDenied };
    if (!overflows && !isDenied) model.waiters.push(waiter);
    promise.then(
      (memory) => model.settled.push({ waiter, memory }),
      (error: unknown) => model.settled.push({ waiter, error }),
    );
  };

const giveUp =
  (index: number): Action =>
  (model) =>
    model.waiters[index % model.waiters.length]?.abort.abort(GAVE_UP);

const limit =
  (allows: boolean): Action =>
  (_, real) => {
    real.limit.allows = allows;
  };

const write =
  (index: number, offset: number, value: number): Action =>
  (model) => {
    const tenant = model.tenants[index % model.tenants.length];
    if (tenant === undefined) return;
    const at = offset % tenant.bytes.length;
    new Uint8Array(tenant.memory.unsafeBuffer)[at] = value;
    tenant.bytes[at] = value;
  };

const grow =
  (index: number, delta: number): Action =>
  (model, real) => {
    const tenant = model.tenants[index % model.tenants.length];
    if (tenant === undefined) return;
    const oldPages = tenant.bytes.length / PAGE;
    if (oldPages + delta > 8) {
      expect(() => tenant.memory.grow(delta)).toThrow(RangeError);
      return;
    }
    if (attempt(real, () => tenant.memory.grow(delta)) === undefined) return;
    tenant.bytes = Buffer.concat([tenant.bytes, Buffer.alloc(delta * PAGE)]);
  };

const free =
  (index: number): Action =>
  (model) => {
    const [tenant] = model.tenants.splice(index % Math.max(model.tenants.length, 1), 1);
    tenant?.memory.free();
  };

const disposeStore =
  (store: number): Action =>
  (model, real) => {
    real.stores[store]!.dispose();
    real.stores[store] = real.pool.openStore({ limiter: limiterOf(real.limit) });
    const kept = model.tenants.filter((tenant) => tenant.store !== store);
    model.tenants.splice(0, model.tenants.length, ...kept);
  };

const purge =
  (kind: number): Action =>
  (model, real) => {
    real.pool.purgeModule(model.kinds[kind]!.module);
  };

const fail =
  (primitive: Primitive, times: number): Action =>
  (_, real) =>
    real.faulty.fail(primitive, times);
const heal: Action = (_, real) => real.faulty.heal();

const small = fc.nat({ max: 7 });
const kind = fc.nat({ max: kinds.length - 1 });
const store = fc.nat({ max: NUM_STORES - 1 });
const commands: fc.Arbitrary<Action>[] = [
  fc.tuple(store, kind).map((args) => allocate(...args)),
  fc.tuple(store, kind).map((args) => allocate(...args)),
  fc.tuple(store, kind).map((args) => allocateAsync(...args)),
  fc.tuple(store, kind).map((args) => allocateAsync(...args)),
  small.map(giveUp),
  fc.boolean().map(limit),
  fc.tuple(small, fc.nat({ max: 8 * PAGE }), fc.integer({ min: 1, max: 255 })).map((args) => write(...args)),
  fc.tuple(small, fc.nat({ max: 5 })).map((args) => grow(...args)),
  small.map(free),
  small.map(free),
  store.map(disposeStore),
  kind.map(purge),
  fc
    .tuple(
      fc.constantFrom<Primitive[]>('mapZeros', 'protect', 'mapFile', 'decommit', 'decommitMany', 'scanPages'),
      fc.integer({ min: 1, max: 3 }),
    )
    .map((args) => fail(...args)),
  fc.constant(heal),
  fc.constant(limit(true)),
];

const configs: fc.Arbitrary<MemoryPoolConfig> = fc.record({
  linearMemoryKeepResident: fc.constantFrom(0, HOST_PAGE, 6 * HOST_PAGE, 8 * PAGE),
  decommitBatchSize: fc.integer({ min: 1, max: NUM_SLOTS + 1 }),
  pagemapScan: fc.constantFrom('auto', 'disable'),
  guardPages: fc.constantFrom<'enable' | 'disable'>(
    'disable',
    platform().canGuardPages ? 'enable' : 'disable',
  ),
  maxUnusedWarmSlots: fc.nat({ max: NUM_SLOTS }),
});

const limiterOf = (word: { allows: boolean }) => ({ memoryGrowing: () => word.allows });

async function live(config: MemoryPoolConfig, actions: readonly Action[]): Promise<void> {
  const faulty = faultyMemory();
  const pool = smallPool({
    totalMemories: NUM_SLOTS,
    maxWaitingAllocations: MAX_WAITING,
    virtualMemory: faulty.virtualMemory,
    ...config,
  });
  const allowed = { allows: true };
  const stores = Array.from({ length: NUM_STORES }, () => pool.openStore({ limiter: limiterOf(allowed) }));
  const real = { pool, faulty, stores, limit: allowed };
  const model: Model = { kinds, tenants: [], waiters: [], settled: [], lastServed: 0, numWaiters: 0 };
  try {
    for (const action of actions) {
      action(model, real);
      await settle(model, real);
      check(model, real);
    }
  } finally {
    faulty.heal();
    pool.close({ force: true });
  }
}

describe('the pool', () => {
  it('does what a plain model does, in any configuration, whatever happens in whatever order', async () => {
    const lives = fc.array(fc.oneof(...commands), { minLength: 1, maxLength: 60, size: 'max' });
    await fc.assert(fc.asyncProperty(configs, lives, live), { numRuns: 200 });
  });
});
