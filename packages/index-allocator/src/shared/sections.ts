/**
 * What is done with a shard's lock in hand, from taking it to letting go. A call that is broken off in between (the stack may
 * be too small) leaves a rebuilt shard, and the slot it had in hand as unknown; or, if not even that can be done, its lock, which
 * the thread's next call takes over.
 */
import { checkState } from '../consistency.js';
import { InconsistentStateError } from '../errors.js';
import { findList } from '../lists.js';
import { recordOf } from '../records.js';
import { TAG, TOUCHED_SLOTS, USED_BIT, WARM_SLOTS } from '../state.js';
import { readUnusedBytes } from '../unused-bytes.js';
import { collect, isHandedTo } from './hand-over.js';
import { HANDED, isHeld, isHeldBy, THREAD_MASK, UNKNOWN } from './holders.js';
import { lock, unlock } from './lock.js';
import { rebuild } from './rebuild.js';
import { LOCK } from './words.js';
import type { Shard } from './shard.js';
import {
  enlist,
  enlistUnknown,
  giveBack,
  takeAffine,
  takeAny,
  takeNewest,
  takeOldest,
} from './slot-changes.js';
import type { Me } from '../threads/threads.js';

/** Takes a slot; -1 if the shard is full. */
export function takeFrom(shard: Shard, me: Me, tag: number, memoryIndex: number): number {
  const { words, holders } = shard;
  let slot = -1;
  lock(shard, me);
  try {
    if (isHandedTo(shard)) collect(shard);
    // No list is nobody's, so for nobody none is found.
    const linkWord = findList(words, tag, memoryIndex, shard.shift);
    const at = words[linkWord]!;
    if (at === 0) {
      slot = takeOther(shard, me.self, tag, memoryIndex);
    } else {
      slot = takeNewest(words, holders, at, linkWord, me.self);
      words[at + TAG] = tag | USED_BIT;
    }
    unlock(shard);
    return slot;
  } catch (error) {
    throw brokenOff(shard, me, error, slot);
  }
}

/** Takes a slot that is not affine, as far as the lists say; -1 if the shard is full. */
function takeOther(shard: Shard, thread: number, tag: number, memoryIndex: number): number {
  const slot = takeAny(shard, thread, tag, memoryIndex);
  // "Full" is said only after a look that misses nothing.
  if (slot !== -1 || !collect(shard)) return slot;
  const affine = takeAffine(shard, thread, tag, memoryIndex, tag, memoryIndex);
  return affine === -1 ? takeAny(shard, thread, tag, memoryIndex) : affine;
}

/** Gives a slot back; `false`, and nothing is changed, if the thread does not hold it. */
export function freeTo(shard: Shard, me: Me, slot: number, low: number, high: number): boolean {
  lock(shard, me);
  try {
    const isOurs = isHeldBy(shard.holders[slot]!, me.self);
    if (isOurs) giveBack(shard, slot, low, high);
    unlock(shard);
    return isOurs;
  } catch (error) {
    throw brokenOff(shard, me, error);
  }
}

/** Takes a slot of a key for nobody; -1 if there is none. */
export function purgeFrom(shard: Shard, me: Me, tag: number, memoryIndex: number): number {
  return lockedTake(shard, me, () => takeAffine(shard, me.self, tag, memoryIndex, 0, 0));
}

/** Takes the least recently freed slot for nobody; -1 if none is warm. */
export function takeOldestFrom(shard: Shard, me: Me): number {
  return lockedTake(shard, me, () => takeOldest(shard, me.self, 0, 0));
}

/** Makes a slot the calling thread's that was `from`'s; `false`, and nothing is changed, if it was not. */
export function adoptIn(shard: Shard, me: Me, slot: number, from: number): boolean {
  return locked(shard, me, () => {
    const holder = Atomics.load(shard.holders, slot);
    if (!isHeldBy(holder, from)) return false;
    // The other thread may be handing it over at this moment, for which it needs no lock.
    const adopted = me.self | (holder & UNKNOWN);
    return Atomics.compareExchange(shard.holders, slot, holder, adopted) === holder;
  });
}

/** Takes away what a thread held that has ended, or is leaving; returns the number of slots. */
export function reclaimFrom(shard: Shard, me: Me, thread: number): number {
  if (!holdsAny(shard, thread)) return 0;
  return locked(shard, me, () => {
    let numSlots = 0;
    for (let slot = 0; slot < shard.words[TOUCHED_SLOTS]!; slot++) {
      const holder = Atomics.load(shard.holders, slot);
      if ((holder & THREAD_MASK) !== thread) continue;
      // Handed over and not announced: the record was written before.
      if (holder < 0) enlist(shard, slot, holder);
      else enlistUnknown(shard, slot);
      numSlots++;
    }
    return numSlots;
  });
}

/** A thread that has ended takes no more slots, so this needs no lock. */
function holdsAny({ holders, words }: Shard, thread: number): boolean {
  const touched = Atomics.load(words, TOUCHED_SLOTS);
  for (let slot = 0; slot < touched; slot++) {
    if ((Atomics.load(holders, slot) & THREAD_MASK) === thread) return true;
  }
  return false;
}

/** What a shard has, at one moment. */
export interface ShardCounts {
  readonly used: number;
  readonly warm: number;
  readonly unusedBytes: number;
}

export function countIn(shard: Shard, me: Me): ShardCounts {
  return locked(shard, me, () => {
    const { words } = shard;
    const warm = words[WARM_SLOTS]!;
    return { used: words[TOUCHED_SLOTS]! - warm, warm, unusedBytes: readUnusedBytes(words) };
  });
}

/** Checks every rule of a shard. */
export function checkShard(shard: Shard, me: Me): void {
  const broken = locked(shard, me, () => {
    try {
      checkState(shard.words, shard.capacity, shard.warmLimit);
      checkHolders(shard);
      return undefined;
    } catch (error) {
      if (error instanceof InconsistentStateError) return error;
      throw error;
    }
  });
  if (broken !== undefined) throw broken;
}

/** Records and holders say the same: only used slots are held, or handed over this very moment. */
function checkHolders({ words, holders, capacity }: Shard): void {
  for (let slot = 0; slot < capacity; slot++) {
    const holder = Atomics.load(holders, slot);
    const isUsed = words[recordOf(slot) + TAG]! < 0;
    if (isUsed === (isHeld(holder) || (holder & HANDED) !== 0)) continue;
    const found = `slot ${slot} is ${isUsed ? 'used' : 'free'}, its holder's word ${holder}`;
    throw new InconsistentStateError('holder', found);
  }
}

function locked<T>(shard: Shard, me: Me, section: () => T): T {
  lock(shard, me);
  try {
    collect(shard);
    const result = section();
    unlock(shard);
    return result;
  } catch (error) {
    throw brokenOff(shard, me, error);
  }
}

/** The same for what takes a slot: broken off while it lets go, it has one that its caller will not hear of. */
function lockedTake(shard: Shard, me: Me, take: () => number): number {
  let slot = -1;
  lock(shard, me);
  try {
    collect(shard);
    slot = take();
    unlock(shard);
    return slot;
  } catch (error) {
    throw brokenOff(shard, me, error, slot);
  }
}

/** Mends what a call left that was broken off, and gives back the slot that its caller will not hear of. */
function brokenOff(shard: Shard, me: Me, error: unknown, slot = -1): unknown {
  if ((Atomics.load(shard.control, LOCK) & THREAD_MASK) !== me.self) return error;
  try {
    rebuild(shard);
    if (slot !== -1 && isHeldBy(shard.holders[slot]!, me.self)) enlistUnknown(shard, slot);
    unlock(shard);
  } catch {
    // The lock stays taken; see lock.ts for what this thread's next call does about it.
  }
  return error;
}
