/** What is mapped where, as a map is made of it. */

import type { Access, Sharing, VirtualMemory } from './platform/virtual-memory.js';
import type { JointHold } from './process/joint/things.js';

/**
 * Where shared memory is found: plain data, to be posted to a worker or sent to a process of the same user. Good for as
 * long as a map that gave it is open; then {@link Mmap.openShared} refuses it, whatever the numbers are used for by then.
 */
export interface SharedMemoryHandle {
  /** The process and its descriptor that hold the memory. */
  readonly pid: number;
  readonly fd: number;
  /** Which file that is. */
  readonly device: number;
  readonly inode: number;
  readonly byteLength: number;
}

/** The file behind a map. */
export interface MappedFile {
  /** A descriptor of our own, where the map is to be resizable. */
  readonly fd: number | undefined;
  /** Byte of the file at offset 0 of the map. */
  readonly offset: number;
  readonly sharing: Sharing;
  /** What its pages allow when they are mapped. */
  readonly access: Access;
  /** Whether the map may write to the file: shared and read-write. */
  readonly writesFile: boolean;
  /** Whether the system tells which of the file's pages are in memory: to those who own it, or may write it. */
  readonly showsResidency: boolean;
  /** Where others find it, if it is shared memory. */
  readonly handle?: SharedMemoryHandle;
}

/** Pages as the kernel mapped them. */
export interface MappedPages {
  readonly virtualMemory: VirtualMemory;
  /** Address of the first mapped page. */
  readonly mapAddress: number;
  readonly mapBytes: number;
  /** Bytes between the first mapped page's start and offset 0. */
  readonly leadBytes: number;
  readonly byteLength: number;
  /** What starts and lengths are multiples of, where that is not the page size: bytes of a huge page. */
  readonly granuleBytes?: number;
  readonly file?: MappedFile;
  /** The thread's attachment, where several threads hold the pages. */
  readonly hold?: JointHold;
}
