/** Where things stand in the state: from slots, capacities and keys to numbers of words. See `state.ts`. */
import { BUCKET, HEAD_RECORDS, RECORD_SHIFT } from './state.js';

/** Number of the first word of a slot's record. */
export function recordOf(slot: number): number {
  return (slot + HEAD_RECORDS) << RECORD_SHIFT;
}

/** The slot whose record begins at a word. */
export function slotAt(at: number): number {
  return (at >>> RECORD_SHIFT) - HEAD_RECORDS;
}

/** Words of state for `capacity` slots. */
export function stateWords(capacity: number): number {
  return recordOf(capacity);
}

/**
 * Buckets for `capacity` slots: the largest power of two not above the capacity, at least one. There are at most
 * `capacity` lists, so a chain holds fewer than two on average, however the slots are used.
 */
export function numBuckets(capacity: number): number {
  return capacity < 2 ? 1 : 2 ** (31 - Math.clz32(capacity));
}

/**
 * How far {@link bucketWord} shifts a hash, so that as many bits are left as number the buckets and the words of a
 * record.
 */
export function bucketShift(capacity: number): number {
  return 32 - RECORD_SHIFT - Math.log2(numBuckets(capacity));
}

/**
 * Number of the word that names the first list of a bucket. Buckets are numbered from 0 and stand in the records
 * from 0 on.
 */
export function bucketAt(bucket: number): number {
  return (bucket << RECORD_SHIFT) + BUCKET;
}

/**
 * Number of the word that names the first list of a key's bucket: Knuth's multiplicative hashing, by the odd number next
 * to 2^32 divided by the golden ratio. The memory index goes in by another factor, the fifth 32-bit prime of xxHash,
 * which spread modules of 2 to 256 memories best among the seven that were tried. The upper bits of the product number
 * the bucket; the three below would number a word in its record, and all three set are the last word, `BUCKET`.
 */
export function bucketWord(tag: number, memoryIndex: number, shift: number): number {
  return (Math.imul(tag ^ Math.imul(memoryIndex, 0x165667b1), 0x9e3779b1) >>> shift) | BUCKET;
}
