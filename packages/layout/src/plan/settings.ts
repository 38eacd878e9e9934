/** The settings that a plan is made from: their defaults, and their names in Wasmtime. */
import { checkBoolean, checkInteger, checkObject, invalidArgValue, parseBytes } from '@guardstripe/common';
import { DEFAULT_SLAB_SETTINGS } from '../constraints.js';

/** Whether protection keys are used: where they are there, always, or never. */
export type KeySetting = 'auto' | 'enable' | 'disable';

/** A pool's settings, as far as they decide what fits. Byte counts are numbers. */
export interface PlanSettings {
  /** Slots in the slab. */
  readonly totalMemories: number;
  /** Most bytes of one memory that may ever be accessible. */
  readonly maxMemorySize: number;
  /** Bytes that compiled code takes to be reserved for a memory. */
  readonly memoryReservation: number;
  /** Bytes behind the reservation that must fault. */
  readonly memoryGuardSize: number;
  /** Whether the same guard stands before the first slot. */
  readonly guardBeforeLinearMemory: boolean;
  /** Bytes that each freed memory may keep in RAM. */
  readonly linearMemoryKeepResident: number;
  /** Freed slots that are kept for their modules. */
  readonly maxUnusedWarmSlots: number;
  /** Whether neighbouring slots carry different keys. */
  readonly memoryProtectionKeys: KeySetting;
  /** Most protection keys to take. */
  readonly maxMemoryProtectionKeys: number;
}

/** What holds where nothing is set: Wasmtime's defaults on 64-bit machines, keys where they are there. */
export const DEFAULT_PLAN_SETTINGS: PlanSettings = Object.freeze({
  ...DEFAULT_SLAB_SETTINGS,
  linearMemoryKeepResident: 0,
  maxUnusedWarmSlots: 100,
  memoryProtectionKeys: 'auto',
  maxMemoryProtectionKeys: 16,
});

/** What holds in Wasmtime where nothing is set: the same, without keys. */
export const WASMTIME_PLAN_SETTINGS: PlanSettings = Object.freeze({
  ...DEFAULT_PLAN_SETTINGS,
  memoryProtectionKeys: 'disable',
});

/** Settings by any of their names, see {@link readSettings}. */
export type PlanInput = Partial<PlanSettings> | Readonly<Record<string, unknown>>;

type Reader = (value: unknown, name: string) => unknown;

/** Wasmtime's counters have 32 bits. */
const MAX_COUNT = 2 ** 32 - 1;

const count: Reader = (value, name) => {
  if (typeof value === 'string' && !COUNT.test(value)) {
    throw invalidArgValue(name, 'must be a whole number such as 1000 or 0x3e8', value);
  }
  const number = typeof value === 'string' ? Number(value) : value;
  checkInteger(number, name, 0, MAX_COUNT);
  return number;
};

/** As Wasmtime reads it: decimal or hexadecimal. */
const COUNT = /^(?:\d+|0x[\da-f]+)$/i;

const size: Reader = (value, name) => parseBytes(value, name);

const flag: Reader = (value, name) => {
  if (value === 'y' || value === 'yes' || value === 'true') return true;
  if (value === 'n' || value === 'no' || value === 'false') return false;
  checkBoolean(value, name);
  return value;
};

/** Wasmtime's command line says y and n, its API Enable::Yes and so on. */
const KEY_SETTINGS: ReadonlyMap<unknown, KeySetting> = new Map<unknown, KeySetting>([
  ...(['auto', 'enable', 'disable'] as const).map((name) => [name, name] as const),
  ...['y', 'yes', 'true', true].map((name) => [name, 'enable'] as const),
  ...['n', 'no', 'false', false].map((name) => [name, 'disable'] as const),
]);

const keySetting: Reader = (value, name) => {
  const setting = KEY_SETTINGS.get(typeof value === 'string' ? value.toLowerCase() : value);
  if (setting === undefined)
    throw invalidArgValue(name, "must be one of: 'auto', 'enable', 'disable'", value);
  return setting;
};

const READERS: Readonly<Record<keyof PlanSettings, Reader>> = {
  totalMemories: count,
  maxMemorySize: size,
  memoryReservation: size,
  memoryGuardSize: size,
  guardBeforeLinearMemory: flag,
  linearMemoryKeepResident: size,
  maxUnusedWarmSlots: count,
  memoryProtectionKeys: keySetting,
  maxMemoryProtectionKeys: count,
};

/** Names that do not follow from ours by spelling alone: the flag for resident bytes, and flags that Wasmtime gave up. */
const SYNONYMS: ReadonlyMap<string, keyof PlanSettings> = new Map([
  ['memoryKeepResident', 'linearMemoryKeepResident'],
  ['staticMemoryMaximumSize', 'memoryReservation'],
  ['staticMemoryGuardSize', 'memoryGuardSize'],
]);

/**
 * What a pool's configuration or Wasmtime's `-O` may hold beside, and what decides nothing here (Wasmtime 45,
 * `OptimizeOptions`; the second row is `@guardstripe/memory-pool`'s own).
 */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(
  `optLevel regallocAlgorithm memoryMayMove memoryReservationForGrowth tableLazyInit allocator decommitBatchSize
   tableKeepResident memoryInitCow memoryGuaranteedDenseImageSize totalCoreInstances totalComponentInstances totalTables
   totalStacks tableElements maxCoreInstanceSize asyncStackKeepResident maxComponentInstanceSize
   maxCoreInstancesPerComponent maxMemoriesPerComponent maxTablesPerComponent maxTablesPerModule maxMemoriesPerModule
   totalGcHeaps signalsBasedTraps dynamicMemoryGuardSize staticMemoryForced dynamicMemoryReservedForGrowth pagemapScan
   maxWaitingAllocations traceAllocations virtualMemory`.split(/\s+/),
);

/**
 * Reads settings by our names or by Wasmtime's: `totalMemories`, `total_memories`, `pooling-total-memories`, and values as
 * numbers or as text (`4GiB`, `y`). Other settings of a pool and of Wasmtime's `-O`, which do not change what fits, are
 * passed over.
 *
 * @param settings - an object such as a configuration file holds, or a pool's configuration
 * @param defaults - what holds where nothing is set. Default {@link DEFAULT_PLAN_SETTINGS}
 * @throws `TypeError` for an unknown setting, one that is there twice, or a wrong type; `RangeError` for a number out of range
 */
export function readSettings(
  settings: PlanInput = {},
  defaults: PlanSettings = DEFAULT_PLAN_SETTINGS,
): PlanSettings {
  checkObject(settings, 'settings');
  checkObject(defaults, 'defaults');
  const read = new Map<keyof PlanSettings, unknown>();
  for (const [name, value] of Object.entries(settings)) {
    const setting = settingOf(name);
    if (value === undefined || setting === undefined) continue;
    if (read.has(setting)) throw invalidArgValue('settings', `must not have ${setting} twice`, name);
    read.set(setting, READERS[setting](value, name));
  }
  return { ...defaults, ...(Object.fromEntries(read) as Partial<PlanSettings>) };
}

/**
 * Reads Wasmtime's flags: `-O pooling-total-memories=2000`, `-Omemory-guard-size=0x1000`, or the part behind `-O` alone,
 * several of them separated by commas. A flag without a value is a yes; the last of several with one name holds. The defaults
 * are Wasmtime's, {@link WASMTIME_PLAN_SETTINGS}.
 *
 * @throws as {@link readSettings}
 */
export function readFlags(flags: readonly string[]): PlanSettings {
  return readSettings(splitFlags(flags), WASMTIME_PLAN_SETTINGS);
}

/** The same flags as names and values, not yet read. */
export function splitFlags(flags: readonly string[]): Readonly<Record<string, string | true>> {
  const pairs = flags
    .filter((flag) => flag !== '-O')
    .flatMap((flag) => flag.replace(/^-O/, '').split(','))
    .filter((pair) => pair.trim() !== '')
    .map((pair): [string, string | true] => {
      const equals = pair.indexOf('=');
      return equals === -1
        ? [pair.trim(), true]
        : [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
    });
  return Object.fromEntries(pairs);
}

/** Our name for a setting; `undefined` for one that changes nothing. */
function settingOf(name: string): keyof PlanSettings | undefined {
  const camel = name.replaceAll(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const bare = camel.replace(/^pooling(?=[A-Z])/, '').replace(/^[A-Z]/, (letter) => letter.toLowerCase());
  const setting = SYNONYMS.get(bare) ?? bare;
  if (Object.hasOwn(READERS, setting)) return setting as keyof PlanSettings;
  if (WITHOUT_EFFECT.has(bare)) return undefined;
  throw invalidArgValue('settings', `must be made of ${Object.keys(READERS).join(', ')}`, name);
}
