/**
 * What all threads and all copies of the package share: some words at an address that all of them know.
 *
 *     byte 0      header     magic, version, process id, own address: who finds them knows that the area is this process's
 *     byte 64     pool       words of @guardstripe/memory-pool
 *     byte 128    keys       words of @guardstripe/mpk
 *     byte 4096   threads    a record of 64 bytes for each thread that uses the package
 *
 * Copies of the package that lay it out differently must not read each other's words: change {@link AREA_VERSION} with it.
 */

/** Whole pages, whatever their size: 4, 16 or 64 KiB. */
export const AREA_BYTES = 0x20000;
export const AREA_VERSION = 1;

/** "GSTR" and "AREA", little-endian. */
const MAGIC = [0x52545347, 0x41455241] as const;

export const POOL_OFFSET = 64;
export const POOL_WORDS = 16;
export const KEYS_OFFSET = 128;
export const KEYS_WORDS = 256;
/** How many thread records were ever in use: a search need go no further. */
export const THREADS_USED_WORD = 8;

export const THREADS_OFFSET = 4096;
export const THREAD_BYTES = 64;
export const MAX_THREADS = (AREA_BYTES - THREADS_OFFSET) / THREAD_BYTES;

/** The first bytes of this process's area at `address`. */
export function headerOf(pid: number, address: number): Int32Array {
  return Int32Array.of(...MAGIC, AREA_VERSION, pid, address | 0, Math.floor(address / 2 ** 32));
}
