/**
 * What the ways of restoring cost, in nanoseconds, so that they can be compared by counts: of pages found, which do not
 * vary from run to run as times do, and which cost nothing to read. Measured on one machine; only their ratios matter,
 * and being wrong by a half costs a choice that is late, never a wrong byte.
 */

/** System calls through FFI, with what they do before they come to the first page: dropping, and walking. */
export const DROP_CALL = 350;
export const SCAN_CALL = 600;
/** A page that is written back: met by the walk, then copied. */
export const WRITE_BACK = 140;
/** A page of the range that is not there, which the walk passes. */
export const PASS_NOTHING = 0.7;
/** A page that is met by the walk for nothing: the page of zeros, or one of a file, whose record has to be looked at. */
export const PASS_ZERO = 8;
export const PASS_FILE = 30;
/** Copying a page, as a part of many. */
export const COPY = 90;
/** Taking a page out of the page tables, and what it costs to get it back when it is wanted again. */
export const DROP = 50;
export const FAULT_OWN = 1500;
export const FAULT_ZERO = 1200;
/** A fault on a file's page brings its neighbours along. */
export const FAULT_FILE = 250;
/** A page of a watched range: looked at once, and once more to protect it. Then a first write. */
export const WATCH_PASS = 3.5;
export const WATCH_WRITE = 1000;
/** A page of a range that is watched no more, and then again. */
export const WATCH_CHANGE = 60;
/** A page that lay idle: compared with its start, and its memory given back. */
export const COMPARE = 300;
export const DROP_OWN = 300;
