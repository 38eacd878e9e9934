/**
 * Makes a shard's lists, table and counts anew from what is true at every instruction: the holders, and the records of slots
 * that nobody holds. For whoever takes the lock over from a thread that ended, or whose call was broken off, with it in its hands.
 *
 * Run twice, or broken off and run again, it comes to the same. The warm slots then stand in the order of their numbers, for when
 * they were freed was said by the list alone.
 */
import { bucketAt, numBuckets, recordOf } from '../records.js';
import { NEWER, OLDER, RING, TAG, TOUCHED_SLOTS, UNUSED_HIGH, UNUSED_LOW, WARM_SLOTS } from '../state.js';
import { isHeld } from './holders.js';
import type { Shard } from './shard.js';
import { enlist, enlistUnknown } from './slot-changes.js';

/** The lock must be held. */
export function rebuild(shard: Shard): void {
  const { words, holders, capacity } = shard;
  words[RING + OLDER] = RING;
  words[RING + NEWER] = RING;
  words[WARM_SLOTS] = 0;
  words[UNUSED_LOW] = 0;
  words[UNUSED_HIGH] = 0;
  for (let bucket = 0; bucket < numBuckets(capacity); bucket++) words[bucketAt(bucket)] = 0;
  const touched = words[TOUCHED_SLOTS]!;
  for (let slot = 0; slot < touched; slot++) {
    const holder = Atomics.load(holders, slot);
    const isMarkedUsed = words[recordOf(slot) + TAG]! < 0;
    if (!isHeld(holder)) enlist(shard, slot, holder);
    // Held, but not marked: the broken call had this slot in hand. Its caller was never told that it has it, or has freed it.
    else if (!isMarkedUsed) enlistUnknown(shard, slot);
  }
}
