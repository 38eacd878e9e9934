/**
 * How the state lies in its one `Int32Array`: records of eight words each.
 *
 * ```
 *  at │ + 0          + 1              + 2          + 3      + 4      + 5      + 6     + 7
 * ────┼──────────────────────────────────────────────────────────────────────────────────────
 *   0 │                                            OLDER    NEWER                     BUCKET    ring: ends of the warm list
 *   8 │ WARM_SLOTS   TOUCHED_SLOTS    UNUSED_LOW   _HIGH    CAPACITY_STAMP  WARM_..   BUCKET    header
 *  16 │ TAG          INDEX_AND_HIGH   BYTES_LOW    OLDER    NEWER    AFFINE   CHAIN   BUCKET    slot 0
 *  24 │ TAG          INDEX_AND_HIGH   BYTES_LOW    OLDER    NEWER    AFFINE   CHAIN   BUCKET    slot 1
 *     │ ...
 * ```
 *
 * Records name each other by the number of their first word, `at`. No slot begins at 0, so 0 says "none", and the ring is
 * empty when it points to itself: all zeros are the empty state. Nothing has to be filled in, and a million slots cost
 * neither time nor memory before they are used.
 *
 * - **Cold**: never taken. Cold slots are taken lowest first, so they are exactly those from `TOUCHED_SLOTS`
 *   on. `TAG` is 0.
 * - **Used**: `TAG` has its sign bit set.
 * - **Warm**: `TAG` is not negative, and the slot is on the warm list, a ring through word 0 by `OLDER` and
 *   `NEWER`.
 *
 * The rest of `TAG` is the module id plus one, or 0 for a slot that was allocated for nobody.
 *
 * A warm slot with a key is also on its **affinity list**. Slots leave that list only at its ends: the newest as an
 * affine pick, the oldest by eviction, for the oldest of all warm slots is the oldest of its list too. That is why one
 * word is enough for both directions: `AFFINE` is the XOR of the two neighbours. The list is found by its newest slot,
 * which is linked by `CHAIN` into the chain of the key's hash bucket. Where a bucket's chain begins stands in the
 * `BUCKET` word of the record with the bucket's number, whatever that record is. Only lists that exist are in a chain, so
 * nothing has to be cleaned up, ever.
 *
 * `INDEX_AND_HIGH` is the memory index (low half) and the upper 16 bits of the 48-bit count of resident bytes.
 *
 * The build puts these numbers themselves into the code, see `tsup.config.ts`.
 */

/** Words of one record, and the shift that says the same. */
export const RECORD_WORDS = 8;
export const RECORD_SHIFT = 3;
/** Records before the first slot's: the ring and the header. */
export const HEAD_RECORDS = 2;

/** The ring's record. */
export const RING = 0;

/** Number of warm slots. */
export const WARM_SLOTS = 8;
/** Number of slots ever taken: the index of the lowest cold slot. */
export const TOUCHED_SLOTS = 9;
/** Bytes resident in warm slots, lower 32 bits. */
export const UNUSED_LOW = 10;
/** Bytes resident in warm slots, upper 21 bits. */
export const UNUSED_HIGH = 11;
/** The capacity plus one, so that a buffer cannot be taken up with another one. */
export const CAPACITY_STAMP = 12;
/** The warm limit plus one; the limit is at most the capacity. */
export const WARM_LIMIT_STAMP = 13;

/** Module id plus one; with {@link USED_BIT} while the slot is used. */
export const TAG = 0;
/** Memory index, and above it the upper 16 bits of the resident bytes. */
export const INDEX_AND_HIGH = 1;
/** Lower 32 bits of the resident bytes. */
export const BYTES_LOW = 2;
/** The warm slot freed just before; in the ring the most recently freed. */
export const OLDER = 3;
/** The warm slot freed just after; in the ring the least recently freed. */
export const NEWER = 4;
/** XOR of the two neighbours on the affinity list. */
export const AFFINE = 5;
/** Newest slot of the next affinity list in the same bucket. Meaningful in a list's newest slot only. */
export const CHAIN = 6;
/** Newest slot of the bucket's first list. Belongs to the bucket, not to the slot. */
export const BUCKET = 7;

/** Sign bit of {@link TAG}: the slot is used. */
export const USED_BIT = -0x8000_0000;
/** The part of {@link TAG} that is the module id plus one. */
export const TAG_MASK = 0x7fff_ffff;

/** 2^32: what the upper words count. */
export const HIGH_UNIT = 0x1_0000_0000;
/** Most that a word holds: counts up to here have no upper part. */
export const MAX_INT32 = 0x7fff_ffff;
/** The upper word of the sum of resident bytes at 2^53: one more than the safe integers have. */
export const UNUSED_HIGH_END = 0x20_0000;

/** Most slots of one allocator, 2^27 - 1: the number of every word must fit a signed 32-bit integer. */
export const MAX_CAPACITY = 0x7ff_ffff;
/** Largest module id, 2^31 - 2: with one added it must fit 31 bits. */
export const MAX_MODULE_ID = 0x7fff_fffe;
/** Largest memory index: it has 16 bits. */
export const MAX_MEMORY_INDEX = 0xffff;
/** Most bytes one slot can keep resident, 2^48 - 1: twice the address space of a process on x86-64 or arm64. */
export const MAX_SLOT_BYTES_RESIDENT = 0xffff_ffff_ffff;
