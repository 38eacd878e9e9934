/** What holds where nothing is set. */

/** The page size that is meant when none is given, in bytes: that of x86-64. */
export const DEFAULT_PAGE_SIZE = 4096;
