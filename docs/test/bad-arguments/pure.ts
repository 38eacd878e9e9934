/** The package that plans. */
import * as layout from '@guardstripe/layout';
import {
  args,
  fields,
  FLAG,
  ITERABLE,
  NOTHING,
  NUMBER,
  OPTIONS,
  optional,
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
  usesGuardPages: {
    tries: args(
      layout.usesGuardPages,
      [{ setting: 'auto', canGuard: true, numSlots: 1, slotBytes: 4096, maxMappings: 1 }],
      [NOTHING],
    ),
  },
  mappingsOfGuardedSlot: {
    tries: args(layout.mappingsOfGuardedSlot, [1, 0, false], [NUMBER, NUMBER, FLAG]),
  },
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
};
