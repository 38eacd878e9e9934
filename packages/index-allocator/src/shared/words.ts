/**
 * How the one buffer of a shared allocator lies.
 *
 * ```
 *  head      settings, and the words of the waiting line
 *  seats     a record of 16 words for each attachment: thread, ticket, call
 *  shard 0   lock │ root of the hand-overs │ a holder a slot │ hand-over bits │ state, as state.ts has it
 *  shard 1   ...
 * ```
 *
 * Every part begins on a cache line of its own, so that what one thread writes is not on the line that another one spins on.
 *
 * The build puts these numbers themselves into the code, see `tsup.config.ts`; for that they stand alone in their file.
 */

/** Words of a cache line. */
export const LINE_WORDS = 16;

/** "GIDX" and the version of this layout: copies of the package that lay it out differently must not meet. */
export const MAGIC = 0x47494458;
export const LAYOUT_VERSION = 1;

export const MAGIC_WORD = 0;
export const VERSION_WORD = 1;
export const CAPACITY_WORD = 2;
export const WARM_LIMIT_WORD = 3;
export const NUM_SHARDS_WORD = 4;
/** How many seats were ever taken: a search need go no further. */
export const SEATS_USED = 5;
/** How many attachments have been given a home shard. */
export const HOMES_GIVEN = 6;
/** 0 if nobody waits; else the number of somebody who came, and perhaps waits no more. */
export const LINE_WORD = 16;
/** The number drawn last. */
export const NEXT_TICKET = 32;

/** Words before the first seat. */
export const HEAD_WORDS = 48;

/** Most attachments at a time. */
export const MAX_SEATS = 1024;
/** Words of a seat. */
export const SEAT_WORDS = 16;
/** Thread that sits there, 0 for nobody. */
export const SEAT_THREAD = 0;
/** Number of the thread's first waiter, 0 for none. */
export const SEAT_TICKET = 1;
/** How often the thread was told that it may be its turn. */
export const SEAT_CALL = 2;

/** Most shards; more cores than that do not meet at one lock often enough. */
export const MAX_SHARDS = 16;
/** With fewer slots there is one shard: a few slots a shard would be full too early. */
export const MIN_SLOTS_OF_SHARDS = 128;

/** A shard's first words: its lock. */
export const LOCK = 0;
/** Which groups of {@link ShardPlace.bits} have a bit set; see hand-over.ts. On another line than the lock. */
export const HANDED_ROOT = 16;
/** Words of a shard's lock and root. */
export const CONTROL_WORDS = 32;
