/** What this machine and this process offer, as plain data. */

import { probeFeatures, type KernelFeatures } from './linux/kernel-features.js';
import { SystemError } from '../errors.js';
import { ffi } from './ffi.js';
import { lazily } from './linux/lazily.js';
import { readProc } from './linux/proc.js';
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
 * Looks at the host. Limits are read anew at each call, for they can change; a kernel feature is probed until it is found.
 *
 * @throws {@link UnsupportedPlatformError} where {@link platform} does.
 */
export function host(): HostInfo {
  const { pageSize } = platform();
  // A probe that fails for want of a descriptor says nothing about the kernel.
  if (features === undefined || Object.values(features).includes(false))
    features = Object.freeze(probeFeatures(features));
  return {
    platform: process.platform,
    arch: process.arch,
    pageSize,
    addressBits: addressBits(),
    overcommit: parseOvercommit(read('/proc/sys/vm/overcommit_memory')),
    maxMapCount: parseCount(read('/proc/sys/vm/max_map_count')),
    addressSpaceLimitBytes: parseAddressSpaceLimit(read('/proc/self/limits')),
    features,
  };
}

/** A file of `/proc`, or nothing where it is hidden (containers). */
function read(path: string): string {
  try {
    return readProc(path);
  } catch {
    return '';
  }
}

const getauxval = lazily<(type: number) => number>('unsigned long getauxval(unsigned long type)');
/** `AT_EXECFN` of linux/auxvec.h: where the program's file name is. */
const AT_EXECFN = 31;

/**
 * The kernel puts the program's file name at the top of the stack, which starts just below the end of the user addresses
 * (randomised by at most 16 GiB); so the number of bits of its address is that of the address space.
 */
function addressBits(): number {
  const address = getauxval()(AT_EXECFN);
  // Every kernel that Node runs on gives it (Linux 2.6.26); without it, errno is ENOENT.
  if (address === 0)
    throw new SystemError(ffi().errno(), { syscall: 'getauxval', details: { type: AT_EXECFN } });
  return Math.ceil(Math.log2(address));
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
