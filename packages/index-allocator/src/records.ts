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
 * Buckets for `capacity` slots, less one: the largest power of two not above the capacity, at least one bucket. There are at most
 * `capacity` lists, so a chain holds fewer than two on average, however the slots are used.
 */
export function bucketMask(capacity: number): number {
  return capacity < 2 ? 0 : 2 ** (31 - Math.clz32(capacity)) - 1;
}

/** Number of the word that names the first list of a bucket. Buckets are numbered from 0 and stand in the records from 0 on. */
export function bucketAt(bucket: number): number {
  return (bucket << RECORD_SHIFT) + BUCKET;
}

/**
 * Number of the word that names the first list of a key's bucket: Knuth's multiplicative hashing, with the odd number next
 * to 2^32 divided by the golden ratio, once for each half of the key. Products mix upwards only, so the upper bits are
 * brought down in between and at the end.
 */
export function bucketWord(tag: number, memoryIndex: number, mask: number): number {
  const hash = Math.imul(tag ^ Math.imul(memoryIndex, 0x9e3779b1), 0x9e3779b1);
  return bucketAt((hash ^ (hash >>> 15)) & mask);
}
