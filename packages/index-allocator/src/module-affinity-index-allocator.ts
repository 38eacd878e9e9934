/**
 * The allocator: which slot to hand out, and what to note when one comes back.
 *
 * ```
 *            alloc                      free                    alloc
 *  cold ─────────────▶ used ─────────────────────▶ warm ─────────────────▶ used
 *  never taken,        key or none,                 key or none, resident   (affine: the newest of its key;
 *  lowest first        in somebody's hands          bytes, on its lists      evicted: the oldest of all)
 * ```
 *
 * The state is one typed array, see `state.ts`; the lists in it are in `lists.ts`. This file holds the policy
 * and the checks.
 */
import { checkFunction, checkInteger, showAs } from '@guardstripe/common';
import { openState } from './attach.js';
import { claimBatch, isUsedSlot, readBatch } from './batch.js';
import { badKey, checkIndex, isIndex, throwBadInteger, throwBadKeyPart, unreadableKey } from './checks.js';
import { checkState } from './consistency.js';
import { SlotNotInUseError, StateDetachedError } from './errors.js';
import { readKey } from './keys.js';
import { popOldestAffine } from './lists.js';
import { bucketShift, recordOf, slotAt } from './records.js';
import {
  MAX_CAPACITY,
  MAX_MEMORY_INDEX,
  MAX_MODULE_ID,
  NEWER,
  RING,
  TAG,
  TAG_MASK,
  TOUCHED_SLOTS,
  USED_BIT,
  WARM_SLOTS,
} from './state.js';
import { addUnusedBytes, highPart, readSlotBytes, readUnusedBytes, setSlotBytes } from './unused-bytes.js';
import type { AllocatorOptions, FreedSlot, MemoryKey } from './types.js';
import { leaveWarm, makeWarm, markUsed, takeAffine } from './slot-states.js';

/**
 * Hands out slots, numbered from 0, so that a module finds the slots again that it used last.
 *
 * `alloc` takes, for a key, the most recently freed slot of the same key. Without one, and as long as fewer than
 * `maxUnusedWarmSlots` slots are warm (used before and free now), it takes the lowest cold slot (never used), else
 * the least recently freed warm one; at the limit it is the other way round. Every call takes constant time.
 *
 * The state is one typed array of 32 bytes a slot; there are no objects a slot, and the garbage collector has nothing to
 * walk. One thread may use it at a time.
 */
export class ModuleAffinityIndexAllocator {
  /** Number of slots. */
  readonly capacity: number;
  /** As many warm slots are left alone before they are reused for other keys; at most `capacity`. */
  readonly maxUnusedWarmSlots: number;
  readonly #words: Int32Array;
  readonly #bucketShift: number;

  /**
   * Makes an empty allocator, or takes up the one in `options.buffer`. A new state costs no time, whatever the
   * capacity:
   * the kernel's zero pages are the empty state. A buffer that was handed in is checked first, once over all slots.
   *
   * @param capacity number of slots, an integer from 0 to 134,217,727 (`MAX_CAPACITY`)
   * @param maxUnusedWarmSlots the warm limit, a non-negative integer; what exceeds the capacity means the capacity
   * @param options where the state lives
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if an argument has the wrong type
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if a number is out of range, `ERR_INVALID_ARG_VALUE` if the buffer
   *   does not fit
   * @throws {@link StateAllocationError} `ERR_MEMORY_ALLOCATION_FAILED` if there is no memory for the state
   * @throws {@link InconsistentStateError} `ERR_INCONSISTENT_STATE` if the buffer holds something else
   */
  constructor(capacity: number, maxUnusedWarmSlots: number, options: AllocatorOptions = {}) {
    checkInteger(capacity, 'capacity', 0, MAX_CAPACITY);
    checkInteger(maxUnusedWarmSlots, 'maxUnusedWarmSlots');
    this.capacity = capacity;
    // With every slot warm no cold one is left, and both orders pick the same: a higher limit changes nothing.
    this.maxUnusedWarmSlots = Math.min(maxUnusedWarmSlots, capacity);
    this.#bucketShift = bucketShift(capacity);
    this.#words = openState(capacity, this.maxUnusedWarmSlots, options);
    showAs(this, () => `ModuleAffinityIndexAllocator { ${this.length} of ${capacity} slots used }`);
  }

  /** The memory of the state: 64 bytes, and 32 for each slot. Writing into it breaks the allocator. */
  get buffer(): ArrayBufferLike {
    return this.#words.buffer;
  }

  /** Number of used slots, from 0 to `capacity`. */
  get length(): number {
    const words = live(this.#words);
    return words[TOUCHED_SLOTS]! - words[WARM_SLOTS]!;
  }

  /** Whether no slot is used. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Number of warm slots: used before, free now. May exceed `maxUnusedWarmSlots`, for freeing never refuses. */
  get unusedWarmSlots(): number {
    return live(this.#words)[WARM_SLOTS]!;
  }

  /** Bytes that stay in RAM in warm slots: the sum of what they were freed with. */
  get unusedBytesResident(): number {
    return readUnusedBytes(live(this.#words));
  }

  /**
   * Takes a slot.
   *
   * @param forMemory what it is for; without it no slot is affine, and none will be later
   * @returns the slot's index, or `undefined` if all slots are used
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if the key or one of its fields has the wrong type
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if a field of the key is out of range
   */
  alloc(forMemory?: MemoryKey): number | undefined {
    const words = this.#words;
    if (words.length === 0) throwDetached();
    if (forMemory === undefined) return this.#takeAny(words, 0, 0);
    if (typeof forMemory !== 'object' || forMemory === null) throw badKey(forMemory);
    let moduleId: number;
    let memoryIndex: number;
    try {
      moduleId = forMemory.moduleId;
      memoryIndex = forMemory.memoryIndex;
    } catch (error) {
      throw unreadableKey(forMemory, error);
    }
    // What `readKey` does, in line: by a call of one predicate for both, alloc and free take 1 to 2.5 % longer.
    if (
      !isIndex(moduleId) ||
      moduleId > MAX_MODULE_ID ||
      !isIndex(memoryIndex) ||
      memoryIndex > MAX_MEMORY_INDEX
    ) {
      throwBadKeyPart(moduleId, memoryIndex);
    }
    const tag = moduleId + 1;
    const at = takeAffine(words, tag, memoryIndex, this.#bucketShift);
    if (at === 0) return this.#takeAny(words, tag, memoryIndex);
    words[at + TAG] = tag | USED_BIT;
    return slotAt(at);
  }

  /**
   * Takes the most recently freed slot of this very key, and forgets the key: the slot will be affine to nobody when it
   * is freed. Called until it returns `undefined`, it finds all slots that a module has left behind.
   *
   * @param key what the slot was last used for
   * @returns the slot's index, or `undefined` if no warm slot has this key
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if the key or one of its fields has the wrong type
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if a field of the key is out of range
   */
  allocAffineAndClearAffinity(key: MemoryKey): number | undefined {
    if (key === undefined) throw badKey(key);
    const { tag, memoryIndex } = readKey(key);
    const words = live(this.#words);
    const at = takeAffine(words, tag, memoryIndex, this.#bucketShift);
    if (at === 0) return undefined;
    markUsed(words, at, 0, 0);
    return slotAt(at);
  }

  /**
   * Takes the least recently freed of all warm slots, and forgets what it was for: to take from it what it still holds. Freed
   * again, it is the most recently freed one.
   *
   * @returns the slot's index, or `undefined` if no slot is warm
   */
  allocOldestWarm(): number | undefined {
    const words = live(this.#words);
    const at = this.#takeOldest(words);
    if (at === 0) return undefined;
    markUsed(words, at, 0, 0);
    return slotAt(at);
  }

  /**
   * Gives a slot back. It becomes warm: the most recently freed of all and of its key.
   *
   * @param slot index of a used slot
   * @param bytesResident bytes that stay in RAM while it is unused, an integer from 0 to 2^48 - 1
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if an argument is not a number
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if the slot does not exist, or the bytes or their sum over all
   *   slots are out of range
   * @throws {@link SlotNotInUseError} `ERR_SLOT_NOT_IN_USE` if the slot is free. In each case nothing has changed
   */
  free(slot: number, bytesResident: number): void {
    if (!isIndex(slot) || slot >= this.capacity) throwBadInteger(slot, 'slot', this.capacity - 1);
    const high = isIndex(bytesResident) ? 0 : highPart(bytesResident, 'bytesResident');
    const low = bytesResident | 0;
    const words = this.#words;
    if (words.length === 0) throwDetached();
    const at = recordOf(slot);
    const usedTag = words[at + TAG]!;
    if (usedTag >= 0) throw new SlotNotInUseError(slot);
    addUnusedBytes(words, low, high);
    words[WARM_SLOTS] = words[WARM_SLOTS]! + 1;
    makeWarm(words, at, usedTag & TAG_MASK, low, high, this.#bucketShift);
  }

  /**
   * Gives several slots back, in the given order: all of them or, if one is bad, none. A slot that occurs twice
   * is bad.
   *
   * @param items the slots and the bytes that stay in RAM in each
   * @throws what `free` throws, naming the item, as in `items[2].slot`. In each case nothing has changed
   */
  freeMany(items: Iterable<FreedSlot>): void {
    const batch = readBatch(items, this.capacity);
    const words = live(this.#words);
    claimBatch(words, batch);
    words[WARM_SLOTS] = words[WARM_SLOTS]! + batch.length;
    for (const { slot, low, high } of batch) {
      const at = recordOf(slot);
      makeWarm(words, at, words[at + TAG]!, low, high, this.#bucketShift);
    }
  }

  /**
   * Has warm slots give back what they keep in RAM, the least recently freed first, until all together keep at most
   * `maxBytes`. The slots stay warm, in their order, for their keys.
   *
   * @param maxBytes what may stay, an integer from 0 to 2^53 - 1
   * @param release called with a warm slot and the bytes that stay in RAM there; returns how many still do. It must not
   *   call the allocator. What it throws ends the walk, with the slots before done
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if an argument has the wrong type
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if a number is out of range, also one that `release` returns
   */
  trim(maxBytes: number, release: (slot: number, bytesResident: number) => number): void {
    checkInteger(maxBytes, 'maxBytes');
    checkFunction(release, 'release');
    const words = live(this.#words);
    for (let at = words[RING + NEWER]!; at !== RING; at = words[at + NEWER]!) {
      if (readUnusedBytes(words) <= maxBytes) return;
      const bytesResident = readSlotBytes(words, at);
      if (bytesResident > 0) setSlotBytes(words, at, release(slotAt(at), bytesResident));
    }
  }

  /**
   * Whether a slot is in somebody's hands.
   *
   * @param slot index of a slot
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if it is not a number
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if there is no such slot
   */
  isUsed(slot: number): boolean {
    checkIndex(slot, 'slot', this.capacity - 1);
    return isUsedSlot(live(this.#words), slot);
  }

  /**
   * Checks every rule of the state: used + warm + cold = capacity; each warm slot on the warm list exactly once, and
   * exactly once on its affinity list if it has a key; the counters. Takes time and memory in proportion to the capacity.
   *
   * @throws {@link InconsistentStateError} `ERR_INCONSISTENT_STATE` with the name of the broken rule in `rule`
   */
  checkConsistency(): void {
    checkState(live(this.#words), this.capacity, this.maxUnusedWarmSlots);
  }

  /** Takes a slot that is not affine, as the warm limit says, and marks it used. */
  #takeAny(words: Int32Array, tag: number, memoryIndex: number): number | undefined {
    const belowLimit = words[WARM_SLOTS]! < this.maxUnusedWarmSlots;
    // Below the limit warm slots are spared, for their modules may come back.
    let at = belowLimit ? this.#takeCold(words) : this.#takeOldest(words);
    if (at === 0) at = belowLimit ? this.#takeOldest(words) : this.#takeCold(words);
    if (at === 0) return undefined;
    markUsed(words, at, tag, memoryIndex);
    return slotAt(at);
  }

  /** Takes the lowest cold slot: the touched part of the slab stays in one piece. */
  #takeCold(words: Int32Array): number {
    const touched = words[TOUCHED_SLOTS]!;
    if (touched >= this.capacity) return 0;
    words[TOUCHED_SLOTS] = touched + 1;
    return recordOf(touched);
  }

  /** Evicts the least recently freed slot: its module is the least likely to come back. */
  #takeOldest(words: Int32Array): number {
    const at = words[RING + NEWER]!;
    if (at === RING) return 0;
    if (words[at + TAG] !== 0) popOldestAffine(words, at, this.#bucketShift);
    leaveWarm(words, at);
    return at;
  }
}

/** The words, or an error if somebody has transferred their buffer away: then every read would be `undefined`. */
function live(words: Int32Array): Int32Array {
  if (words.length === 0) throwDetached();
  return words;
}

function throwDetached(): never {
  throw new StateDetachedError();
}
