/** How the values of settings are read: as themselves, or as the text that configuration files and flags have. */
import { checkBoolean, checkInteger, checkString, invalidArgValue, parseBytes } from '@guardstripe/common';

/** Whether an optional feature is used: where it is there, always, or never. */
type Feature = 'auto' | 'enable' | 'disable';

/** Makes a value of what was given, or throws. */
export type Reader = (value: unknown, name: string) => unknown;

/** Wasmtime's counters have 32 bits. */
const MAX_COUNT = 2 ** 32 - 1;

/** A count, as a number or as text. */
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

/** A size, as a number of bytes or as text. */
const size: Reader = (value, name) => parseBytes(value, name);

/** Yes or no, in Wasmtime's words too. */
const flag: Reader = (value, name) => {
  if (value === 'y' || value === 'yes' || value === 'true') return true;
  if (value === 'n' || value === 'no' || value === 'false') return false;
  checkBoolean(value, name);
  return value;
};

/** Wasmtime's command line says y and n, its API Enable::Yes and so on. */
const FEATURES: ReadonlyMap<unknown, Feature> = new Map<unknown, Feature>([
  ...(['auto', 'enable', 'disable'] as const).map((name) => [name, name] as const),
  ...['y', 'yes', 'true', true].map((name) => [name, 'enable'] as const),
  ...['n', 'no', 'false', false].map((name) => [name, 'disable'] as const),
]);

/** Whether something optional is used. */
const feature: Reader = (value, name) => {
  const setting = FEATURES.get(typeof value === 'string' ? value.toLowerCase() : value);
  if (setting === undefined)
    throw invalidArgValue(name, "must be one of: 'auto', 'enable', 'disable'", value);
  return setting;
};

/** A count within bounds. */
function countUpTo(max: number, min = 0): Reader {
  // Bounds that are no numbers bound nothing: every comparison with them is false.
  checkInteger(max, 'max');
  checkInteger(min, 'min', 0, max);
  return (value, name) => {
    const number = count(value, name);
    checkInteger(number, name, min, max);
    return number;
  };
}

/** What settings are read with: each takes a value, or the text for it, and its name, and throws for what is neither. */
export const settingReaders: {
  /** A count: `1000`, `'0x3e8'`. */
  readonly count: Reader;
  /** A count within bounds. */
  readonly countUpTo: (max: number, min?: number) => Reader;
  /** A size in bytes: `65536`, `'64KiB'`. */
  readonly size: Reader;
  /** Yes or no: `true`, `'y'`. */
  readonly flag: Reader;
  /** `'auto'`, `'enable'` or `'disable'`. */
  readonly feature: Reader;
} = Object.freeze({
  count: named(count),
  countUpTo: (max: number, min?: number) => named(countUpTo(max, min)),
  size: named(size),
  flag: named(flag),
  feature: named(feature),
});

/** For whoever calls a reader from outside: what a value is called stands in every error. */
function named(reader: Reader): Reader {
  return (value, name) => {
    checkString(name, 'name');
    return reader(value, name);
  };
}
