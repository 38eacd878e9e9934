/**
 * The count of bytes resident in warm slots, and each slot's part of it. Numbers beyond 32 bits are kept in two words and
 * added with a carry: integer steps, where a conversion to a double and back would cost more than all the rest of a call.
 */
import { checkInteger, outOfRange } from '@guardstripe/common';
import { isIndex } from './checks.js';
import {
  BYTES_LOW,
  HIGH_UNIT,
  INDEX_AND_HIGH,
  MAX_MEMORY_INDEX,
  MAX_SLOT_BYTES_RESIDENT,
  UNUSED_HIGH,
  UNUSED_HIGH_END,
  UNUSED_LOW,
} from './state.js';

/** Sum over the warm slots. */
export function readUnusedBytes(words: Int32Array): number {
  return words[UNUSED_HIGH]! * HIGH_UNIT + (words[UNUSED_LOW]! >>> 0);
}

/** Bytes resident in a warm slot, by the number of its record's first word. */
export function readSlotBytes(words: Int32Array, at: number): number {
  return (words[at + INDEX_AND_HIGH]! >>> 16) * HIGH_UNIT + (words[at | BYTES_LOW]! >>> 0);
}

/**
 * Upper part of a count of bytes; 0 without a division for all that fits 31 bits. Throws for what no slot can
 * have.
 */
export function highPart(bytes: unknown, field: string): number {
  if (isIndex(bytes)) return 0;
  checkInteger(bytes, field, 0, MAX_SLOT_BYTES_RESIDENT);
  return Math.trunc(bytes / HIGH_UNIT);
}

/**
 * Adds a slot's bytes to the sum.
 *
 * @throws `RangeError` `ERR_OUT_OF_RANGE` if the sum would not be a safe integer; nothing has changed
 */
export function addUnusedBytes(words: Int32Array, low: number, high: number): void {
  if (!tryAddUnusedBytes(words, low, high)) throw sumTooLarge(low, high);
}

/** Adds a slot's bytes to the sum; `false`, and nothing has changed, if that would not be a safe integer. */
export function tryAddUnusedBytes(words: Int32Array, low: number, high: number): boolean {
  const sumLow = (words[UNUSED_LOW]! + low) | 0;
  const carry = sumLow >>> 0 < low >>> 0 ? 1 : 0;
  const sumHigh = words[UNUSED_HIGH]! + high + carry;
  if (sumHigh >= UNUSED_HIGH_END) return false;
  words[UNUSED_LOW] = sumLow;
  words[UNUSED_HIGH] = sumHigh;
  return true;
}

/** Takes a slot's bytes out of the sum again. */
export function subtractUnusedBytes(words: Int32Array, low: number, high: number): void {
  const sumLow = words[UNUSED_LOW]!;
  const borrow = sumLow >>> 0 < low >>> 0 ? 1 : 0;
  words[UNUSED_LOW] = (sumLow - low) | 0;
  words[UNUSED_HIGH] = words[UNUSED_HIGH]! - high - borrow;
}

/**
 * Gives a warm slot another count of bytes, in its record and in the sum.
 *
 * @throws `RangeError` `ERR_OUT_OF_RANGE` for what no slot can have, or if the sum would not be a safe integer; nothing has changed
 */
export function setSlotBytes(words: Int32Array, at: number, bytes: number): void {
  const high = highPart(bytes, 'bytesResident');
  const low = bytes | 0;
  const before = words[at + INDEX_AND_HIGH]!;
  addUnusedBytes(words, low, high);
  subtractUnusedBytes(words, words[at + BYTES_LOW]!, before >>> 16);
  words[at + INDEX_AND_HIGH] = (before & MAX_MEMORY_INDEX) | (high << 16);
  words[at + BYTES_LOW] = low;
}

function sumTooLarge(low: number, high: number): RangeError {
  return outOfRange(
    'bytesResident',
    'such that unusedBytesResident, the sum over all unused slots, stays a safe integer',
    high * HIGH_UNIT + (low >>> 0),
  );
}
