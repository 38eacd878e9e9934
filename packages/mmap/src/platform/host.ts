/** What this machine and this process offer, as plain data. */

import { readFileSync } from 'node:fs';

import { probeFeatures, type KernelFeatures } from './linux/kernel-features.js';
import { platform } from './platform.js';

/** Facts about the host; unknown ones are `undefined` or `'unknown'`, never guessed. */
export interface HostInfo {
  /** As `process.platform`. */
  readonly platform: string;
  /** As `process.arch`. */
  readonly arch: string;
  /** Bytes of a page. */
  readonly pageSize: number;
  /** User addresses are below `2 ** addressBits`: 47 on x86-64, 39 to 48 on arm64. */
  readonly addressBits: number;
  /** How the kernel treats promises of memory it may not have (`vm.overcommit_memory`). */
  readonly overcommit: 'heuristic' | 'always' | 'never' | 'unknown';
  /** Most mappings a process may have (`vm.max_map_count`). */
  readonly maxMapCount: number | undefined;
  /** Most address space this process may have in bytes (`RLIMIT_AS`); `undefined` is unlimited or unknown. */
  readonly addressSpaceLimitBytes: number | undefined;
  readonly features: KernelFeatures;
}

let features: KernelFeatures | undefined;

/**
 * Looks at the host. Limits are read anew at each call, for they can change; kernel features are probed once.
 *
 * @throws {@link UnsupportedPlatformError} where {@link platform} does.
 */
export function host(): HostInfo {
  const { pageSize } = platform();
  features ??= Object.freeze(probeFeatures());
  return {
    platform: process.platform,
    arch: process.arch,
    pageSize,
    addressBits: parseAddressBits(read('/proc/self/stat')) ?? 47,
    overcommit: parseOvercommit(read('/proc/sys/vm/overcommit_memory')),
    maxMapCount: parseCount(read('/proc/sys/vm/max_map_count')),
    addressSpaceLimitBytes: parseAddressSpaceLimit(read('/proc/self/limits')),
    features,
  };
}

/** A file of `/proc`, or nothing where it is hidden (containers, `--permission`). */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/**
 * The stack starts just below the end of the user addresses (randomised by at most 16 GiB), so the number of bits of
 * `startstack`, field 28 of `/proc/self/stat` (`proc(5)`), is that of the address space.
 */
export function parseAddressBits(stat: string): number | undefined {
  // The second field is the program's name in parentheses and may hold anything, spaces included.
  const fieldsFromThird = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startStack = Number(fieldsFromThird[28 - 3]);
  return Number.isSafeInteger(startStack) && startStack > 0 ? Math.ceil(Math.log2(startStack)) : undefined;
}

export function parseOvercommit(text: string): HostInfo['overcommit'] {
  switch (text.trim()) {
    case '0':
      return 'heuristic';
    case '1':
      return 'always';
    case '2':
      return 'never';
    default:
      return 'unknown';
  }
}

export function parseCount(text: string): number | undefined {
  const count = Number.parseInt(text, 10);
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

export function parseAddressSpaceLimit(limits: string): number | undefined {
  const softLimit = /^Max address space\s+(\d+)/m.exec(limits)?.[1];
  return softLimit === undefined ? undefined : Number(softLimit);
}
