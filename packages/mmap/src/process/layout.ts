/**
 * What all threads and all copies of the package share: some words at an address that all of them know.
 *
 *     byte 0      header     magic, version, process id, own address: who finds them knows that the area is this process's
 *     byte 64     pool       words of @guardstripe/memory-pool
 *     byte 128    keys       words of @guardstripe/mpk
 *     byte 4096   threads    a record of 64 bytes for each thread that uses the package
 *     128 KiB     joint      an entry of 2 KiB for each thing that several threads hold; see joint/steps.ts
 *
 * Copies of the package that lay it out differently must not read each other's words: change {@link AREA_VERSION} with it.
 */

/** Whole pages, whatever their size: 4, 16 or 64 KiB. Only what is touched takes memory. */
export const AREA_BYTES = 0x22_0000;
export const AREA_VERSION = 4;

/** "GSTR" and "AREA", little-endian. */
const MAGIC = [0x52545347, 0x41455241] as const;

export const POOL_OFFSET = 64;
export const POOL_WORDS = 16;
export const KEYS_OFFSET = 128;
export const KEYS_WORDS = 256;
/** How many thread records were ever in use: a search need go no further. */
export const THREADS_USED_WORD = 8;
/** The same of the entries of what threads hold jointly. */
export const JOINT_USED_WORD = 9;

export const THREADS_OFFSET = 4096;
export const THREAD_BYTES = 64;
export const JOINT_OFFSET = 0x2_0000;
export const MAX_THREADS = (JOINT_OFFSET - THREADS_OFFSET) / THREAD_BYTES;
/** What it is; behind it a byte for each thread record. */
export const JOINT_HEAD_BYTES = 64;
/** In the head. */
export const JOINT_MAPPINGS_OFFSET = 48;
export const JOINT_BYTES = JOINT_HEAD_BYTES + MAX_THREADS;
/** Things that threads of a process can hold jointly at a time. */
export const MAX_JOINT = (AREA_BYTES - JOINT_OFFSET) / JOINT_BYTES;

/** The first bytes of this process's area at `address`. */
export function headerOf(pid: number, address: number): Int32Array {
  return Int32Array.of(...MAGIC, AREA_VERSION, pid, address | 0, Math.floor(address / 2 ** 32));
}
