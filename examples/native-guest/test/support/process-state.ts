/** What a process holds, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessState {
  readonly mappings: number;
  readonly descriptors: number;
  readonly residentBytes: number;
}

export function processState(): ProcessState {
  const status = readFileSync('/proc/self/status', 'latin1');
  return {
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1,
    descriptors: readdirSync('/proc/self/fd').length,
    residentBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024,
  };
}
