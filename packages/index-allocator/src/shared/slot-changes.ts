/**
 * How a slot of a shard changes hands. Every function wants the lock held, and is written so that the holder's word and the
 * record tell the truth wherever the thread should end:
 *
 * - taking: first the holder, then the lists, then the record. Ended behind the first step, the slot is a dead thread's;
 * - giving back: first the record, then the lists, then the holder. Ended before the last step, likewise.
 */
import { findList, popNewestAffine, popOldestAffine } from '../lists.js';
import { recordOf, slotAt } from '../records.js';
import { leaveWarm, makeWarm, markUsed } from '../slot-states.js';
import {
  BYTES_LOW,
  INDEX_AND_HIGH,
  NEWER,
  RING,
  TAG,
  TAG_MASK,
  TOUCHED_SLOTS,
  WARM_SLOTS,
} from '../state.js';
import { tryAddUnusedBytes } from '../unused-bytes.js';
import { UNKNOWN } from './holders.js';
import type { Shard } from './shard.js';

/** Takes a slot that is not affine, as the warm limit says, for a key or, with 0, for nobody; -1 if all are used. */
export function takeAny(shard: Shard, thread: number, tag: number, memoryIndex: number): number {
  // Below the limit warm slots are spared, for their modules may come back.
  if (shard.words[WARM_SLOTS]! < shard.warmLimit) {
    const slot = takeCold(shard, thread, tag, memoryIndex);
    return slot === -1 ? takeOldest(shard, thread, tag, memoryIndex) : slot;
  }
  const slot = takeOldest(shard, thread, tag, memoryIndex);
  return slot === -1 ? takeCold(shard, thread, tag, memoryIndex) : slot;
}

/** Takes the most recently freed slot of a key, and notes what it is for now; -1 if there is none. */
export function takeAffine(
  shard: Shard,
  thread: number,
  tag: number,
  memoryIndex: number,
  newTag: number,
  newMemoryIndex: number,
): number {
  const { words } = shard;
  const linkWord = findList(words, tag, memoryIndex, shard.shift);
  const at = words[linkWord]!;
  if (at === 0) return -1;
  const slot = takeNewest(words, shard.holders, at, linkWord, thread);
  markUsed(words, at, newTag, newMemoryIndex);
  return slot;
}

/** Takes the newest slot of the list that a word names. The record is still to be marked. */
export function takeNewest(
  words: Int32Array,
  holders: Int32Array,
  at: number,
  linkWord: number,
  thread: number,
): number {
  const slot = slotAt(at);
  hold(holders, slot, thread);
  popNewestAffine(words, at, linkWord);
  leaveWarm(words, at);
  return slot;
}

/** Takes the least recently freed slot; -1 if none is warm. */
export function takeOldest(shard: Shard, thread: number, tag: number, memoryIndex: number): number {
  const { words } = shard;
  const at = words[RING + NEWER]!;
  if (at === RING) return -1;
  hold(shard.holders, slotAt(at), thread);
  if (words[at + TAG] !== 0) popOldestAffine(words, at, shard.shift);
  leaveWarm(words, at);
  markUsed(words, at, tag, memoryIndex);
  return slotAt(at);
}

/** Takes the lowest slot that was never used; -1 if there is none. */
function takeCold(shard: Shard, thread: number, tag: number, memoryIndex: number): number {
  const { words } = shard;
  const slot = words[TOUCHED_SLOTS]!;
  if (slot >= shard.capacity) return -1;
  // First: whoever rebuilds looks at touched slots only.
  words[TOUCHED_SLOTS] = slot + 1;
  hold(shard.holders, slot, thread);
  markUsed(words, recordOf(slot), tag, memoryIndex);
  return slot;
}

/** Gives back a slot that the thread holds. */
export function giveBack(shard: Shard, slot: number, low: number, high: number): void {
  const { words, holders } = shard;
  makeFree(words, recordOf(slot), low, high, shard.shift);
  holders[slot] = 0;
}

/** Puts a slot on the lists that is free already, as its record says, or that was handed over. */
export function enlist(shard: Shard, slot: number, holder: number): void {
  const { words, holders } = shard;
  const at = recordOf(slot);
  makeFree(words, at, words[at + BYTES_LOW]!, words[at + INDEX_AND_HIGH]! >>> 16, shard.shift);
  if (holder < 0) holders[slot] = 0;
}

/** Gives back a slot of which nobody can say what is in it, for nobody and with nothing resident. */
export function enlistUnknown(shard: Shard, slot: number): void {
  const { words, holders } = shard;
  const at = recordOf(slot);
  // Not marked as used: ended behind it, whoever rebuilds finds the slot so, and comes here again.
  words[at + TAG] = 0;
  words[at + INDEX_AND_HIGH] = 0;
  makeFree(words, at, 0, 0, shard.shift);
  holders[slot] = UNKNOWN;
}

/** Puts a slot on the lists, for the key that its record names. */
function makeFree(words: Int32Array, at: number, low: number, high: number, shift: number): void {
  const tag = words[at + TAG]! & TAG_MASK;
  words[WARM_SLOTS] = words[WARM_SLOTS]! + 1;
  if (tryAddUnusedBytes(words, low, high)) makeWarm(words, at, tag, low, high, shift);
  // A slot that was handed over cannot be refused, so none is: it counts as empty.
  else makeWarm(words, at, tag, 0, 0, shift);
}

/** A slot of which nobody knows what is in it stays one until its holder has freed it. */
function hold(holders: Int32Array, slot: number, thread: number): void {
  holders[slot] = thread | (holders[slot]! & UNKNOWN);
}
