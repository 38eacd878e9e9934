/** How the settings of a plan are read, by any of their names. */
import {
  checkFunction,
  checkObject,
  checkString,
  invalidArgType,
  invalidArgValue,
  isInstance,
  unknownName,
} from '@guardstripe/common';
import {
  DEFAULT_PLAN_SETTINGS,
  WASMTIME_PLAN_SETTINGS,
  type Embedding,
  type PlanSettings,
} from './defaults.js';
import { bareName, canonicalName, SETTING_SLIPS, WASMTIME_FLAGS } from './names.js';
import { settingReaders, type Reader } from './readers.js';

const DEFAULTS: Readonly<Record<Embedding, PlanSettings>> = {
  node: DEFAULT_PLAN_SETTINGS,
  wasmtime: WASMTIME_PLAN_SETTINGS,
};

/** Settings by any of their names, see {@link readSettings}; a pool's configuration is such an object, too. */
export type PlanInput =
  | { readonly [Name in keyof PlanSettings]?: PlanSettings[Name] | string | undefined }
  | Readonly<Record<string, unknown>>;

const { count, countUpTo, feature, flag, size } = settingReaders;

const embedding: Reader = (value, name) => {
  if (value !== 'node' && value !== 'wasmtime')
    throw invalidArgValue(name, "must be one of: 'node', 'wasmtime'", value);
  return value;
};

/** How each is read. */
const READERS: Readonly<Record<keyof PlanSettings, Reader>> = {
  embedding,
  totalMemories: count,
  maxMemorySize: size,
  memoryReservation: size,
  memoryGuardSize: size,
  guardBeforeLinearMemory: flag,
  linearMemoryKeepResident: size,
  maxUnusedBytesResident: size,
  maxUnusedWarmSlots: count,
  memoryProtectionKeys: feature,
  // The hardware counts the default key among its sixteen, and so does Wasmtime's setting.
  maxMemoryProtectionKeys: countUpTo(16),
  guardPages: feature,
};

/** Settings, and what each is called in words to a person: as it was given, or else as its runtime calls it. */
export interface NamedSettings {
  readonly settings: PlanSettings;
  readonly names: Readonly<Record<keyof PlanSettings, string>>;
}

/**
 * Reads settings by our names or by Wasmtime's: `totalMemories`, `total_memories`, `pooling-total-memories`, and values as
 * numbers or as text (`4GiB`, `y`). Other settings of a pool and of Wasmtime's `-O`, which do not change what fits, are
 * passed over.
 *
 * @param settings - an object such as a configuration file holds, or a pool's configuration
 * @param defaults - what holds where nothing is set. Default {@link DEFAULT_PLAN_SETTINGS}, or {@link WASMTIME_PLAN_SETTINGS} where
 *   `embedding` is `'wasmtime'`
 * @throws `TypeError` for an unknown setting, one that is there twice, or a wrong type; `RangeError` for a number out of range
 */
export function readSettings(settings: PlanInput = {}, defaults?: PlanSettings): PlanSettings {
  return readLayers([{ settings }], defaults === undefined ? undefined : readDefaults(defaults)).settings;
}

/** Each of them, as a setting is read: what is wrong or missing here would be a setting that nobody has looked at. */
function readDefaults(defaults: PlanSettings): PlanSettings {
  checkObject(defaults, 'defaults');
  const names = Object.keys(READERS) as (keyof PlanSettings)[];
  const read = names.map((name) => [name, READERS[name](defaults[name], `defaults.${name}`)]);
  return Object.fromEntries(read) as PlanSettings;
}

/** Settings from one place, and what stands before their names there: `--`, `-O `. */
export interface SettingsLayer {
  readonly settings: object;
  readonly prefix?: string;
}

/**
 * Reads settings from several places, each of which wins over those before it, and remembers how each setting was called.
 *
 * @param layers - settings as {@link readSettings} takes them
 * @param defaults - as there
 */
export function readLayers(layers: readonly SettingsLayer[], defaults?: PlanSettings): NamedSettings {
  const given = new Map<string, Given>();
  for (const { settings, prefix = '' } of layers) {
    for (const [setting, { value, name }] of readGiven(settings, READERS))
      given.set(setting, { value, name: `${prefix}${name}` });
  }
  const embedding = given.get('embedding')?.value as Embedding | undefined;
  const base = defaults ?? DEFAULTS[embedding ?? 'node'];
  const settings = { ...base, ...valuesOf<PlanSettings>(given) };
  const nameOf = (setting: keyof PlanSettings) => {
    const own = given.get(setting)?.name ?? setting;
    return own === setting && settings.embedding === 'wasmtime' ? wasmtimeName(setting) : own;
  };
  const names = Object.keys(READERS).map((name) => [name, nameOf(name as keyof PlanSettings)]);
  return { settings, names: Object.fromEntries(names) as NamedSettings['names'] };
}

function wasmtimeName(setting: keyof PlanSettings): string {
  const flag = WASMTIME_FLAGS[setting];
  return flag === undefined ? setting : `-O ${flag}`;
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
  checkObject(defaults, 'defaults');
  return { ...defaults, ...valuesOf<Settings>(readGiven(settings, readers)) };
}

/** A setting as it was given: read, and its name there. */
interface Given {
  readonly value: unknown;
  readonly name: string;
}

function readGiven(settings: object, readers: Readonly<Record<string, Reader>>): Map<string, Given> {
  checkObject(settings, 'settings');
  checkObject(readers, 'readers');
  const given = new Map<string, Given>();
  const known = Object.keys(readers);
  for (const [name, value] of Object.entries(settings) as [string, unknown][]) {
    const setting = canonicalName(name, known);
    if (setting === undefined) throw unknownName(name, bareName(name), known, value, SETTING_SLIPS);
    if (value === undefined || setting === null) continue;
    if (given.has(setting)) throw invalidArgValue('settings', `must not have ${setting} twice`, name);
    const reader = readers[setting];
    checkFunction(reader, `readers.${setting}`);
    given.set(setting, { value: reader(value, name), name });
  }
  return given;
}

function valuesOf<Settings>(given: ReadonlyMap<string, Given>): Partial<Settings> {
  return Object.fromEntries([...given].map(([name, { value }]) => [name, value])) as Partial<Settings>;
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
