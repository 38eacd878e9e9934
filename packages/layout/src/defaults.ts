/** What holds where nothing is set, and how sizes are given. */

/** The page size that is meant when none is given, in bytes: that of x86-64. */
export const DEFAULT_PAGE_SIZE = 4096;

/** Bytes, a safe integer, or a size as text in binary units: `65536`, `'64KiB'`, `'4 GiB'`, `'0x10000'`. */
export type Size = number | string;
