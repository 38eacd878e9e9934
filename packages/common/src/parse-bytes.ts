/** Sizes as people write them. */
import { checkBytes } from './checks.ts';
import { invalidArgType, invalidArgValue } from './errors.ts';

const FACTORS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    '': 1,
    b: 1,
    k: 2 ** 10,
    kib: 2 ** 10,
    m: 2 ** 20,
    mib: 2 ** 20,
    g: 2 ** 30,
    gib: 2 ** 30,
    t: 2 ** 40,
    tib: 2 ** 40,
  }),
);

const DECIMAL = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i;
const HEXADECIMAL = /^0x[\da-f]+$/i;

/**
 * Reads a size: a number of bytes, or text such as `64MiB`, `4GiB`, `1.5 TiB`, `0x1000`, `65_536`. Units are binary, by
 * their names or their first letters; decimal ones (`MB`) are refused, for half of their users mean the binary ones.
 *
 * @param value - what was given
 * @param name - what to call it in an error
 * @returns bytes, a safe integer
 * @throws `TypeError` for another type or text that is no size, `RangeError` for a number that is no count of bytes
 */
export function parseBytes(value: unknown, name = 'bytes'): number {
  if (typeof value === 'number') {
    checkBytes(value, name);
    return value;
  }
  if (typeof value !== 'string')
    throw invalidArgType(name, 'of type number, in bytes, or a size as text', value);
  const text = value.trim().replaceAll(/(?<=[\da-f])_(?=[\da-f])/gi, '');
  const bytes = HEXADECIMAL.test(text) ? Number(text) : parseDecimal(text);
  if (bytes === undefined)
    throw invalidArgValue(name, 'must be a size such as 64MiB, 4GiB or 0x1000, in binary units', value);
  checkBytes(bytes, name);
  return bytes;
}

function parseDecimal(text: string): number | undefined {
  const [, digits = '', unit = ''] = DECIMAL.exec(text) ?? [];
  const factor = FACTORS.get(unit.toLowerCase());
  return digits === '' || factor === undefined ? undefined : Number(digits) * factor;
}
