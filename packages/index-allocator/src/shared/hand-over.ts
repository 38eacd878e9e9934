/**
 * Slots of another shard come back without its lock: whoever frees them must not stand in the way of whoever allocates there, least of
 * all preempted with the lock in hand.
 *
 * That a slot was handed over is said by its holder's word, in one exchange. The bits only say where to look: a set bit may be
 * stale, and a bit that a thread did not live to set is made up for by whoever looks after the dead. So nothing depends on
 * how far a thread came, and no link can be torn. A batch costs an exchange a slot, and at best three `or`s in all:
 *
 * ```
 *  root    a bit for each stretch of words of `groups`   one word
 *  groups  a bit for each word of `bits`                 1,024 slots a word
 *  bits    a bit for each slot                           32 slots a word
 * ```
 *
 * Bits are set from below and read from above, so a thread that reads an upper one finds the lower ones set.
 */
import { recordOf } from '../records.js';
import { BYTES_LOW, INDEX_AND_HIGH, MAX_MEMORY_INDEX } from '../state.js';
import { HANDED, isHeldBy } from './holders.js';
import type { Shard } from './shard.js';
import { HANDED_ROOT } from './words.js';
import { enlist } from './slot-changes.js';

/** Hands a slot over that the thread holds; `false`, and nothing is changed, if it does not hold it. */
export function handOver(shard: Shard, slot: number, thread: number, low: number, high: number): boolean {
  const { holders, words } = shard;
  const holder = Atomics.load(holders, slot);
  if (!isHeldBy(holder, thread)) return false;
  // As long as the thread holds the slot, this part of the record is its own.
  const at = recordOf(slot);
  words[at + INDEX_AND_HIGH] = (words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX) | (high << 16);
  words[at + BYTES_LOW] = low;
  return Atomics.compareExchange(holders, slot, holder, HANDED | thread) === holder;
}

/** Sets the bits of slots that were handed over: those of one word of `bits`. */
export function announce(shard: Shard, word: number, mask: number): void {
  const group = word >>> 5;
  Atomics.or(shard.bits, word, mask);
  Atomics.or(shard.groups, group, 1 << (word & 31));
  Atomics.or(shard.control, HANDED_ROOT, 1 << rootBit(shard, group));
}

/** Whether somebody has handed slots over lately. Not an atomic read: what it misses is found by the next look. */
export function isHandedTo({ control }: Shard): boolean {
  return control[HANDED_ROOT] !== 0;
}

/** Puts what was handed over on the shard's lists; `false` if there was no word of any. The lock must be held. */
export function collect(shard: Shard): boolean {
  const stretch = stretchOf(shard);
  let root = Atomics.exchange(shard.control, HANDED_ROOT, 0);
  if (root === 0) return false;
  for (; root !== 0; root &= root - 1) {
    const first = lowestBit(root) * stretch;
    const end = Math.min(first + stretch, shard.groups.length);
    for (let group = first; group < end; group++) collectGroup(shard, group);
  }
  return true;
}

function collectGroup(shard: Shard, group: number): void {
  if (Atomics.load(shard.groups, group) === 0) return;
  let words = Atomics.exchange(shard.groups, group, 0);
  for (; words !== 0; words &= words - 1) {
    const word = (group << 5) + lowestBit(words);
    let slots = Atomics.exchange(shard.bits, word, 0);
    for (; slots !== 0; slots &= slots - 1) {
      const slot = (word << 5) + lowestBit(slots);
      const holder = Atomics.load(shard.holders, slot);
      if (holder < 0) enlist(shard, slot, holder);
    }
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** Words of `groups` that one bit of the root stands for. */
function stretchOf({ groups }: Shard): number {
  return (groups.length + 31) >>> 5;
}

function rootBit(shard: Shard, group: number): number {
  return Math.trunc(group / stretchOf(shard));
}
