/** Byte counts for people: in binary units, and in the exact hexadecimal form that `/proc/self/maps` uses. */
import { checkInteger } from './checks.ts';
import { hex, inUnits } from './sizes.ts';

/**
 * A byte count in the largest binary unit that leaves at least 1, with at most two decimals: `'4 GiB'`, `'32 MiB'`,
 * `'4.03 GiB'`, `'0 B'`. The figure is rounded to the nearest, so show {@link formatHexBytes} where it must be exact.
 *
 * @param bytes - an integer from 0 to `Number.MAX_SAFE_INTEGER`
 * @throws `TypeError` or `RangeError` for anything else
 */
export function formatBytes(bytes: number): string {
  checkInteger(bytes, 'bytes');
  return inUnits(bytes);
}

/**
 * A byte count or offset in hexadecimal, with a sign where it is negative: `'0x2000000'`.
 *
 * @param bytes - an integer in the safe range
 * @throws `TypeError` or `RangeError` for anything else
 */
export function formatHexBytes(bytes: number): string {
  checkInteger(bytes, 'bytes', Number.MIN_SAFE_INTEGER);
  return hex(bytes);
}

/** A plain count with separators, the same in every locale: `'65,530'`. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
