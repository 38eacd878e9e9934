/** The mappings of this process, as `/proc/self/maps` has them (proc_pid_maps(5)). */
import { readFileSync } from 'node:fs';

/** The lowest address of the mapping that an address lies in. */
export function lowestOfMap(address: number): number {
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [start = Number.NaN, end = Number.NaN] = line
      .slice(0, line.indexOf(' '))
      .split('-')
      .map((text) => Number.parseInt(text, 16));
    if (address >= start && address < end) return start;
  }
  throw new RangeError(`Nothing is mapped at 0x${address.toString(16)}`);
}
