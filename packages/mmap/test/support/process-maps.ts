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

/** The permissions of the mapping at an address, as `/proc/self/maps` has them: `rw-p`; nothing if there is none. */
export function permissionsAt(address: number): string | undefined {
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line);
    if (range !== null && address >= Number(`0x${range[1]}`) && address < Number(`0x${range[2]}`))
      return range[3];
  }
  return undefined;
}

/** The mapping at an address as `/proc/self/smaps` has it: what its first line ends in, and its two-letter flags. */
export function mappingDetails(
  address: number,
): { readonly label: string; readonly flags: string[] } | undefined {
  let label: string | undefined;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (head !== null) {
      const inside = address >= Number(`0x${head[1]}`) && address < Number(`0x${head[2]}`);
      label = inside ? head[3] : undefined;
    }
    const flags = /^VmFlags: (.*)$/.exec(line)?.[1];
    if (label !== undefined && flags !== undefined) return { label, flags: flags.trim().split(' ') };
  }
  return undefined;
}
