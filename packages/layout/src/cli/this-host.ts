/** The machine that this runs on, as far as files tell it: no native code. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { PlanHost } from '../plan/host.js';
import { MAX_PROTECTION_KEYS } from '../process-bounds.js';
import { UsageError } from './usage-error.js';

/**
 * What bounds a pool here. What cannot be read keeps its default.
 *
 * @throws {@link UsageError} on other systems than Linux
 */
export function thisHost(): PlanHost {
  if (process.platform !== 'linux') {
    throw new UsageError(
      `--this-host reads Linux's /proc, and this is ${process.platform}: give --address-bits and so on`,
    );
  }
  const maxMapCount = number(/^(\d+)/.exec(read('/proc/sys/vm/max_map_count'))?.[1]);
  const limit = number(/^Max address space\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1]);
  const pageKib = number(/^KernelPageSize:\s+(\d+) kB/m.exec(read('/proc/self/smaps'))?.[1]);
  // The kernel sets the second flag once it uses the processor's keys.
  const hasKeys = /^flags\s*:.*\sospke(?:\s|$)/m.test(read('/proc/cpuinfo'));
  return {
    ...(pageKib === undefined ? {} : { pageSize: pageKib * 1024 }),
    ...(maxMapCount === undefined ? {} : { maxMapCount }),
    ...(limit === undefined ? {} : { addressSpaceLimitBytes: limit }),
    ...addressBits(),
    protectionKeys: hasKeys ? MAX_PROTECTION_KEYS : 0,
    memoryBytes: memoryBytes(),
  };
}

/** The stack begins just below the end of the user addresses: field 28 of `/proc/self/stat` (proc(5)). */
function addressBits(): PlanHost {
  const stat = read('/proc/self/stat');
  // The second field may hold anything, blanks included.
  const stackStart = number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[28 - 3]);
  return stackStart === undefined || stackStart === 0
    ? {}
    : { addressBits: Math.ceil(Math.log2(stackStart)) };
}

/** RAM, or what the control group leaves of it. */
function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function number(text: string | undefined): number | undefined {
  const value = Number(text ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A file, or nothing where it is hidden. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
