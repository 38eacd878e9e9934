/** Sizes as error messages show them. Nothing here checks or throws: what is shown may be what was wrong. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** In hexadecimal, with a sign where it is negative: `0x2000000`. */
export function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** A size both ways, to be matched with `/proc/self/maps` and to be understood: `0x10000 (64 KiB)`. */
export function size(bytes: number): string {
  return `${hex(bytes)} (${bytes < 0 ? `-${inUnits(-bytes)}` : inUnits(bytes)})`;
}

/** In the largest binary unit that leaves at least 1, with at most two decimals. */
export function inUnits(bytes: number): string {
  let unit = 0;
  let value = bytes;
  // Compares the rounded figure, so that 1,048,575 bytes become '1 MiB' and not '1024 KiB'.
  while (unit < UNITS.length - 1 && roundToHundredths(value) >= 1024) {
    value /= 1024;
    unit += 1;
  }
  return `${roundToHundredths(value)} ${UNITS[unit] ?? ''}`;
}

function roundToHundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
