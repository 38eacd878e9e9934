/**
 * The whole pool, in random configurations, against a plain model: random tenants allocate, wait, give up waiting, write,
 * grow, free, purge, are refused by their limiter and meet failing system calls; they keep safe buffers past the end of their
 * memories, drop them, and have them stolen. After every step the books must agree, every live memory must have exactly the bytes
 * that the model has, and no slot may be in use that somebody can still reach.
 */
import { SystemError } from '@guardstripe/mmap';
import { collect, laps } from '@guardstripe/test-support';
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
import {
  faultyMemory,
  SLOT_PRIMITIVES,
  type FaultyMemory,
  type Primitive,
} from './support/fault-injection.js';
import {
  checkBooks,
  CLOSINGS,
  contents,
  HOST_PAGE,
  imageBytes,
  imageModule,
  PAGE,
  smallPool,
  turnsWhile,
  zeroModule,
} from './support/memories.js';
import { kindOfPool, openStoreInside } from './support/striped.js';

const NUM_SLOTS = 4;
const NUM_STORES = 3;
const MAX_WAITING = 3;
const GAVE_UP = new Error('enough');

interface Tenant {
  readonly memory: PooledMemory;
  readonly store: number;
  bytes: Buffer;
  /** Safe buffers that were handed out, also those that a grow has detached. */
  readonly views: ArrayBuffer[];
  isStolen: boolean;
}

/** A memory that ended, and whose buffers somebody still has. */
interface Cooling {
  readonly slot: number;
  readonly views: readonly ArrayBuffer[];
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
  readonly cooling: Cooling[];
  readonly retired: Set<number>;
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
  const isDue = () => model.waiters.length > 0 && !isFull(model, real);
  // One of them may be told at once, and another who is served only in a later turn.
  do await turnsWhile(() => model.settled.length === 0 && isDue());
  while (takeSettled(model, real) > 0 && isDue());
  for (const { order } of model.waiters) expect(order).toBeGreaterThan(model.lastServed);
}

/** Brings the model up to date; how many promises that were. */
function takeSettled(model: Model, real: Real): number {
  const settled = model.settled.splice(0);
  for (const { waiter, memory, error } of settled) {
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
      model.tenants.push(tenantOf(model, memory, waiter.store, waiter.kind));
    } else if (error instanceof PoolConcurrencyLimitError) {
      // No slot will ever be free.
      expect(model.retired.size).toBe(NUM_SLOTS);
    } else if (error !== GAVE_UP && !(error instanceof StoreDisposedError)) {
      expectExcuse(real, error);
    }
  }
  return settled.length;
}

function tenantOf(model: Model, memory: PooledMemory, store: number, kind: number): Tenant {
  return { memory, store, bytes: Buffer.from(model.kinds[kind]!.initial), views: [], isStolen: false };
}

/** A tenant's memory was freed. */
function ended(model: Model, { memory, views, isStolen }: Tenant): void {
  if (isStolen) model.retired.add(memory.slot);
  else if (views.length > 0) model.cooling.push({ slot: memory.slot, views });
}

/** Whether every slot has a tenant, or somebody who can reach it. */
function isFull(model: Model, real: Real): boolean {
  // Some whose buffers were dropped may not be collected yet.
  const { coolingMemories, retiredMemories } = real.pool.metrics();
  return model.tenants.length + coolingMemories + retiredMemories === NUM_SLOTS;
}

function check(model: Model, real: Real): void {
  checkBooks(real.pool);
  const { liveMemories, waitingAllocations, coolingMemories, retiredMemories } = real.pool.metrics();
  expect(retiredMemories).toBe(model.retired.size);
  expect(coolingMemories).toBeGreaterThanOrEqual(model.cooling.length);
  const reachable = new Set([...model.retired, ...model.cooling.map(({ slot }) => slot)]);
  expect(model.tenants.some(({ memory }) => reachable.has(memory.slot))).toBe(false);
  for (const { views } of model.cooling) expect(views.every(({ detached }) => detached)).toBe(true);
  expect(liveMemories).toBe(model.tenants.length);
  expect(waitingAllocations).toBe(model.waiters.length);
  // Nobody waits while a slot is free, or could be.
  if (waitingAllocations > 0) expect(isFull(model, real)).toBe(true);
  expect(new Set(model.tenants.map(({ memory }) => memory.slot)).size).toBe(model.tenants.length);
  for (const [i, store] of real.stores.entries())
    expect(store.liveMemories).toBe(model.tenants.filter((tenant) => tenant.store === i).length);
  for (const { memory, bytes } of model.tenants) expect(contents(memory).equals(bytes)).toBe(true);
}

type Action = (model: Model, real: Real) => void | Promise<void>;

const allocate =
  (store: number, kind: number): Action =>
  (model, real) => {
    const action = () => real.stores[store]!.allocate({ module: model.kinds[kind]!.module });
    if (isFull(model, real)) {
      // The limiter is asked first.
      expect(action).toThrow(real.limit.allows ? PoolConcurrencyLimitError : MemoryLimitError);
      return;
    }
    const memory = attempt(real, action);
    if (memory !== undefined) model.tenants.push(tenantOf(model, memory, store, kind));
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

const view =
  (index: number, offset: number, value: number): Action =>
  (model) => {
    const tenant = model.tenants[index % model.tenants.length];
    if (tenant === undefined) return;
    const at = offset % tenant.bytes.length;
    const { buffer } = tenant.memory;
    new Uint8Array(buffer)[at] = value;
    tenant.bytes[at] = value;
    if (!tenant.views.includes(buffer)) tenant.views.push(buffer);
  };

const steal =
  (index: number): Action =>
  (model) => {
    const tenant = model.tenants[index % model.tenants.length];
    if (tenant === undefined) return;
    ArrayBuffer.prototype.transfer.call(tenant.memory.buffer);
    tenant.isStolen = true;
  };

const drop =
  (index: number): Action =>
  (model) =>
    void model.cooling.splice(index % Math.max(model.cooling.length, 1), 1);

/** Whether what was dropped is back, and nothing else: mostly at the first turn, hardly ever after the second. */
const bringBack = ({ cooling }: Model, { pool }: Real, turns: number): Promise<boolean> =>
  collect(() => pool.metrics().coolingMemories === cooling.length, turns);

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
    if (tenant === undefined) return;
    tenant.memory.free();
    ended(model, tenant);
  };

const disposeStore =
  (store: number): Action =>
  (model, real) => {
    real.stores[store]!.dispose();
    real.stores[store] = openStoreInside(real.pool, { limiter: limiterOf(real.limit) });
    for (const tenant of model.tenants.splice(0)) {
      if (tenant.store === store) ended(model, tenant);
      else model.tenants.push(tenant);
    }
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
  fc.tuple(small, fc.nat({ max: 8 * PAGE }), fc.integer({ min: 1, max: 255 })).map((args) => view(...args)),
  // A frame that waits may still hold what was dropped. At the end nothing does.
  fc.constant<Action>((model, real) => bringBack(model, real, 20).then(() => undefined)),
  ...[drop, drop, free, free, free].map((action) => small.map(action)),
  store.map(disposeStore),
  kind.map(purge),
  fc
    .tuple(fc.constantFrom<Primitive[]>(...SLOT_PRIMITIVES), fc.integer({ min: 1, max: 3 }))
    .map((args) => fail(...args)),
  fc.constant(heal),
  fc.constant(limit(true)),
];

const configs: fc.Arbitrary<MemoryPoolConfig> = fc
  .record({
    kind: kindOfPool(NUM_SLOTS),
    linearMemoryKeepResident: fc.constantFrom(0, HOST_PAGE, 6 * HOST_PAGE, 8 * PAGE),
    decommitBatchSize: fc.integer({ min: 1, max: NUM_SLOTS + 1 }),
    pagemapScan: fc.constantFrom('auto', 'disable'),
    guardPages: fc.constantFrom(...CLOSINGS),
    maxUnusedWarmSlots: fc.nat({ max: NUM_SLOTS }),
  })
  .map(({ kind: pool, ...config }) => ({ ...pool, ...config }));

const limiterOf = (word: { allows: boolean }) => ({ memoryGrowing: () => word.allows });

async function live(config: MemoryPoolConfig, actions: readonly Action[]): Promise<void> {
  const faulty = faultyMemory();
  const pool = smallPool({
    maxWaitingAllocations: MAX_WAITING,
    virtualMemory: faulty.virtualMemory,
    ...config,
  });
  const allowed = { allows: true };
  const stores = Array.from({ length: NUM_STORES }, () =>
    openStoreInside(pool, { limiter: limiterOf(allowed) }),
  );
  const real = { pool, faulty, stores, limit: allowed };
  const model: Model = {
    kinds,
    tenants: [],
    waiters: [],
    settled: [],
    cooling: [],
    retired: new Set(),
    lastServed: 0,
    numWaiters: 0,
  };
  try {
    for (const action of actions) {
      await action(model, real);
      await settle(model, real);
      check(model, real);
    }
    expect(await bringBack(model, real, 1000)).toBe(true);
  } finally {
    faulty.heal();
    pool.close({ force: true });
  }
}

/** Collections make a life slow, and shrinking would live hundreds of them. */
const runs = (numRuns: number) => ({ numRuns, endOnFailure: true });

const livesOf = (...actions: fc.Arbitrary<Action>[]) =>
  fc.array(fc.oneof(...actions), { minLength: 1, maxLength: 60, size: 'max' });

describe('the pool', () => {
  it('does what a plain model does, in any configuration, whatever happens in whatever order', async () => {
    await fc.assert(fc.asyncProperty(configs, livesOf(...commands), live), runs(laps(100, 10)));
  });

  it('does so, too, where views are stolen until no slot is left', async () => {
    await fc.assert(
      fc.asyncProperty(configs, livesOf(...commands, small.map(steal)), live),
      runs(laps(50, 5)),
    );
  });
});
