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
 * The state is one typed array, see `state.ts`; the lists in it are in `lists.ts`. This file holds the policy and the checks.
 */
import { openWords, stampSettings } from './attach.js';
import { checkInteger, checkKey, checkMemoryIndex, checkModuleId } from './checks.js';
import { checkState } from './consistency.js';
import { ArgumentTypeError, OutOfRangeError, SlotNotInUseError, StateDetachedError } from './errors.js';
import {
  appendAffine,
  appendWarm,
  findList,
  oldestWarm,
  popNewestAffine,
  popOldestAffine,
  unlinkWarm,
} from './lists.js';
import {
  bucketMask,
  BYTES_LOW,
  HIGH_UNIT,
  INDEX_AND_HIGH,
  MAX_CAPACITY,
  MAX_MEMORY_INDEX,
  MAX_SLOT_BYTES_RESIDENT,
  recordAt,
  TAG,
  TAG_MASK,
  TOUCHED_SLOTS,
  UNUSED_HIGH,
  UNUSED_LOW,
  USED_BIT,
  WARM_SLOTS,
} from './state.js';
import type { AllocatorOptions, FreedSlot, MemoryKey } from './types.js';

/**
 * Hands out slots, numbered from 0, so that a module finds the slots again that it used last.
 *
 * `alloc` takes, for a key, the most recently freed slot of the same key. Without one, and as long as fewer than
 * `maxUnusedWarmSlots` slots are warm (used before and free now), it takes the lowest cold slot (never used), else
 * the least recently freed warm one; at the limit it is the other way round. Every call takes constant time.
 *
 * The state is one typed array of 32 bytes a slot; there are no objects a slot, and the garbage collector has nothing to walk. One thread may
 * use it at a time.
 */
export class ModuleAffinityIndexAllocator {
  /** Number of slots. */
  readonly capacity: number;
  /** As many warm slots are left alone before they are reused for other keys; at most `capacity`. */
  readonly maxUnusedWarmSlots: number;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #bucketMask: number;

  /**
   * Makes an empty allocator, or takes up the one in `options.buffer`. A new state costs no time, whatever the capacity:
   * the kernel's zero pages are the empty state. A buffer that was handed in is checked first, once over all slots.
   *
   * @param capacity number of slots, an integer from 0 to 134,217,727 (`MAX_CAPACITY`)
   * @param maxUnusedWarmSlots the warm limit, a non-negative integer; what exceeds the capacity means the capacity
   * @param options where the state lives
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if an argument has the wrong type
   * @throws {RangeError} `ERR_OUT_OF_RANGE` if a number is out of range, `ERR_INVALID_ARG_VALUE` if the buffer does not fit
   * @throws {StateAllocationError} `ERR_MEMORY_ALLOCATION_FAILED` if there is no memory for the state
   * @throws {InconsistentStateError} `ERR_INCONSISTENT_STATE` if the buffer holds something else
   */
  constructor(capacity: number, maxUnusedWarmSlots: number, options: AllocatorOptions = {}) {
    checkInteger(capacity, 'capacity', MAX_CAPACITY);
    checkInteger(maxUnusedWarmSlots, 'maxUnusedWarmSlots', Number.MAX_SAFE_INTEGER);
    this.capacity = capacity;
    // With every slot warm no cold one is left, and both orders pick the same: a higher limit changes nothing.
    this.maxUnusedWarmSlots = Math.min(maxUnusedWarmSlots, capacity);
    this.#bucketMask = bucketMask(capacity);
    const given = openWords(capacity, options);
    stampSettings(given.words, capacity, this.maxUnusedWarmSlots);
    if (!given.fresh) checkState(given.words, capacity, this.maxUnusedWarmSlots);
    this.#words = given.words;
  }

  /** The memory of the state: 64 bytes, and 32 for each slot. Writing into it breaks the allocator. */
  get buffer(): ArrayBufferLike {
    return this.#words.buffer;
  }

  /** Number of used slots, from 0 to `capacity`. */
  get length(): number {
    const words = this.#liveWords();
    return words[TOUCHED_SLOTS]! - words[WARM_SLOTS]!;
  }

  /** Whether no slot is used. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Number of warm slots: used before, free now. May exceed `maxUnusedWarmSlots`, for freeing never refuses. */
  get unusedWarmSlots(): number {
    return this.#liveWords()[WARM_SLOTS]!;
  }

  /** Bytes that stay in RAM in warm slots: the sum of what they were freed with. */
  get unusedBytesResident(): number {
    return readUnusedBytes(this.#liveWords());
  }

  /**
   * Takes a slot.
   *
   * @param forMemory what it is for; without it no slot is affine, and none will be later
   * @returns the slot's index, or `undefined` if all slots are used
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if the key or one of its fields has the wrong type
   * @throws {RangeError} `ERR_OUT_OF_RANGE` if a field of the key is out of range
   */
  alloc(forMemory?: MemoryKey): number | undefined {
    if (forMemory === undefined) return this.#takeAny(this.#liveWords(), 0, 0);
    checkKey(forMemory);
    const { moduleId, memoryIndex } = forMemory;
    checkModuleId(moduleId);
    checkMemoryIndex(memoryIndex);
    const words = this.#liveWords();
    const tag = moduleId + 1;
    const record = this.#takeAffine(words, tag, memoryIndex);
    if (record === 0) return this.#takeAny(words, tag, memoryIndex);
    const at = recordAt(record);
    words[at + TAG] = tag | USED_BIT;
    return record - 1;
  }

  /**
   * Takes the most recently freed slot of this very key, and forgets the key: the slot will be affine to nobody when it is
   * freed. Called until it returns `undefined`, it finds all slots that a module has left behind.
   *
   * @param key what the slot was last used for
   * @returns the slot's index, or `undefined` if no warm slot has this key
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if the key or one of its fields has the wrong type
   * @throws {RangeError} `ERR_OUT_OF_RANGE` if a field of the key is out of range
   */
  allocAffineAndClearAffinity(key: MemoryKey): number | undefined {
    checkKey(key);
    const { moduleId, memoryIndex } = key;
    checkModuleId(moduleId);
    checkMemoryIndex(memoryIndex);
    const words = this.#liveWords();
    const record = this.#takeAffine(words, moduleId + 1, memoryIndex);
    if (record === 0) return undefined;
    this.#markUsed(words, record, 0, 0);
    return record - 1;
  }

  /**
   * Gives a slot back. It becomes warm: the most recently freed of all and of its key.
   *
   * @param slot index of a used slot
   * @param bytesResident bytes that stay in RAM while it is unused, an integer from 0 to 2^48 - 1
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if an argument is not a number
   * @throws {RangeError} `ERR_OUT_OF_RANGE` if the slot does not exist, or the bytes or their sum over all slots are out of range
   * @throws {SlotNotInUseError} `ERR_SLOT_NOT_IN_USE` if the slot is free. In each case nothing has changed
   */
  free(slot: number, bytesResident: number): void {
    this.#checkSlot(slot, 'slot');
    checkInteger(bytesResident, 'bytesResident', MAX_SLOT_BYTES_RESIDENT);
    const words = this.#liveWords();
    if (!isUsedSlot(words, slot)) throw new SlotNotInUseError(slot);
    const unusedBytes = readUnusedBytes(words) + bytesResident;
    checkUnusedBytes(unusedBytes);
    words[recordAt(slot + 1) + TAG]! &= TAG_MASK;
    this.#makeWarm(words, slot + 1, bytesResident);
    words[WARM_SLOTS]!++;
    writeUnusedBytes(words, unusedBytes);
  }

  /**
   * Gives several slots back, in the given order: all of them or, if one is bad, none. A slot that occurs twice is bad.
   *
   * @param items the slots and the bytes that stay in RAM in each
   * @throws what `free` throws, naming the item, as in `items[2].slot`. In each case nothing has changed
   */
  freeMany(items: Iterable<FreedSlot>): void {
    const batch = this.#readBatch(items);
    const words = this.#liveWords();
    let unusedBytes = readUnusedBytes(words);
    // Each number is below 2^48, so the first sum past the safe integers is still exact enough to be seen.
    for (let i = 1; i < batch.length; i += 2) {
      unusedBytes += batch[i]!;
      checkUnusedBytes(unusedBytes);
    }
    claimBatch(words, batch);
    for (let i = 0; i < batch.length; i += 2) this.#makeWarm(words, batch[i]! + 1, batch[i + 1]!);
    words[WARM_SLOTS]! += batch.length / 2;
    writeUnusedBytes(words, unusedBytes);
  }

  /**
   * Whether a slot is in somebody's hands.
   *
   * @param slot index of a slot
   * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if it is not a number
   * @throws {RangeError} `ERR_OUT_OF_RANGE` if there is no such slot
   */
  isUsed(slot: number): boolean {
    this.#checkSlot(slot, 'slot');
    return isUsedSlot(this.#liveWords(), slot);
  }

  /**
   * Checks every rule of the state: used + warm + cold = capacity; each warm slot on the warm list exactly once, and exactly once on its
   * affinity list if it has a key; the counters. Takes time and memory in proportion to the capacity.
   *
   * @throws {InconsistentStateError} `ERR_INCONSISTENT_STATE` with the name of the broken rule in `rule`
   */
  checkConsistency(): void {
    checkState(this.#liveWords(), this.capacity, this.maxUnusedWarmSlots);
  }

  /** The words, or an error if somebody has transferred their buffer away: then every read would be `undefined`. */
  #liveWords(): Int32Array<ArrayBufferLike> {
    const words = this.#words;
    if (words.length === 0) throw new StateDetachedError();
    return words;
  }

  #checkSlot(slot: unknown, field: string): asserts slot is number {
    checkInteger(slot, field, this.capacity - 1);
  }

  /** Takes the most recently freed slot of a key off all lists: what is still in RAM there is the most. */
  #takeAffine(words: Int32Array, tag: number, memoryIndex: number): number {
    const linkWord = findList(words, tag, memoryIndex, this.#bucketMask);
    const record = words[linkWord]!;
    if (record === 0) return 0;
    popNewestAffine(words, linkWord);
    leaveWarm(words, record);
    return record;
  }

  /** Takes a slot that is not affine, as the warm limit says, and marks it used. */
  #takeAny(words: Int32Array, tag: number, memoryIndex: number): number | undefined {
    const belowLimit = words[WARM_SLOTS]! < this.maxUnusedWarmSlots;
    // Below the limit warm slots are spared, for their modules may come back.
    let record = belowLimit ? this.#takeCold(words) : this.#takeOldest(words);
    if (record === 0) record = belowLimit ? this.#takeOldest(words) : this.#takeCold(words);
    if (record === 0) return undefined;
    this.#markUsed(words, record, tag, memoryIndex);
    return record - 1;
  }

  /** Takes the lowest cold slot: the touched part of the slab stays in one piece. */
  #takeCold(words: Int32Array): number {
    const touched = words[TOUCHED_SLOTS]!;
    if (touched >= this.capacity) return 0;
    words[TOUCHED_SLOTS] = touched + 1;
    return touched + 1;
  }

  /** Evicts the least recently freed slot: its module is the least likely to come back. */
  #takeOldest(words: Int32Array): number {
    const record = oldestWarm(words);
    if (record === 0) return 0;
    const at = recordAt(record);
    const tag = words[at + TAG]!;
    const memoryIndex = words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX;
    if (tag !== 0) popOldestAffine(words, record, tag, memoryIndex, this.#bucketMask);
    leaveWarm(words, record);
    return record;
  }

  #markUsed(words: Int32Array, record: number, tag: number, memoryIndex: number): void {
    const at = recordAt(record);
    words[at + TAG] = tag | USED_BIT;
    words[at + INDEX_AND_HIGH] = memoryIndex;
  }

  /** Puts a slot whose used bit is cleared on its lists. The counters are the caller's. */
  #makeWarm(words: Int32Array, record: number, bytesResident: number): void {
    const at = recordAt(record);
    const tag = words[at + TAG]!;
    const memoryIndex = words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX;
    words[at + INDEX_AND_HIGH] = memoryIndex | ((bytesResident / HIGH_UNIT) << 16);
    words[at + BYTES_LOW] = bytesResident;
    appendWarm(words, record);
    if (tag !== 0) appendAffine(words, record, tag, memoryIndex, this.#bucketMask);
  }

  /** Copies a batch into numbers, `[slot, bytes, slot, bytes, ...]`: getters and iterators run before the first change, and once. */
  #readBatch(items: Iterable<FreedSlot>): number[] {
    if (typeof items !== 'object' || items === null || typeof items[Symbol.iterator] !== 'function') {
      throw new ArgumentTypeError('items', 'an iterable of objects with slot and bytesResident', items);
    }
    const batch: number[] = [];
    for (const item of items) {
      const field = `items[${batch.length / 2}]`;
      if (typeof item !== 'object' || item === null) {
        throw new ArgumentTypeError(field, 'an object with slot and bytesResident', item);
      }
      const { slot, bytesResident } = item;
      this.#checkSlot(slot, `${field}.slot`);
      checkInteger(bytesResident, `${field}.bytesResident`, MAX_SLOT_BYTES_RESIDENT);
      batch.push(slot, bytesResident);
    }
    return batch;
  }
}

/** Clears the used bit of every slot of a batch. At the first that is not used, or no longer, all are set again. */
function claimBatch(words: Int32Array, batch: readonly number[]): void {
  for (let i = 0; i < batch.length; i += 2) {
    const slot = batch[i]!;
    if (isUsedSlot(words, slot)) {
      words[recordAt(slot + 1) + TAG]! &= TAG_MASK;
      continue;
    }
    for (let claimed = 0; claimed < i; claimed += 2) words[recordAt(batch[claimed]! + 1) + TAG]! |= USED_BIT;
    throw new SlotNotInUseError(slot, `items[${i / 2}].slot`);
  }
}

/** Takes a record off the warm list and its bytes out of the sum. */
function leaveWarm(words: Int32Array, record: number): void {
  unlinkWarm(words, record);
  words[WARM_SLOTS]!--;
  const at = recordAt(record);
  const bytes = (words[at + INDEX_AND_HIGH]! >>> 16) * HIGH_UNIT + (words[at + BYTES_LOW]! >>> 0);
  writeUnusedBytes(words, readUnusedBytes(words) - bytes);
}

/** Cold slots have a record of zeros, so the used bit alone says it. */
function isUsedSlot(words: Int32Array, slot: number): boolean {
  return words[recordAt(slot + 1) + TAG]! < 0;
}

function readUnusedBytes(words: Int32Array): number {
  return words[UNUSED_HIGH]! * HIGH_UNIT + (words[UNUSED_LOW]! >>> 0);
}

function writeUnusedBytes(words: Int32Array, bytes: number): void {
  words[UNUSED_HIGH] = bytes / HIGH_UNIT;
  words[UNUSED_LOW] = bytes;
}

function checkUnusedBytes(bytes: number): void {
  if (bytes > Number.MAX_SAFE_INTEGER) {
    throw new OutOfRangeError('bytesResident', 'such that the sum over all unused slots is a safe integer', bytes);
  }
}
