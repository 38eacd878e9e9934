/** The packages that know of no operating system. */
import * as layout from '@guardstripe/layout';
import { ModuleAffinityIndexAllocator, SimpleIndexAllocator, stateBytes } from '@guardstripe/index-allocator';
import {
  args,
  fields,
  FLAG,
  FUNCTION,
  ITERABLE,
  NOTHING,
  NUMBER,
  OPTIONS,
  optional,
  TAKES_NOTHING,
  TEXT,
  type Entry,
} from './trying.js';

const PAGE = 4096;
const CONSTRAINTS = {
  expectedSlotBytes: 4 * PAGE,
  maxMemoryBytes: PAGE,
  numSlots: 6,
  numPkeysAvailable: 3,
  guardBytes: PAGE,
  guardBeforeSlots: true,
};
const SLAB = layout.calculate(CONSTRAINTS);
const page = layout.pageAlignedBytes(PAGE, PAGE);
const place = layout.locate(SLAB, 0);
const SETTINGS = {
  embedding: optional(NOTHING),
  totalMemories: optional(NUMBER),
  maxMemorySize: optional(NUMBER),
  memoryReservation: optional(NUMBER),
  memoryGuardSize: optional(NUMBER),
  guardBeforeLinearMemory: optional(FLAG),
  linearMemoryKeepResident: optional(NUMBER),
  maxUnusedBytesResident: optional(NUMBER),
  maxUnusedWarmSlots: optional(NUMBER),
  memoryProtectionKeys: optional(FLAG),
  maxMemoryProtectionKeys: optional(NUMBER),
  noSuchSetting: NOTHING,
};
const allocator = new ModuleAffinityIndexAllocator(8, 2);
const simple = new SimpleIndexAllocator(8);
for (const one of [allocator, simple]) for (let slot = 0; slot < 4; slot++) one.alloc();
const wordsOf = (one: { readonly buffer: ArrayBufferLike }) => () => [...new Int32Array(one.buffer)];
const words = wordsOf(allocator);
const key = { moduleId: 1, memoryIndex: 0 };
const KEY = { moduleId: NUMBER, memoryIndex: NUMBER };

export const PURE: Readonly<Record<string, Entry>> = {
  addBytes: { tries: args(layout.addBytes, [page, page], [NUMBER, NUMBER]) },
  calculate: {
    tries: [
      ...args(layout.calculate, [CONSTRAINTS], [NOTHING]),
      ...fields(layout.calculate, [CONSTRAINTS], 0, {
        expectedSlotBytes: NUMBER,
        maxMemoryBytes: NUMBER,
        numSlots: NUMBER,
        numPkeysAvailable: NUMBER,
        guardBytes: NUMBER,
        guardBeforeSlots: FLAG,
        pageSize: optional(NOTHING),
      }),
    ],
  },
  describeLocation: { tries: args(layout.describeLocation, [place], [NOTHING]) },
  draw: {
    tries: [
      ...args(layout.draw, [SLAB, { format: 'text' }], [NOTHING, NOTHING]),
      ...fields(layout.draw, [SLAB, { format: 'text' }], 1, { format: NOTHING, width: optional(NOTHING) }),
      ...fields(layout.draw, [SLAB, { format: 'svg' }], 1, {
        width: optional(NOTHING),
        title: optional(TEXT),
        theme: optional(NOTHING),
        idPrefix: optional(NOTHING),
      }),
    ],
  },
  formatBytes: { tries: args(layout.formatBytes, [1], [NUMBER]) },
  formatHexBytes: { tries: args(layout.formatHexBytes, [1], [[...NUMBER, 'negative']]) },
  locate: {
    tries: [
      ...args(layout.locate, [SLAB, SLAB.slotOffset(0), {}], [NOTHING, [...NUMBER, 'negative'], OPTIONS]),
      ...fields(layout.locate, [SLAB, SLAB.slotOffset(0), {}], 2, {
        memoryBytes: [...optional(NUMBER), 'function'],
        stripe: optional(NUMBER),
        noSuchOption: NOTHING,
      }),
    ],
  },
  mappingsForPools: { tries: args(layout.mappingsForPools, [1, 0], [NUMBER, optional(NUMBER)]) },
  mappingsOfSlot: { tries: args(layout.mappingsOfSlot, [1, 0, 0], [NUMBER, NUMBER, NUMBER]) },
  multiplyBytes: { tries: args(layout.multiplyBytes, [page, 3], [NUMBER, NUMBER]) },
  pageAlignedBytes: { tries: args(layout.pageAlignedBytes, [PAGE, PAGE], [NUMBER, NOTHING]) },
  parseBytes: { tries: args(layout.parseBytes, [1], [NUMBER]) },
  plan: {
    tries: [
      ...args(layout.plan, [{}, {}, {}], [OPTIONS, OPTIONS, OPTIONS]),
      ...fields(layout.plan, [{}, {}, {}], 0, SETTINGS),
      ...fields(layout.plan, [{}, {}, {}], 1, {
        pageSize: optional(NOTHING),
        addressBits: optional(NOTHING),
        largestReservationBytes: optional(NUMBER),
        addressSpaceLimitBytes: optional(NUMBER),
        maxMapCount: optional(NUMBER),
        protectionKeys: optional(NUMBER),
        memoryBytes: optional(NUMBER),
      }),
      ...fields(layout.plan, [{}, {}, {}], 2, {
        residentBytesPerMemory: optional(NUMBER),
        hasImage: optional(FLAG),
        noSuchUsage: NOTHING,
      }),
    ],
  },
  readNamed: {
    tries: [
      ...args(
        (settings, readers, defaults) => layout.readNamed(settings, readers, defaults),
        [{}, { size: layout.settingReaders.size }, { size: 1 }],
        [
          OPTIONS.filter((label) => label !== 'undefined'),
          OPTIONS.filter((label) => label !== 'undefined'),
          OPTIONS.filter((label) => label !== 'undefined'),
        ],
      ),
      ...fields(
        (settings, readers, defaults) => layout.readNamed(settings, readers, defaults),
        [{}, { size: layout.settingReaders.size }, { size: 1 }],
        0,
        {
          size: optional(NUMBER),
          noSuchSetting: NOTHING,
        },
      ),
    ],
  },
  readFlags: {
    tries: [
      ...args(layout.readFlags, [[]], [ITERABLE]),
      { what: 'one flag', call: (value) => layout.readFlags([value as string]), may: [] },
    ],
  },
  readSettings: {
    tries: [
      ...args(layout.readSettings, [{}, layout.DEFAULT_PLAN_SETTINGS], [OPTIONS, OPTIONS]),
      ...fields(layout.readSettings, [{}], 0, SETTINGS),
    ],
  },
  roundUpToPage: { tries: args(layout.roundUpToPage, [1, PAGE], [NUMBER, NOTHING]) },
  slabConstraints: {
    tries: [
      ...args(
        layout.slabConstraints,
        [{}, {}, 0, PAGE],
        [OPTIONS, OPTIONS, optional(NUMBER), optional(NOTHING)],
      ),
      ...fields(layout.slabConstraints, [{}, {}], 0, {
        totalMemories: optional(NUMBER),
        maxMemorySize: optional(NUMBER),
      }),
      ...fields(layout.slabConstraints, [{ maxMemorySize: 0 }, {}], 1, {
        memoryReservation: optional(NUMBER),
        memoryGuardSize: optional(NUMBER),
        guardBeforeLinearMemory: optional(FLAG),
      }),
    ],
  },

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
  stateBytes: { tries: args(stateBytes, [8], [NUMBER]) },
};
