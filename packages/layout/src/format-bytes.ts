/** Byte counts for people: in binary units, and in the exact hexadecimal form that `/proc/self/maps` uses. */
import { checkInteger } from './checks.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/**
 * A byte count in the largest binary unit that leaves at least 1, with at most two decimals: `'4 GiB'`, `'32 MiB'`,
 * `'4.03 GiB'`, `'0 B'`. The figure is rounded to the nearest, so show {@link formatHexBytes} where it must be exact.
 *
 * @param bytes - an integer from 0 to `Number.MAX_SAFE_INTEGER`
 * @throws `TypeError` or `RangeError` for anything else
 */
export function formatBytes(bytes: number): string {
  checkInteger(bytes, 'bytes');
  let unit = 0;
  let value = bytes;
  // Compares the rounded figure, so that 1,048,575 bytes become '1 MiB' and not '1024 KiB'.
  while (unit < UNITS.length - 1 && roundToHundredths(value) >= 1024) {
    value /= 1024;
    unit += 1;
  }
  return `${roundToHundredths(value)} ${UNITS[unit] ?? ''}`;
}

/**
 * A byte count or offset in hexadecimal, with a sign where it is negative: `'0x2000000'`.
 *
 * @param bytes - an integer in the safe range
 * @throws `TypeError` or `RangeError` for anything else
 */
export function formatHexBytes(bytes: number): string {
  checkInteger(bytes, 'bytes', Number.MIN_SAFE_INTEGER);
  return bytes < 0 ? `-0x${(-bytes).toString(16)}` : `0x${bytes.toString(16)}`;
}

/** A plain count with separators, the same in every locale: `'65,530'`. */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

function roundToHundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
