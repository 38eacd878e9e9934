/** Sizes as people write them. */
import { checkInteger } from './checks.js';
import { wrongType, wrongValue } from './errors.js';

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
    checkInteger(value, name);
    return value;
  }
  if (typeof value !== 'string') throw wrongType(name, 'a number of bytes, or a size as text', value);
  const text = value.trim().replaceAll(/(?<=[\da-f])_(?=[\da-f])/gi, '');
  const bytes = HEXADECIMAL.test(text) ? Number(text) : parseDecimal(text);
  if (bytes === undefined)
    throw wrongValue(name, 'a size such as 64MiB, 4GiB or 0x1000, in binary units', value);
  checkInteger(bytes, name);
  return bytes;
}

function parseDecimal(text: string): number | undefined {
  const [, digits = '', unit = ''] = DECIMAL.exec(text) ?? [];
  const factor = FACTORS.get(unit.toLowerCase());
  return digits === '' || factor === undefined ? undefined : Number(digits) * factor;
}
