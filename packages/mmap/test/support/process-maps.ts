import { readFileSync } from 'node:fs';

/** Whether the kernel has a mapping of this process that covers an address. */
export function isMapped(address: number): boolean {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .some((line) => {
      const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
      return range !== null && address >= Number(`0x${range[1]}`) && address < Number(`0x${range[2]}`);
    });
}
