/**
 * What the rest of the package asks of an operating system, one file a platform behind it.
 *
 * The calls here are thin: they make one system call, compare its result with the failure value and throw.
 * Rounding, bounds, ownership and state are the business of {@link Mmap}, one layer up; whoever calls these
 * directly has checked them already. Preconditions of every call: `address` and `byteLength` are non-negative
 * safe integers and multiples of {@link VirtualMemory.pageSize}, and the range belongs to the caller.
 */

import type { Advice } from '../operations/advice.js';
import type { PageRuns } from './page-runs.js';

/** What the pages of a range allow. `'none'` faults on any touch. */
export type Access = 'none' | 'read' | 'read-write' | 'read-execute';

/** How a file is mapped: `'shared'` writes through to it, `'private'` copies a page at its first write. */
export type Sharing = 'shared' | 'private';

/**
 * Where a scan found dirty pages; made once and reused, so that a scan allocates nothing. Region `i` is
 * `[starts[i], ends[i])`, in addresses, whole pages, ascending.
 */
export interface DirtyPages {
  /** As long as `ends`: the most regions that one scan may report. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Regions found. */
  count: number;
  /** Where the scan stopped: the end of the range, or earlier when a limit was reached. */
  walkEnd: number;
}

/** What an image is made of, piece by piece: the whole need never be in memory twice. */
export interface ImageSource {
  /** Bytes of the image. What is not written is zero, and takes no memory in whole pages. */
  readonly byteLength: number;
  /**
   * Calls `write` for each piece, in any order; what it throws is thrown by whoever makes the image. The bytes are copied before
   * `write` returns.
   */
  fill(write: (bytes: Uint8Array, position: number) => void): void;
}

/** A run of pages that allow the same. */
export interface AccessRun {
  readonly address: number;
  readonly byteLength: number;
  /** `'other'` where {@link Access} has no word for it: pages that can be written and executed. */
  readonly access: Access | 'other';
}

/** A run of pages that show a file. */
export interface FileRun {
  readonly address: number;
  readonly byteLength: number;
  /** Byte of the file at `address`. */
  readonly fileOffset: number;
}

/** A platform's page-level primitives. Every call throws a {@link SystemError} when the system refuses. */
export interface VirtualMemory {
  /** Bytes of a page; every address and length below is a multiple of it. */
  readonly pageSize: number;
  /** Reserves address space without access and without memory behind it, and returns its address. */
  reserve(byteLength: number): number;
  /** Replaces the range by fresh anonymous zero pages. Drops whatever was mapped, and its protection key. */
  mapZeros(address: number, byteLength: number, access: Access): void;
  /**
   * Maps a file and returns the address: at exactly `address`, replacing what was there, or anywhere when
   * `address` is 0. Drops a protection key that the range had.
   */
  mapFile(
    fd: number,
    fileOffset: number,
    address: number,
    byteLength: number,
    access: Access,
    sharing: Sharing,
  ): number;
  /** Gives the range back to the system. */
  unmap(address: number, byteLength: number): void;
  /** Changes what the range allows; contents and protection key stay. */
  protect(address: number, byteLength: number, access: Access): void;
  /**
   * Changes what the range allows and gives it a protection key in the same call (`pkey_mprotect`, Linux 4.9 on x86-64).
   * Key 0 is every page's default.
   */
  protectWithKey(address: number, byteLength: number, access: Access, key: number): void;
  /** Drops the range's pages: anonymous memory reads zeros again, a private file mapping reads the file again. */
  decommit(address: number, byteLength: number): void;
  /**
   * Drops the pages of the first `count` ranges, in one call where the kernel can and else one by one. After a failure
   * any of them may or may not have been dropped.
   */
  decommitMany(addresses: Float64Array, byteLengths: Float64Array, count: number): void;
  /** Whether {@link VirtualMemory.decommitMany} is one call here: `process_madvise` on oneself, Linux 6.13. */
  readonly decommitsManyInOneCall: boolean;
  /** Whether {@link VirtualMemory.scanDirtyPages} works here: on Linux 6.7 and later, `PAGEMAP_SCAN`. */
  readonly canScanDirtyPages: boolean;
  /**
   * Finds pages that hold bytes of their own: written, in memory or swapped out, and neither the zero page nor a page
   * of a mapped file. Stops after `maxPages` of them, or when `into` is full.
   */
  scanDirtyPages(address: number, byteLength: number, maxPages: number, into: DirtyPages): void;
  /**
   * Finds pages that are there, in memory or swapped out, and says whose bytes they hold; those that are write-protected and were
   * not written since are left out. Stops when `into` is full. Needs {@link VirtualMemory.canScanDirtyPages}.
   */
  scanPages(address: number, byteLength: number, into: PageRuns): void;
  /**
   * The same where no file is mapped, and without the pages of zeros: all that is found is the pages' own. Cheaper where many were
   * only read.
   */
  scanOwnPages(address: number, byteLength: number, into: PageRuns): void;
  /**
   * Whether this process can have first writes noted by the kernel: `userfaultfd` in asynchronous write-protect mode, Linux 6.7,
   * where no sandbox refuses it.
   */
  readonly canWatchWrites: boolean;
  /** Write-protects a range such that the kernel notes a page's first write and lets it pass. */
  watchWrites(address: number, byteLength: number): void;
  /** Ends {@link VirtualMemory.watchWrites}; pages count as written again. */
  unwatchWrites(address: number, byteLength: number): void;
  /**
   * Finds pages of a watched range that were written since they were protected; may also report pages that were dropped. Stops
   * when `into` is full.
   */
  scanWrittenPages(address: number, byteLength: number, into: PageRuns): void;
  /**
   * Finds pages of a watched range that are in memory, hold bytes of their own, and were not written since they were protected. Stops
   * when `into` is full.
   */
  scanUnwrittenPages(address: number, byteLength: number, into: PageRuns): void;
  /** Protects again, in a watched range, every page that {@link VirtualMemory.scanWrittenPages} would report. */
  protectWrittenPages(address: number, byteLength: number): void;
  /** Whether single pages can be closed inside of a mapping: `MADV_GUARD_INSTALL`, Linux 6.13. */
  readonly canGuardPages: boolean;
  /**
   * Closes pages of private memory, whatever access the mapping has: any touch faults until {@link VirtualMemory.unguardPages}. What they
   * held is dropped. Needs {@link VirtualMemory.canGuardPages}; locked memory is refused.
   */
  guardPages(address: number, byteLength: number): void;
  /** Takes {@link VirtualMemory.guardPages} back: those pages read zeros, others stay as they are. */
  unguardPages(address: number, byteLength: number): void;
  /** Copies bytes from one address to another. Both ranges must be accessible, and lie apart. */
  copyBytes(from: number, to: number, byteLength: number): void;
  /** Writes zeros. */
  fillZeros(address: number, byteLength: number): void;
  /** Whether two ranges hold the same bytes. */
  sameBytes(a: number, b: number, byteLength: number): boolean;
  /** Writes the range's changed pages to their file, and waits until they are there (`msync`). */
  sync(address: number, byteLength: number): void;
  /** As {@link VirtualMemory.sync}, on another thread. The range must stay mapped until the promise settles. */
  syncAsync(address: number, byteLength: number): Promise<void>;
  /** Tells the system how the range will be used (`madvise`). */
  advise(address: number, byteLength: number, advice: Advice): void;
  /** As {@link VirtualMemory.advise}, on another thread. The range must stay mapped until the promise settles. */
  adviseAsync(address: number, byteLength: number, advice: Advice): Promise<void>;
  /** Whether all of the process's memory is offered to KSM (`PR_SET_MEMORY_MERGE`, Linux 6.4), whoever asked for it. */
  mergesEqualPages(): boolean;
  /** Keeps the range in memory: all of it at once, or with `onFault` each page from its first touch on. */
  lock(address: number, byteLength: number, onFault: boolean): void;
  /** Takes back a lock. */
  unlock(address: number, byteLength: number): void;
  /** Writes 1 for each page of the range that is in memory and 0 for each other; `into` has a byte a page. */
  resident(address: number, byteLength: number, into: Uint8Array): void;
  /**
   * Finds pages of anonymous memory that are in memory. Stops when `into` is full. Needs {@link VirtualMemory.canScanDirtyPages}.
   */
  scanResident(address: number, byteLength: number, into: PageRuns): void;
  /** Copies bytes out of memory of any alignment. `EFAULT` where it cannot be read; some bytes may have been copied then. */
  readBytes(address: number, into: Uint8Array): void;
  /** Copies bytes into memory of any alignment. `EFAULT` where it cannot be written; what lies before may have been written then. */
  writeBytes(address: number, bytes: Uint8Array): void;
  /** What the range allows now, as ascending runs without gaps. Throws where part of it is not mapped. */
  accessOf(address: number, byteLength: number): AccessRun[];
  /**
   * Makes a mapping longer or shorter and returns its address, which changes when there is no room behind it (`mremap`). New
   * pages are of the kind of the last one.
   */
  resize(address: number, byteLength: number, newByteLength: number): number;
  /** As {@link VirtualMemory.resize}, but never moves: false, and nothing has changed, where there is no room behind the range. */
  resizeInPlace(address: number, byteLength: number, newByteLength: number): boolean;
  /**
   * Moves a mapping elsewhere and returns its address. The old range stays mapped: anonymous pages read zeros there,
   * those of a file the file (`MREMAP_DONTUNMAP`, Linux 5.7 for anonymous memory, 5.13 for all).
   */
  moveLeavingRange(address: number, byteLength: number): number;
  /** Bytes of the system's default huge page; `undefined` where it has none. */
  defaultHugePageBytes(): number | undefined;
  /** Maps zeros on huge pages of `hugePageBytes`; `byteLength` and the returned address are multiples of that. */
  mapHugePages(byteLength: number, hugePageBytes: number): number;
  /** Names anonymous pages for `/proc/self/maps`; `null` removes the name. False where the kernel knows no names. */
  name(address: number, byteLength: number, name: string | null): boolean;
  /** Another descriptor of the same open file, for {@link VirtualMemory.closeFile}. */
  duplicateFile(fd: number): number;
  /**
   * Makes a file at least `byteLength` bytes long; what is there stays, also what others append meanwhile. New bytes are zeros and take no
   * room on the disk but for the last.
   */
  extendFile(fd: number, byteLength: number): void;
  /** Cuts a file, or makes it longer by zeros (`ftruncate`). Touching a mapped page behind its end raises SIGBUS from then on. */
  truncateFile(fd: number, byteLength: number): void;
  /** All mappings of this process of the file that is mapped at `address`, that one included. */
  mappingsOfFile(address: number): FileRun[];
  /** Bytes of a file's pages where those are huge (hugetlbfs); else `undefined`. */
  hugePageBytesOfFile(fd: number): number | undefined;
  /** Whether this process may write a file now, whatever the descriptor was opened for. */
  mayWriteFile(fd: number): boolean;
  /** Makes a sealed, unchangeable memory file of what `source` writes, and returns its descriptor. */
  createImage(source: ImageSource, name: string): number;
  /** Makes a memory file of zeros whose length nobody can change any more, and returns its descriptor. */
  createSharedFile(byteLength: number, name: string): number;
  /** Opens a file anew that a process has open as `fd`, and returns a descriptor of our own. `ENOENT` where it has not. */
  reopenFile(pid: number, fd: number, forWriting: boolean): number;
  /** Whether nobody can make a file shorter. */
  keepsItsLength(fd: number): boolean;
  /** Closes a descriptor that a call here returned. Not for those of `node:fs`, which keeps account of its own in worker threads. */
  closeFile(fd: number): void;
}
