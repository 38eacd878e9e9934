/**
 * Optional kernel features, each asked for once by trying it on memory of our own. A version number would not tell:
 * distributions backport, and containers filter calls.
 */

import { readSync } from 'node:fs';

import { ffi } from '../ffi.js';
import { platform } from '../platform.js';
import { withFile } from './proc.js';

/** What this kernel offers beyond the calls that the package cannot do without. */
export interface KernelFeatures {
  /** Sealed memory files (`memfd_create`, Linux 3.17); needed for images. */
  readonly memfd: boolean;
  /** Finding dirty pages (`PAGEMAP_SCAN`, Linux 6.7). */
  readonly pagemapScan: boolean;
  /** Dropping many ranges in one call (`process_madvise` with `MADV_DONTNEED` on oneself, Linux 6.13). */
  readonly processMadvise: boolean;
  /** Closing single pages inside of a mapping (`MADV_GUARD_INSTALL`, Linux 6.13). */
  readonly guardPages: boolean;
  /**
   * An untouched page that is only read is mapped to one page of zeros that all share. Some virtual machines and s390
   * guests have none: there a read takes a page, which looks as if it had been written.
   */
  readonly sharedZeroPage: boolean;
}

/** Bytes of an entry of `/proc/self/pagemap`, one for each page of the address space (`pagemap.rst` of the kernel). */
const PAGEMAP_ENTRY_BYTES = 8;
/** Of an entry's upper half: bit 63, the page is there; bit 56, mapped here and nowhere else. */
const PRESENT = 2 ** 31;
const EXCLUSIVE = 2 ** 24;

/**
 * Tries all that was not found before. Anything that goes wrong on the way counts as "not there", a shortage of descriptors too.
 */
export function probeFeatures(before?: KernelFeatures): KernelFeatures {
  return {
    memfd: before?.memfd === true || works(probeMemfd),
    pagemapScan: before?.pagemapScan === true || works(() => platform().canScanDirtyPages),
    processMadvise: before?.processMadvise === true || works(() => platform().decommitsManyInOneCall),
    guardPages: before?.guardPages === true || works(() => platform().canGuardPages),
    sharedZeroPage: before?.sharedZeroPage === true || works(() => withScratchPage(probeSharedZeroPage)),
  };
}

function works(probe: () => boolean): boolean {
  try {
    return probe();
  } catch {
    return false;
  }
}

function withScratchPage(probe: (address: number, byteLength: number) => boolean): boolean {
  const system = platform();
  const address = system.reserve(system.pageSize);
  try {
    return probe(address, system.pageSize);
  } finally {
    system.unmap(address, system.pageSize);
  }
}

function probeMemfd(): boolean {
  const system = platform();
  // By way of the platform: in a worker, which may be terminated before it closes the file, that writes it down.
  system.closeFile(system.createSharedFile(system.pageSize, 'guardstripe-probe'));
  return true;
}

/** Without a view: koffi ends the process if a worker is terminated while it makes one. */
function probeSharedZeroPage(address: number, byteLength: number): boolean {
  const system = platform();
  system.protect(address, byteLength, 'read');
  const read = Uint8Array.of(1);
  system.copyBytes(address, ffi().addressOf(read), 1);
  const isZero = read[0] === 0;
  const upper = pagemapEntry(address, byteLength).readUInt32LE(PAGEMAP_ENTRY_BYTES / 2);
  return isZero && (upper & PRESENT) !== 0 && (upper & EXCLUSIVE) === 0;
}

function pagemapEntry(address: number, pageSize: number): Buffer {
  return withFile('/proc/self/pagemap', (fd) => {
    const entry = Buffer.alloc(PAGEMAP_ENTRY_BYTES);
    readSync(fd, entry, 0, PAGEMAP_ENTRY_BYTES, (address / pageSize) * PAGEMAP_ENTRY_BYTES);
    return entry;
  });
}
