/** The pool, its stores, modules and memories. */
import {
  describeMemory,
  describeModule,
  MemoryPool,
  openModule,
  type MemoryLimiter,
  type StoreToken,
} from '@guardstripe/memory-pool';
import {
  args,
  fields,
  FLAG,
  FUNCTION,
  NOTHING,
  NUMBER,
  OPTIONS,
  optional,
  TAKES_NOTHING,
  type Entry,
} from './trying.js';

const PAGE = 65_536;
const BYTES = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
const pool = MemoryPool.create({
  totalMemories: 4,
  maxMemorySize: PAGE,
  memoryReservation: PAGE,
  memoryGuardSize: PAGE,
});
const sharedPool = MemoryPool.create({ totalMemories: 4, maxMemorySize: PAGE, shared: true });
const module = describeMemory({ initial: 1 });
const store = pool.openStore();
const memory = store.allocate({ module });
const state = () => ({ ...pool.metrics(), byteLength: memory.byteLength });
const makeAndClose = (config: object) => MemoryPool.create(config).close();
const sharedState = () => sharedPool.metrics();
/** Stands for a good token, of which each is good once. */
const TOKEN: StoreToken = { poolStore: new Uint8Array(1) };
const adopt = (token: StoreToken, options: { limiter?: MemoryLimiter }) =>
  sharedPool.adopt(token === TOKEN ? sharedPool.openStore().release() : token, options).store.dispose();
const free = (one: { free(): void } | undefined) => one?.free();

const SIZES = { maxMemorySize: PAGE, memoryReservation: PAGE, memoryGuardSize: PAGE };

export const POOLS: Readonly<Record<string, Entry>> = {
  MemoryPool: { tries: [], made: [module, memory, store, pool] },
  'MemoryPool.attach': {
    tries: [
      ...args((handle) => MemoryPool.attach(handle), [sharedPool.share()], [NOTHING]),
      ...fields((handle) => MemoryPool.attach(handle), [sharedPool.share()], 0, {
        memoryPool: NOTHING,
        indexAllocators: NOTHING,
        noSuchPart: NOTHING,
      }),
    ],
  },
  'MemoryPool.close': {
    tries: fields(
      (options) => pool.close(options),
      [{}],
      0,
      { force: NOTHING, noSuchOption: NOTHING },
      state,
    ).map((one) => ({
      ...one,
      call: (value: unknown) => value === undefined || one.call(value),
      may: ['undefined'] as const,
    })),
  },
  'MemoryPool.create': {
    tries: [
      ...args(makeAndClose, [SIZES], [OPTIONS]),
      ...fields(makeAndClose, [SIZES], 0, {
        totalMemories: optional(NUMBER),
        maxMemoriesPerModule: optional(NUMBER),
        maxMemorySize: NUMBER,
        memoryReservation: NOTHING,
        memoryGuardSize: optional(NUMBER),
        guardBeforeLinearMemory: optional(FLAG),
        linearMemoryKeepResident: optional(NUMBER),
        maxUnusedWarmSlots: optional(NUMBER),
        decommitBatchSize: optional(NOTHING),
        pagemapScan: optional(FLAG),
        maxWaitingAllocations: optional(NUMBER),
        traceAllocations: optional(FLAG),
        shared: optional(FLAG),
        memoryProtectionKeys: optional(FLAG),
        maxMemoryProtectionKeys: optional(NUMBER),
        virtualMemory: optional(NOTHING),
        noSuchSetting: NOTHING,
      }).map((one) =>
        // Left out, these are 4 GiB: more than the reservation, or less.
        one.what.endsWith(', maxMemorySize')
          ? {
              ...one,
              call: (value: unknown) => value === undefined || one.call(value),
              may: ['-0', 'undefined'] as const,
            }
          : one.what.endsWith(', memoryReservation')
            ? { ...one, may: ['undefined'] as const }
            : one,
      ),
    ],
  },
  'MemoryPool.adopt': {
    tries: [
      ...args(adopt, [TOKEN, {}], [NOTHING, OPTIONS], sharedState),
      ...fields(adopt, [TOKEN, {}], 0, { poolStore: NOTHING }, sharedState),
      ...fields(adopt, [TOKEN, {}], 1, { limiter: optional(NOTHING), noSuchOption: NOTHING }, sharedState),
    ],
  },
  'MemoryPool.allocate': { tries: [] },
  'MemoryPool.allocateAsync': { tries: [] },
  'MemoryPool.metrics': TAKES_NOTHING,
  'MemoryPool.openStore': {
    tries: [
      ...args((options) => pool.openStore(options).dispose(), [{}], [OPTIONS], state),
      ...fields(
        (options) => pool.openStore(options).dispose(),
        [{}],
        0,
        { limiter: optional(NOTHING), noSuchOption: NOTHING },
        state,
      ),
    ],
  },
  'MemoryPool.purgeModule': { tries: args((one) => pool.purgeModule(one), [module], [NOTHING], state) },
  'MemoryPool.trim': { tries: args((maxBytes) => pool.trim(maxBytes), [0], [optional(NUMBER)]) },
  'MemoryPool.share': TAKES_NOTHING,
  'MemoryPool.tryAllocate': { tries: [] },
  'MemoryPool.validateModule': { tries: args((one) => pool.validateModule(one), [module], [NOTHING], state) },
  'PoolModule.close': TAKES_NOTHING,
  'PooledMemory.discard': {
    tries: args((offset, byteLength) => memory.discard(offset, byteLength), [0, 0], [NUMBER, NUMBER]),
  },
  'PooledMemory.fill': {
    tries: args(
      (value, offset, byteLength) => memory.fill(value, offset, byteLength),
      [0, 0, PAGE],
      [NUMBER, NUMBER, NUMBER],
      state,
    ),
  },
  'PooledMemory.free': TAKES_NOTHING,
  'PooledMemory.grow': { tries: args((pages) => memory.grow(pages), [0], [NUMBER], state) },
  'PooledMemory.growAsync': { tries: args((pages) => memory.growAsync(pages), [0], [NUMBER], state) },
  'PooledMemory.read': {
    tries: args((offset, byteLength) => memory.read(offset, byteLength), [0, 1], [NUMBER, NUMBER], state),
  },
  'PooledMemory.readInto': {
    tries: args(
      (target, offset) => memory.readInto(target, offset),
      [new Uint8Array(1), 0],
      [NOTHING, NUMBER],
      state,
    ),
  },
  'PooledMemory.write': {
    tries: args(
      (offset, bytes) => memory.write(offset, bytes),
      [0, new Uint8Array(1)],
      [NUMBER, NOTHING],
      state,
    ),
  },
  'PooledMemory.reset': TAKES_NOTHING,
  'PooledMemory.snapshot': TAKES_NOTHING,
  'Store.allocate': {
    tries: [
      ...args((options) => free(store.allocate(options)), [{ module }], [NOTHING], state),
      ...fields((options) => free(store.allocate(options)), [{ module }], 0, {
        module: NOTHING,
        memoryIndex: optional(NUMBER),
      }),
    ],
  },
  'Store.allocateAsync': {
    tries: [
      ...args(async (options) => free(await store.allocateAsync(options)), [{ module }], [NOTHING], state),
      ...fields(async (options) => free(await store.allocateAsync(options)), [{ module }], 0, {
        module: NOTHING,
        memoryIndex: optional(NUMBER),
        signal: optional(NOTHING),
        noSuchOption: NOTHING,
      }),
    ],
  },
  'Store.tryAllocate': {
    tries: [
      ...args((options) => free(store.tryAllocate(options)), [{ module }], [NOTHING], state),
      ...fields((options) => free(store.tryAllocate(options)), [{ module }], 0, {
        module: NOTHING,
        memoryIndex: optional(NUMBER),
      }),
    ],
  },
  'Store.dispose': TAKES_NOTHING,
  'Store.release': TAKES_NOTHING,
  'Store.enter': { tries: args((fn) => store.enter(fn), [() => 0], [FUNCTION], state) },
  openModule: {
    tries: [
      ...args((handle) => openModule(handle).close(), [module.handle], [NOTHING]),
      ...fields((handle) => openModule(handle).close(), [module.handle], 0, { poolModule: NOTHING }),
    ],
  },
  describeMemory: {
    tries: [
      ...args(
        (...all) => describeMemory(...(all as unknown as Parameters<typeof describeMemory>)).close(),
        [{ initial: 1 }, {}],
        [NOTHING, OPTIONS],
      ),
      ...fields(
        (...all) => describeMemory(...(all as unknown as Parameters<typeof describeMemory>)).close(),
        [{ initial: 0 }, {}],
        0,
        {
          initial: NUMBER,
          maximum: optional(NUMBER),
          contents: optional(NOTHING),
          contentsOffset: optional(NUMBER),
          noSuchField: NOTHING,
        },
      ),
    ],
  },
  describeModule: {
    tries: [
      ...args(
        (...all) => describeModule(...(all as unknown as Parameters<typeof describeModule>)).close(),
        [BYTES, {}],
        [NOTHING, OPTIONS],
      ),
      ...fields(
        (...all) => describeModule(...(all as unknown as Parameters<typeof describeModule>)).close(),
        [BYTES, {}],
        1,
        {
          virtualMemory: optional(NOTHING),
          limits: optional(['no prototype']),
          noSuchOption: NOTHING,
        },
      ),
    ],
  },
};
