/** What this host and this process offer, tried or read, as plain data. */
import { readFileSync } from 'node:fs';
import { release, totalmem } from 'node:os';
import {
  createView,
  detachView,
  FfiUnavailableError,
  host,
  platform,
  processStateObstacle,
  SystemError,
  UnsupportedPlatformError,
  ViewUnsupportedError,
  type HostInfo,
  type VirtualMemory,
} from '@guardstripe/mmap';
import { keys, KeysExhaustedError, supportReason } from '@guardstripe/mpk';

/** A pool cannot even be tried here. */
export class HostUnusableError extends Error {}

/** All that the doctor looks at. `undefined` is unknown, or no bound. */
export interface Facts extends HostInfo {
  readonly nodeVersion: string;
  readonly kernelRelease: string;
  /** Most bytes that could be reserved in one piece, tried. */
  readonly largestReservationBytes: number;
  readonly mappingsInUse: number;
  /** RAM, or what the control group leaves of it. */
  readonly memoryBytes: number;
  /** Protection keys that could be taken. */
  readonly protectionKeys: number;
  /** Why there are none, for a person. */
  readonly noKeysReason: string | undefined;
  /** When anonymous memory gets huge pages (`/sys/kernel/mm/transparent_hugepage/enabled`). */
  readonly transparentHugePages: 'always' | 'madvise' | 'never' | 'unknown';
  /** What pools that threads share stand on. */
  readonly threads: ThreadFacts;
  /** Whether JavaScript can see native memory; Electron refuses. */
  readonly hasViews: boolean;
}

/** What is known of threads. */
export interface ThreadFacts {
  /** Why threads can share no pool; `undefined` where they can. */
  readonly obstacle: string | undefined;
  /** Whether the kernel says when a thread started, by which one that ended is told from another that has its number now. */
  readonly hasStartTimes: boolean;
  /** Whether a thread can wait without blocking: `Atomics.waitAsync`. */
  readonly hasWaitAsync: boolean;
}

/**
 * Looks at the host. Takes and gives back what it tries.
 *
 * @throws {@link HostUnusableError} where the native layer cannot be loaded
 */
export function gatherFacts(): Facts {
  try {
    const info = host();
    const system = platform();
    return {
      ...info,
      nodeVersion: process.versions.node,
      kernelRelease: release(),
      largestReservationBytes: largestReservation(system, info.addressBits),
      mappingsInUse: read('/proc/self/maps').split('\n').length - 1,
      memoryBytes: memoryBytes(),
      protectionKeys: countKeys(),
      noKeysReason: supportReason(),
      transparentHugePages: hugePages(),
      threads: threadFacts(),
      hasViews: canView(system),
    };
  } catch (cause) {
    if (cause instanceof UnsupportedPlatformError || cause instanceof FfiUnavailableError) {
      throw new HostUnusableError(cause.message, { cause });
    }
    throw cause;
  }
}

function threadFacts(): ThreadFacts {
  const { waitAsync } = Atomics as Partial<typeof Atomics>;
  return {
    obstacle: processStateObstacle(),
    hasStartTimes: read(`/proc/self/task/${process.pid}/stat`) !== '',
    hasWaitAsync: typeof waitAsync === 'function',
  };
}

/** Found by halving, to 1 GiB: only the system knows what else lies in the address space. */
function largestReservation(system: VirtualMemory, addressBits: number): number {
  const stepBytes = 2 ** 30;
  let most = 0;
  let tooMany = 2 ** addressBits / stepBytes;
  while (tooMany - most > 1) {
    const middle = Math.floor((most + tooMany) / 2);
    if (canReserve(system, middle * stepBytes)) most = middle;
    else tooMany = middle;
  }
  return most * stepBytes;
}

function canReserve(system: VirtualMemory, byteLength: number): boolean {
  try {
    system.unmap(system.reserve(byteLength), byteLength);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

function countKeys(): number {
  try {
    using lease = keys();
    return lease.keys.length;
  } catch (error) {
    if (error instanceof KeysExhaustedError) return 0;
    throw error;
  }
}

function canView(system: VirtualMemory): boolean {
  const address = system.reserve(system.pageSize);
  try {
    // Never read: the page has no access.
    detachView(createView(address, system.pageSize));
    return true;
  } catch (error) {
    if (error instanceof ViewUnsupportedError) return false;
    throw error;
  } finally {
    system.unmap(address, system.pageSize);
  }
}

function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

function hugePages(): Facts['transparentHugePages'] {
  const chosen = /\[(\w+)\]/.exec(read('/sys/kernel/mm/transparent_hugepage/enabled'))?.[1];
  return chosen === 'always' || chosen === 'madvise' || chosen === 'never' ? chosen : 'unknown';
}

/** A file, or nothing where it is hidden. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
