/**
 * What the rest of the package asks of an operating system, one file a platform behind it.
 *
 * The calls here are thin: they make one system call, compare its result with the failure value and throw.
 * Rounding, bounds, ownership and state are the business of {@link Mmap}, one layer up; whoever calls these
 * directly has checked them already. Preconditions of every call: `address` and `byteLength` are non-negative
 * safe integers and multiples of {@link VirtualMemory.pageSize}, and the range belongs to the caller.
 */

/** What the pages of a range allow. `'none'` faults on any touch. */
export type Access = 'none' | 'read' | 'read-write' | 'read-execute';

/** How a file is mapped: `'shared'` writes through to it, `'private'` copies a page at its first write. */
export type Sharing = 'shared' | 'private';

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
  /** Drops the range's pages: anonymous memory reads zeros again, a private file mapping reads the file again. */
  decommit(address: number, byteLength: number): void;
  /** Makes a sealed, unchangeable memory file that holds `bytes`, and returns its descriptor. */
  createImage(bytes: Uint8Array, name: string): number;
  /** Closes a descriptor that {@link VirtualMemory.createImage} returned. */
  closeImage(fd: number): void;
}
