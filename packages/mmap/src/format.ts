/** Words for error messages: addresses in hex, sizes in hex and in units a person reads. */

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `0x7f0000000000` */
export function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** `0x10000 (64 KiB)`; exact in hex, at most two decimals in the unit. */
export function size(byteLength: number): string {
  let value = byteLength;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${hex(byteLength)} (${Math.round(value * 100) / 100} ${UNITS[unit]})`;
}

/** A value of any kind as it appears after "Received". Never throws and never runs on for pages. */
export function received(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return `function ${value.name}`;
    case 'symbol':
      return value.toString();
    case 'object': {
      if (value === null) return 'null';
      const maker: unknown = value.constructor;
      return `an instance of ${typeof maker === 'function' ? maker.name : 'Object'}`;
    }
    default:
      return String(value);
  }
}
