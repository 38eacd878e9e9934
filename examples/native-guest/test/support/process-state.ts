/** What a process holds, as the kernel counts it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessState {
  readonly mappings: number;
  readonly descriptors: number;
  readonly residentBytes: number;
}

export function processState(): ProcessState {
  const status = readFileSync('/proc/self/status', 'latin1');
  return {
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1,
    descriptors: readdirSync('/proc/self/fd').filter(isCounted).length,
    residentBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024,
  };
}

/** `@guardstripe/mmap` holds one descriptor of the process for each thread that ever used it; here it is not about those. */
function isCounted(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:[pidfd]';
  } catch {
    return false; // the one that the folder itself was read with
  }
}
