/**
 * The whole pool against a plain model: random tenants allocate, write, grow, free, purge and meet failing system calls.
 * After every step the books must agree, and every live memory must have exactly the bytes that the model has.
 */
import { SystemError } from '@guardstripe/mmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PoolConcurrencyLimitError,
  type MemoryPool,
  type PooledMemory,
  type PoolModule,
  type Store,
} from '../src/index.js';
import { faultyMemory, type FaultyMemory, type Primitive } from './support/fault-injection.js';
import {
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

interface Tenant {
  readonly memory: PooledMemory;
  readonly store: number;
  bytes: Buffer;
}

interface Kind {
  readonly module: PoolModule;
  readonly initial: Uint8Array;
}

interface Model {
  readonly kinds: readonly Kind[];
  readonly tenants: Tenant[];
}

interface Real {
  readonly pool: MemoryPool;
  readonly stores: Store[];
  readonly faulty: FaultyMemory;
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

/** Runs `action`; a refusal of the injected kind is fine, anything else is not. Returns undefined if it was refused. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

function check(model: Model, real: Real): void {
  expect(real.pool.metrics().liveMemories).toBe(model.tenants.length);
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
    const { module, initial } = model.kinds[kind] as Kind;
    const action = () => real.stores[store]!.allocate({ module });
    if (model.tenants.length === NUM_SLOTS) {
      expect(action).toThrow(PoolConcurrencyLimitError);
      return;
    }
    const memory = attempt(action);
    if (memory !== undefined) model.tenants.push({ memory, store, bytes: Buffer.from(initial) });
  };

const write =
  (index: number, offset: number, value: number): Action =>
  (model) => {
    const tenant = model.tenants[index % model.tenants.length];
    if (tenant === undefined) return;
    const at = offset % tenant.bytes.length;
    new Uint8Array(tenant.memory.buffer)[at] = value;
    tenant.bytes[at] = value;
  };

const grow =
  (index: number, delta: number): Action =>
  (model) => {
    const tenant = model.tenants[index % model.tenants.length];
    if (tenant === undefined) return;
    const oldPages = tenant.bytes.length / PAGE;
    if (oldPages + delta > 8) {
      expect(() => tenant.memory.grow(delta)).toThrow(RangeError);
      return;
    }
    if (attempt(() => tenant.memory.grow(delta)) === undefined) return;
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
    real.stores[store] = real.pool.openStore();
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
  fc.tuple(small, fc.nat({ max: 8 * PAGE }), fc.integer({ min: 1, max: 255 })).map((args) => write(...args)),
  fc.tuple(small, fc.nat({ max: 5 })).map((args) => grow(...args)),
  small.map(free),
  store.map(disposeStore),
  kind.map(purge),
  fc
    .tuple(
      fc.constantFrom<Primitive[]>('mapZeros', 'protect', 'mapFile', 'decommit'),
      fc.integer({ min: 1, max: 3 }),
    )
    .map((args) => fail(...args)),
  fc.constant(heal),
];

describe('the pool', () => {
  it('does what a plain model does, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(...commands), { minLength: 1, maxLength: 60 }), (actions) => {
        const faulty = faultyMemory();
        const pool = smallPool({
          totalMemories: NUM_SLOTS,
          maxUnusedWarmSlots: 2,
          virtualMemory: faulty.virtualMemory,
        });
        const real = { pool, faulty, stores: Array.from({ length: NUM_STORES }, () => pool.openStore()) };
        const model: Model = { kinds, tenants: [] };
        try {
          for (const action of actions) {
            action(model, real);
            check(model, real);
          }
        } finally {
          faulty.heal();
          pool.close({ force: true });
        }
      }),
      { numRuns: 150 },
    );
  });
});
