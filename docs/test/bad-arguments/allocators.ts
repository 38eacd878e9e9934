/** The allocators of slots. */
import {
  ModuleAffinityIndexAllocator,
  SharedIndexAllocator,
  SimpleIndexAllocator,
  stateBytes,
  ThreadTable,
} from '@guardstripe/index-allocator';
import {
  args,
  fields,
  FUNCTION,
  ITERABLE,
  NOTHING,
  NUMBER,
  OPTIONS,
  optional,
  TAKES_NOTHING,
  type Entry,
} from './trying.js';

const allocator = new ModuleAffinityIndexAllocator(8, 2);
const simple = new SimpleIndexAllocator(8);
for (const one of [allocator, simple]) for (let slot = 0; slot < 4; slot++) one.alloc();
const wordsOf = (one: { readonly buffer: ArrayBufferLike }) => () => [...new Int32Array(one.buffer)];
const words = wordsOf(allocator);
const key = { moduleId: 1, memoryIndex: 0 };
const threads = { self: 1, isAlive: () => true };
const shared = SharedIndexAllocator.create(8, 2, { threads });
for (let slot = 0; slot < 4; slot++) shared.alloc();
const sharedWords = () => [...new Int32Array(shared.share().indexAllocator)];
const table = new ThreadTable();
const seat = table.add();
const KEY = { moduleId: NUMBER, memoryIndex: NUMBER };

export const ALLOCATORS: Readonly<Record<string, Entry>> = {
  ModuleAffinityIndexAllocator: {
    tries: [
      ...args(
        (capacity, warm, options) => new ModuleAffinityIndexAllocator(capacity, warm, options),
        [8, 2, {}],
        [NUMBER, NUMBER, OPTIONS],
      ),
      ...fields(
        (capacity, warm, options) => new ModuleAffinityIndexAllocator(capacity, warm, options),
        [8, 2, { buffer: new ArrayBuffer(stateBytes(8)) }],
        2,
        { buffer: optional(NOTHING), byteOffset: optional(NUMBER), noSuchOption: NOTHING },
      ),
    ],
  },
  'ModuleAffinityIndexAllocator.alloc': {
    tries: [
      {
        what: 'the key',
        call: (value) => (value === undefined ? undefined : allocator.alloc(value as typeof key)),
        may: ['undefined'],
        state: words,
      },
      ...fields(
        (forMemory: typeof key) => {
          const slot = allocator.alloc(forMemory);
          if (slot !== undefined) allocator.free(slot, 0);
        },
        [key],
        0,
        KEY,
      ),
    ],
  },
  'ModuleAffinityIndexAllocator.allocAffineAndClearAffinity': {
    tries: [
      ...args((one: typeof key) => allocator.allocAffineAndClearAffinity(one), [key], [NOTHING], words),
      ...fields((one: typeof key) => allocator.allocAffineAndClearAffinity(one), [key], 0, KEY, words),
    ],
  },
  'ModuleAffinityIndexAllocator.allocOldestWarm': TAKES_NOTHING,
  'ModuleAffinityIndexAllocator.checkConsistency': TAKES_NOTHING,
  'ModuleAffinityIndexAllocator.free': {
    tries: args(
      (slot, bytes) => {
        allocator.free(slot, bytes);
        allocator.alloc();
      },
      [3, 0],
      [NUMBER, NUMBER],
    ),
  },
  'ModuleAffinityIndexAllocator.freeMany': {
    tries: [
      ...args((items) => allocator.freeMany(items), [[]], [ITERABLE], words),
      { what: 'an item', call: (item) => allocator.freeMany([item as never]), may: [], state: words },
    ],
  },
  'ModuleAffinityIndexAllocator.isUsed': {
    tries: args((slot) => allocator.isUsed(slot), [0], [NUMBER], words),
  },
  'ModuleAffinityIndexAllocator.trim': {
    tries: args(
      (maxBytes, release) => allocator.trim(maxBytes, release),
      [0, () => 0],
      [NUMBER, FUNCTION],
      words,
    ),
  },
  // Made by `create` and `attach`.
  SharedIndexAllocator: TAKES_NOTHING,
  'SharedIndexAllocator.adopt': {
    tries: args((slot, from) => shared.adopt(slot, from), [0, 1], [NUMBER, NOTHING], sharedWords),
  },
  'SharedIndexAllocator.alloc': {
    tries: [
      {
        what: 'the key',
        call: (value) => (value === undefined ? undefined : shared.alloc(value as typeof key)),
        may: ['undefined'],
        state: sharedWords,
      },
      ...fields(
        (forMemory: typeof key) => {
          const slot = shared.alloc(forMemory);
          if (slot !== undefined) shared.free(slot, 0);
        },
        [key],
        0,
        KEY,
      ),
    ],
  },
  'SharedIndexAllocator.allocAffineAndClearAffinity': {
    tries: [
      ...args((one: typeof key) => shared.allocAffineAndClearAffinity(one), [key], [NOTHING], sharedWords),
      ...fields((one: typeof key) => shared.allocAffineAndClearAffinity(one), [key], 0, KEY, sharedWords),
    ],
  },
  'SharedIndexAllocator.allocAsync': {
    tries: [
      ...args(
        async (forMemory: typeof key, options: object) => {
          shared.free(await shared.allocAsync(forMemory, options), 0);
        },
        [key, {}],
        [optional(NOTHING), OPTIONS],
      ),
      ...fields(
        async (forMemory: typeof key, options: object) => {
          shared.free(await shared.allocAsync(forMemory, options), 0);
        },
        [key, {}],
        1,
        { signal: optional(NOTHING), onTaken: optional(FUNCTION), noSuchOption: NOTHING },
      ),
    ],
  },
  'SharedIndexAllocator.allocOldestWarm': {
    tries: args((shard) => shared.allocOldestWarm(shard), [0], [optional(NUMBER)]),
  },
  'SharedIndexAllocator.attach': {
    tries: [
      ...args(
        (handle, options) => SharedIndexAllocator.attach(handle, options),
        [shared.share(), { threads }],
        [NOTHING, NOTHING],
        sharedWords,
      ),
      ...fields(
        (handle, options) => SharedIndexAllocator.attach(handle, options),
        [shared.share(), { threads }],
        0,
        { indexAllocator: NOTHING },
        sharedWords,
      ),
    ],
  },
  'SharedIndexAllocator.checkConsistency': TAKES_NOTHING,
  'SharedIndexAllocator.close': TAKES_NOTHING,
  'SharedIndexAllocator.create': {
    tries: [
      ...args(
        (capacity, warm, options) => SharedIndexAllocator.create(capacity, warm, options),
        [8, 2, { threads }],
        [NOTHING, NUMBER, NOTHING],
      ),
      ...fields(
        (capacity, warm, options) => SharedIndexAllocator.create(capacity, warm, options),
        [8, 2, { threads }],
        2,
        { threads: NOTHING, numShards: optional(NOTHING), noSuchOption: NOTHING },
      ),
      ...fields((self) => SharedIndexAllocator.create(8, 2, { threads: self }), [threads], 0, {
        self: NOTHING,
        isAlive: FUNCTION,
      }),
    ],
  },
  'SharedIndexAllocator.free': {
    tries: args(
      (slot, bytes) => {
        shared.free(slot, bytes);
        shared.alloc();
      },
      [3, 0],
      [NUMBER, NUMBER],
    ),
  },
  'SharedIndexAllocator.freeMany': {
    tries: [
      ...args((items) => shared.freeMany(items), [[]], [ITERABLE], sharedWords),
      { what: 'an item', call: (item) => shared.freeMany([item as never]), may: [], state: sharedWords },
    ],
  },
  'SharedIndexAllocator.holder': {
    tries: args((slot) => shared.holder(slot), [0], [NUMBER], sharedWords),
  },
  'SharedIndexAllocator.isUnknown': {
    tries: args((slot) => shared.isUnknown(slot), [0], [NUMBER], sharedWords),
  },
  'SharedIndexAllocator.isUsed': {
    tries: args((slot) => shared.isUsed(slot), [0], [NUMBER], sharedWords),
  },
  'SharedIndexAllocator.reclaim': TAKES_NOTHING,
  'SharedIndexAllocator.share': TAKES_NOTHING,
  SimpleIndexAllocator: {
    tries: args(
      (capacity, options) => new SimpleIndexAllocator(capacity, options),
      [8, {}],
      [NUMBER, OPTIONS],
    ),
  },
  'SimpleIndexAllocator.alloc': TAKES_NOTHING,
  'SimpleIndexAllocator.checkConsistency': TAKES_NOTHING,
  'SimpleIndexAllocator.free': {
    tries: args(
      (slot) => {
        simple.free(slot);
        simple.alloc();
      },
      [3],
      [NUMBER],
    ),
  },
  'SimpleIndexAllocator.isUsed': {
    tries: args((slot) => simple.isUsed(slot), [0], [NUMBER], wordsOf(simple)),
  },
  ThreadTable: TAKES_NOTHING,
  'ThreadTable.add': TAKES_NOTHING,
  'ThreadTable.end': { tries: args((thread) => table.end(thread), [1000], [NOTHING]) },
  'ThreadTable.join': {
    tries: [
      ...args((one) => ThreadTable.join(one), [seat], [NOTHING]),
      ...fields((one) => ThreadTable.join(one), [seat], 0, { thread: NOTHING, table: NOTHING }),
    ],
  },
  stateBytes: { tries: args(stateBytes, [8], [NUMBER]) },
};
