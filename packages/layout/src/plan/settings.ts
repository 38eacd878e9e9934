/** The settings that a plan is made from: their defaults, and their names in Wasmtime. */
import {
  checkObject,
  checkString,
  invalidArgType,
  invalidArgValue,
  isInstance,
  unknownName,
} from '@guardstripe/common';
import { DEFAULT_SLAB_SETTINGS } from '../constraints.js';
import { settingReaders, type Reader } from './readers.js';

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

const { count, countUpTo, feature, flag, size } = settingReaders;

/** How each is read. */
const READERS: Readonly<Record<keyof PlanSettings, Reader>> = {
  totalMemories: count,
  maxMemorySize: size,
  memoryReservation: size,
  memoryGuardSize: size,
  guardBeforeLinearMemory: flag,
  linearMemoryKeepResident: size,
  maxUnusedWarmSlots: count,
  memoryProtectionKeys: feature,
  // The hardware counts the default key among its sixteen, and so does Wasmtime's setting.
  maxMemoryProtectionKeys: countUpTo(16),
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
   maxWaitingAllocations traceAllocations virtualMemory linearMemoryWriteBack maxUnusedBytesResident writeWatch
   maxCollectionShare`.split(/\s+/),
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
  return readNamed(settings, READERS, defaults);
}

/**
 * Reads every setting that there is a reader for, by any of its names; what a pool's configuration or Wasmtime's `-O` may hold
 * beside is passed over. This is how planner and pool read the same file.
 *
 * @param settings - an object such as a configuration file holds
 * @param readers - how each is read, by our name for it
 * @param defaults - what holds where nothing is set, or is `undefined`
 * @throws as {@link readSettings}
 */
export function readNamed<Settings extends object>(
  settings: object,
  readers: Readonly<Record<keyof Settings & string, Reader>>,
  defaults: Settings,
): Settings {
  checkObject(settings, 'settings');
  checkObject(readers, 'readers');
  checkObject(defaults, 'defaults');
  const read = new Map<string, unknown>();
  for (const [name, value] of Object.entries(settings) as [string, unknown][]) {
    const setting = settingOf(name, value, readers);
    if (value === undefined || setting === undefined) continue;
    if (read.has(setting)) throw invalidArgValue('settings', `must not have ${setting} twice`, name);
    read.set(setting, readers[setting](value, name));
  }
  return { ...defaults, ...(Object.fromEntries(read) as Partial<Settings>) };
}

/**
 * Reads Wasmtime's flags: `-O pooling-total-memories=2000`, `-Omemory-guard-size=0x1000`, or the part behind `-O` alone,
 * several of them separated by commas. A flag without a value is a yes; the last of several with one name holds. The defaults
 * are Wasmtime's, {@link WASMTIME_PLAN_SETTINGS}.
 *
 * @throws as {@link readSettings}
 */
export function readFlags(flags: readonly string[]): PlanSettings {
  if (!isInstance(flags, Array)) throw invalidArgType('flags', 'an instance of Array', flags);
  for (const [index, flag] of flags.entries()) checkString(flag, `flags[${index}]`);
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
function settingOf<Name extends string>(
  name: string,
  value: unknown,
  readers: Readonly<Record<Name, Reader>>,
): Name | undefined {
  const camel = name.replaceAll(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const bare = camel.replace(/^pooling(?=[A-Z])/, '').replace(/^[A-Z]/, (letter) => letter.toLowerCase());
  const setting = SYNONYMS.get(bare) ?? bare;
  if (Object.hasOwn(readers, setting)) return setting as Name;
  if (WITHOUT_EFFECT.has(bare)) return undefined;
  throw unknownName(name, bare, Object.keys(readers), value);
}
