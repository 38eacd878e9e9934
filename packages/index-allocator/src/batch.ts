/** What makes `freeMany` all or nothing: read everything first, then claim everything or give all claims back. */
import { invalidArgType, isReadable } from '@guardstripe/common';
import { checkIndex } from './checks.js';
import { SlotNotInUseError } from './errors.js';
import { recordOf } from './records.js';
import { TAG, TAG_MASK, UNUSED_HIGH, UNUSED_LOW, USED_BIT } from './state.js';
import type { FreedSlot } from './types.js';
import { addUnusedBytes, highPart } from './unused-bytes.js';

/** One item of a batch, read once and checked. */
export interface BatchItem {
  readonly slot: number;
  /** Lower 32 bits of the resident bytes, signed. */
  readonly low: number;
  /** Upper 16 bits of the resident bytes. */
  readonly high: number;
}

/** Whether a slot is in somebody's hands. The tag of a cold slot is 0, so the used bit alone says it. */
export function isUsedSlot(words: Int32Array, slot: number): boolean {
  return words[recordOf(slot) + TAG]! < 0;
}

/** Copies a batch, so that the caller's getters and iterators run once, and before the first change. */
export function readBatch(items: Iterable<FreedSlot>, capacity: number): BatchItem[] {
  if (
    typeof items !== 'object' ||
    items === null ||
    !isReadable(items) ||
    typeof items[Symbol.iterator] !== 'function'
  ) {
    throw invalidArgType('items', 'an iterable of objects with slot and bytesResident', items);
  }
  const batch: BatchItem[] = [];
  for (const item of items) {
    if (typeof item !== 'object' || item === null || !isReadable(item)) {
      throw invalidArgType(`items[${batch.length}]`, 'of type object, with slot and bytesResident', item);
    }
    const { slot, bytesResident } = item;
    checkIndex(slot, `items[${batch.length}].slot`, capacity - 1);
    const high = highPart(bytesResident, `items[${batch.length}].bytesResident`);
    batch.push({ slot, low: bytesResident | 0, high });
  }
  return batch;
}

/**
 * Clears the used bit of every slot of a batch, and adds up its bytes. A slot that is not used, or occurs twice, or a sum
 * that is too large puts everything back and throws.
 */
export function claimBatch(words: Int32Array, batch: readonly BatchItem[]): void {
  const unusedLow = words[UNUSED_LOW]!;
  const unusedHigh = words[UNUSED_HIGH]!;
  let numClaimed = 0;
  try {
    for (const { slot, low, high } of batch) {
      if (!isUsedSlot(words, slot)) throw new SlotNotInUseError(slot, `items[${numClaimed}].slot`);
      addUnusedBytes(words, low, high);
      words[recordOf(slot) + TAG] = words[recordOf(slot) + TAG]! & TAG_MASK;
      numClaimed++;
    }
  } catch (error) {
    for (const { slot } of batch.slice(0, numClaimed)) {
      words[recordOf(slot) + TAG] = words[recordOf(slot) + TAG]! | USED_BIT;
    }
    words[UNUSED_LOW] = unusedLow;
    words[UNUSED_HIGH] = unusedHigh;
    throw error;
  }
}
