/** Options objects: read once, and nothing in them is passed over in silence. */
import { checkObject } from './checks.ts';
import { invalidArgValue } from './errors.ts';
import type { Coded } from './errors.ts';

/** What is probably meant by a name that there is not: completes "did you mean ...?". */
export type Slips = Readonly<Record<string, string>>;

/**
 * Reads an options argument. Each known option is read once, so that getters run once and before anything is done; the
 * values are not checked. An option that is `undefined` counts as left out.
 *
 * @param options - what was passed; `undefined` means no options
 * @param known - the names that there are
 * @param name - what errors call the argument
 * @param slips - what is probably meant by names that are no options
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` for what is no object, `ERR_INVALID_ARG_VALUE` for an unknown name
 */
export function readOptions<Options extends object>(
  options: Options | undefined,
  known: readonly (keyof Options & string)[],
  name?: string,
  slips?: Slips,
): Partial<Options>;
export function readOptions<Name extends string>(
  options: unknown,
  known: readonly Name[],
  name?: string,
  slips?: Slips,
): { readonly [Option in Name]?: unknown };
export function readOptions(
  options: unknown,
  known: readonly string[],
  name = 'options',
  slips: Slips = {},
): Readonly<Record<string, unknown>> {
  const read: Record<string, unknown> = {};
  if (options === undefined) return read;
  checkObject(options, name);
  const fields = options as Readonly<Record<string, unknown>>;
  for (const option of Object.keys(fields)) {
    if (!known.includes(option)) {
      throw unknownName(`${name}.${option}`, option, known, fields[option], slips);
    }
  }
  for (const option of known) {
    const value = fields[option];
    if (value !== undefined) read[option] = value;
  }
  return read;
}

/**
 * The error for a name that there is not. It suggests the nearest of those that there are.
 *
 * @param path - the whole path to it, as `options.bytelength`
 * @param given - the name alone
 */
export function unknownName(
  path: string,
  given: string,
  known: readonly string[],
  value: unknown,
  slips: Slips = {},
): Coded<TypeError> {
  const nearest = nearestName(given, known);
  const meant = Object.hasOwn(slips, given) ? slips[given] : nearest && `'${nearest}'`;
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return invalidArgValue(path, `is not known${hint}`, value);
}

/** The one that ends with what was given, else one with at most a third of the letters wrong; capitals do not count. */
function nearestName(given: string, known: readonly string[]): string | undefined {
  const wanted = given.slice(0, MAX_NAME_CHARS).toLowerCase();
  const ending = known.filter(
    (name) => wanted.length >= MIN_END_CHARS && name.toLowerCase().endsWith(wanted),
  );
  if (ending.length === 1) return ending[0];
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance < least) [least, nearest] = [distance, name];
  }
  return nearest;
}

/** Shorter ends say nothing. */
const MIN_END_CHARS = 6;

/** No option's name is as long; it bounds the time that a hostile name takes. */
const MAX_NAME_CHARS = 64;

/** Letters to be put in, left out or replaced to make one of the other (Levenshtein). */
function editDistance(left: string, right: string): number {
  let above = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[right.length] ?? 0;
}
