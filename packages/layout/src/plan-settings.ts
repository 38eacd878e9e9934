/** The settings that a plan is made from: their defaults, and their names in Wasmtime. */
import { checkBoolean, checkInteger, checkObject } from './checks.js';
import { DEFAULT_SLAB_SETTINGS } from './constraints.js';
import { wrongValue } from './errors.js';
import { parseBytes } from './parse-bytes.js';

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

type Reader = (value: unknown, name: string) => unknown;

const count: Reader = (value, name) => {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  checkInteger(number, name);
  return number;
};

const flag: Reader = (value, name) => {
  if (value === 'y' || value === 'yes' || value === 'true') return true;
  if (value === 'n' || value === 'no' || value === 'false') return false;
  checkBoolean(value, name);
  return value;
};

const keySetting: Reader = (value, name) => {
  // Wasmtime's command line says y and n, its API Enable::Yes and so on.
  const known: Readonly<Record<string, KeySetting>> = {
    auto: 'auto',
    enable: 'enable',
    disable: 'disable',
    y: 'enable',
    yes: 'enable',
    true: 'enable',
    n: 'disable',
    no: 'disable',
    false: 'disable',
  };
  const setting = known[String(value).toLowerCase()];
  if (setting === undefined) throw wrongValue(name, "'auto', 'enable' or 'disable'", value);
  return setting;
};

const READERS: Readonly<Record<keyof PlanSettings, Reader>> = {
  totalMemories: count,
  maxMemorySize: parseBytes,
  memoryReservation: parseBytes,
  memoryGuardSize: parseBytes,
  guardBeforeLinearMemory: flag,
  linearMemoryKeepResident: parseBytes,
  maxUnusedWarmSlots: count,
  memoryProtectionKeys: keySetting,
  maxMemoryProtectionKeys: count,
};

/** Names that do not follow from ours by spelling alone. */
const SYNONYMS: Readonly<Record<string, keyof PlanSettings>> = {
  memoryKeepResident: 'linearMemoryKeepResident',
  poolingAllocatorMemoryKeepResident: 'linearMemoryKeepResident',
};

/**
 * Reads settings by our names or by Wasmtime's: `totalMemories`, `total_memories`, `pooling-total-memories`, and values as
 * numbers or as text (`4GiB`, `y`). What is not set has its default.
 *
 * @param settings - an object such as a configuration file holds, or the `-O` flags of Wasmtime's command line
 * @throws `TypeError` for an unknown setting or a wrong type, `RangeError` for a number out of range
 */
export function readSettings(settings: Readonly<Record<string, unknown>> = {}): PlanSettings {
  checkObject(settings, 'settings');
  const read: Record<string, unknown> = { ...DEFAULT_PLAN_SETTINGS };
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    const setting = settingOf(name);
    read[setting] = READERS[setting](value, name);
  }
  return read as unknown as PlanSettings;
}

/**
 * Reads Wasmtime's flags: `-O pooling-total-memories=2000`, `-Omemory-guard-size=0x1000`, or the part behind `-O` alone,
 * several of them separated by commas. A flag without a value is a yes.
 *
 * @throws as {@link readSettings}
 */
export function readFlags(flags: readonly string[]): PlanSettings {
  const pairs = flags
    .filter((flag) => flag !== '-O')
    .flatMap((flag) => flag.replace(/^-O/, '').split(','))
    .map((pair): [string, string] => {
      const equals = pair.indexOf('=');
      return equals === -1 ? [pair, 'y'] : [pair.slice(0, equals), pair.slice(equals + 1)];
    });
  return readSettings(Object.fromEntries(pairs));
}

function settingOf(name: string): keyof PlanSettings {
  const camel = name
    .replace(/^pooling[-_]/, '')
    .replaceAll(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const setting = SYNONYMS[camel] ?? camel;
  if (!Object.hasOwn(READERS, setting)) {
    throw wrongValue('settings', `made of ${Object.keys(READERS).join(', ')}`, name);
  }
  return setting as keyof PlanSettings;
}
