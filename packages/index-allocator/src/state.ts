/**
 * How the state lies in its one `Int32Array`: a header, then one record of eight words a slot.
 *
 * ```
 *            word 0       1                2            3        4        5       6       7
 *          ┌────────────┬────────────────┬────────────┬────────┬────────┬───────┬───────┬────────┐
 * header   │ WARM_SLOTS │ TOUCHED_SLOTS  │ UNUSED_LOW │ UNUSED_HIGH     │ CAPACITY_STAMP, ...     │
 *          ├────────────┼────────────────┼────────────┼────────┼────────┼───────┼───────┼────────┤
 * record 0 │ the ends of the warm list               │ OLDER  │ NEWER  │       │       │ BUCKET │
 *          ├────────────┼────────────────┼────────────┼────────┼────────┼───────┼───────┼────────┤
 * record 1 │ TAG        │ INDEX_AND_HIGH │ BYTES_LOW  │ OLDER  │ NEWER  │ AFFINE│ CHAIN │ BUCKET │ = slot 0
 * record 2 │ ...                                                                                 │ = slot 1
 * ```
 *
 * Records are numbered from 1, so that 0 says "none" everywhere and all zeros are the empty state. Nothing has to
 * be filled in, and a million slots cost neither time nor memory before they are used.
 *
 * - A slot is **cold** if it was never taken. Cold slots are taken lowest first, so they are exactly
 *   those from `TOUCHED_SLOTS` on, and their `TAG` is 0.
 * - **Used**: `TAG` has its sign bit set.
 * - **Warm**: the sign bit is clear. The slot is on the warm list, a ring through record 0 by `OLDER` and `NEWER`.
 *
 * The rest of `TAG` is the module id plus one, or 0 for a slot that was allocated for nobody.
 *
 * A warm slot with a key is also on its **affinity list**. Slots leave that list only at its ends: the newest as an
 * affine pick, the oldest by eviction, for the oldest of all warm slots is the oldest of its list too. That is why one word is
 * enough for both directions: `AFFINE` is the XOR of the two neighbours. The list is found by its newest slot, which is
 * linked by `CHAIN` into the chain of the hash bucket. Where a bucket's chain begins stands in the
 * `BUCKET` word of the record with the bucket's number, whatever slot that is. Only lists that exist are in a chain, so nothing has to be cleaned up, ever.
 *
 * `INDEX_AND_HIGH` is the memory index (low half) and the upper 16 bits of the 48-bit count of resident bytes.
 */

/** Words before record 0. */
const HEADER_WORDS = 8;

/** Words of one record; the shift says the same. */
export const RECORD_WORDS = 8;
const RECORD_SHIFT = 3;

/** Number of warm slots. */
export const WARM_SLOTS = 0;
/** Number of slots ever taken: the index of the lowest cold slot. */
export const TOUCHED_SLOTS = 1;
/** Bytes resident in warm slots, lower 32 bits. */
export const UNUSED_LOW = 2;
/** Bytes resident in warm slots, upper 21 bits. */
export const UNUSED_HIGH = 3;
/** The capacity plus one, so that a buffer cannot be taken up with another one. */
export const CAPACITY_STAMP = 4;
/** The warm limit plus one, at most the capacity plus one. */
export const WARM_LIMIT_STAMP = 5;

/** Module id plus one; with {@link USED_BIT} while the slot is used. */
export const TAG = 0;
/** Memory index, and above it the upper 16 bits of the resident bytes. */
export const INDEX_AND_HIGH = 1;
/** Lower 32 bits of the resident bytes. */
export const BYTES_LOW = 2;
/** Record of the warm slot freed just before; in record 0 the most recently freed. */
export const OLDER = 3;
/** Record of the warm slot freed just after; in record 0 the least recently freed. */
export const NEWER = 4;
/** XOR of the two neighbours on the affinity list. */
export const AFFINE = 5;
/** Record of the next affinity list's newest slot in the same bucket. Meaningful in a list's newest slot only. */
export const CHAIN = 6;
/** Record of the newest slot of the bucket's first list. Belongs to the bucket, not to the slot. */
export const BUCKET = 7;

/** Sign bit of {@link TAG}: the slot is used. */
export const USED_BIT = -0x8000_0000;
/** The part of {@link TAG} that is the module id plus one. */
export const TAG_MASK = 0x7fff_ffff;

/** 2^32: what the upper words count. */
export const HIGH_UNIT = 0x1_0000_0000;

/** Most slots of one allocator: the word number of the last record must fit a signed 32-bit integer. */
export const MAX_CAPACITY = 2 ** 27 - 1;
/** Largest module id: with one added it must fit 31 bits. */
export const MAX_MODULE_ID = 0x7fff_fffe;
/** Largest memory index: it has 16 bits. */
export const MAX_MEMORY_INDEX = 0xffff;
/** Most bytes one slot can keep resident: 48 bits, twice the address space of a process on x86-64 or arm64. */
export const MAX_SLOT_BYTES_RESIDENT = 2 ** 48 - 1;

/** Number of the first word of a record. */
export function recordAt(record: number): number {
  return (record << RECORD_SHIFT) + HEADER_WORDS;
}

/** Words of state for `capacity` slots. */
export function stateWords(capacity: number): number {
  return HEADER_WORDS + (capacity + 1) * RECORD_WORDS;
}

/**
 * Buckets for `capacity` slots: the largest power of two not above it, at least one. There are at most `capacity`
 * lists, so a chain holds fewer than two on average, however the slots are used.
 */
export function bucketMask(capacity: number): number {
  return capacity < 2 ? 0 : 2 ** (31 - Math.clz32(capacity)) - 1;
}

/** Number of the word that names the first list of a bucket. Buckets are numbered from 0 and stand in the records from 0 on. */
export function bucketAt(bucket: number): number {
  return recordAt(bucket) + BUCKET;
}

/**
 * Number of the word that names the first list of a key's bucket. The factors are odd numbers near 2^32 divided by the golden
 * ratio and by its square (Knuth's multiplicative hashing); the shift brings the well-mixed upper bits down.
 */
export function bucketWord(tag: number, memoryIndex: number, mask: number): number {
  const product = Math.imul(tag, 0x9e3779b1) ^ Math.imul(memoryIndex + 1, 0x61c88647);
  const hash = Math.imul(product ^ (product >>> 15), 0x85ebca6b);
  return bucketAt((hash ^ (hash >>> 16)) & mask);
}
