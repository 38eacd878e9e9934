/**
 * `PAGEMAP_SCAN` (Linux 6.7): its number, its structures and the kinds of pages that it tells apart, all from linux/fs.h. The structures
 * are written and read as 32-bit halves: a 64-bit BigInt costs more than the call.
 */

/** `_IOWR('f', 16, struct pm_scan_arg)`. */
export const PAGEMAP_SCAN = 0xc060_6610;
/** Bytes of `struct pm_scan_arg`. */
export const PM_SCAN_ARG_BYTES = 96;
/** Bytes of `struct page_region`: start, end, categories. */
export const PAGE_REGION_BYTES = 24;

/** The range is registered for asynchronous write protection. */
export const PAGE_IS_WPALLOWED = 1 << 0;
export const PAGE_IS_WRITTEN = 1 << 1;
export const PAGE_IS_FILE = 1 << 2;
export const PAGE_IS_PRESENT = 1 << 3;
export const PAGE_IS_SWAPPED = 1 << 4;
export const PAGE_IS_PFNZERO = 1 << 5;

/**
 * Most runs that one call reports. The kernel collects as many as a page table has entries, 512 or more, and begins again where there is
 * room for others; where the walk then comes to its end, the kernel still says that it ended where the first of them were full
 * (fs/proc/task_mmu.c, up to Linux 6.18 at least). Who goes on from there meets pages twice.
 */
export const MAX_RUNS = 512;

/** What the upper half of a number counts. */
export const WORD = 2 ** 32;

/** Whether pages are write-protected, by what a walk that asked for both says of them. */
export function isProtected(categories: number): boolean {
  return (categories & (PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN)) === PAGE_IS_WPALLOWED;
}

/** Writes a 64-bit number whose lower half is word `index`. */
export function put(words: Uint32Array, index: number, value: number): void {
  words[index] = value; // modulo 2^32
  words[index + 1] = Math.floor(value / WORD);
}

/** Reads what {@link put} writes. */
export function get(words: Uint32Array, index: number): number {
  return words[index]! + words[index + 1]! * WORD;
}
