/** The face of the shared allocator: checks what comes in, and looks after the waiting line. */
import { checkInteger, readOptions, showAs } from '@guardstripe/common';
import { readBatch } from '../batch.js';
import { checkIndex, isIndex, throwBadInteger } from '../checks.js';
import { AllocatorClosedError, SlotNotInUseError } from '../errors.js';
import { readGivenKey, readKey } from '../keys.js';
import { MAX_CAPACITY } from '../state.js';
import type { FreedSlot, MemoryKey } from '../types.js';
import { highPart } from '../unused-bytes.js';
import { announce, handOver } from './hand-over.js';
import { isHeld, isHeldBy, THREAD_MASK, UNKNOWN } from './holders.js';
import { callFirst, firstInLine, isLine, isLineNow } from './line.js';
import { makeShared, openShared, type SharedState } from './open-buffer.js';
import { numCores, readThreads, readWait, tellTaken } from './options.js';
import type { AttachOptions, SharedAllocatorHandle, SharedAllocatorOptions, WaitOptions } from './options.js';
import { isOvertaking, leaveSeat, sitDown } from './seats.js';
import { adoptIn, checkShard, freeTo, purgeFrom, takeFrom, takeOldestFrom } from './sections.js';
import { defaultShards } from './shape.js';
import { orUndefined, ShardSet } from './shard-set.js';
import type { Shard } from './shard.js';
import type { LockCounts, Me, Threads } from '../threads/threads.js';
import { Waiters } from './waiters.js';
import { MAX_SHARDS } from './words.js';

/**
 * A {@link ModuleAffinityIndexAllocator} for several threads of a process: the same policy in each of its shards, and whatever
 * a thread held comes back when it ends, wherever it was at that moment.
 * Every slot belongs to the thread that took it, which alone may free it.
 */
export class SharedIndexAllocator {
  /** Number of slots. */
  readonly capacity: number;
  /** As many warm slots are left alone, over all shards, before they are reused for other keys. */
  readonly maxUnusedWarmSlots: number;
  readonly #state: SharedState;
  readonly #head: Int32Array;
  readonly #me: Me;
  /** -1 when it was left. */
  #seat: number;
  readonly #shards: ShardSet;
  readonly #home: Shard;
  readonly #waiters: Waiters;
  #isClosed = false;

  private constructor(state: SharedState, threads: Threads) {
    this.#state = state;
    this.#head = state.head;
    this.capacity = state.capacity;
    this.maxUnusedWarmSlots = state.warmLimit;
    this.#me = readThreads(threads);
    this.#seat = sitDown(state.head, state.shards, this.#me);
    this.#shards = new ShardSet(state, this.#me);
    this.#home = this.#shards.home;
    this.#waiters = new Waiters(state.head, this.#seat, () => this.#shards.buryDead());
    showAs(this, () => `SharedIndexAllocator { ${this.capacity} slots in ${this.numShards} shards }`);
  }

  /**
   * Makes an empty one, and attaches the calling thread.
   *
   * @param capacity number of slots, an integer from 1 to 134,217,727 (`MAX_CAPACITY`)
   * @param maxUnusedWarmSlots the warm limit, a non-negative integer, dealt out to the shards
   * @param options who the threads are, and how many shards there are
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, `RangeError` `ERR_OUT_OF_RANGE` for a bad argument
   * @throws {@link StateAllocationError} `ERR_MEMORY_ALLOCATION_FAILED` if there is no memory for the state
   */
  static create(
    capacity: number,
    maxUnusedWarmSlots: number,
    options: SharedAllocatorOptions,
  ): SharedIndexAllocator {
    checkInteger(capacity, 'capacity', 1, MAX_CAPACITY);
    checkInteger(maxUnusedWarmSlots, 'maxUnusedWarmSlots');
    const given = readOptions(options ?? null, ['threads', 'numShards']);
    const { threads, numShards = defaultShards(capacity, numCores()) } = given;
    checkInteger(numShards, 'options.numShards', 1, MAX_SHARDS);
    const me = readThreads(threads);
    return new SharedIndexAllocator(makeShared(capacity, maxUnusedWarmSlots, numShards), me);
  }

  /**
   * Attaches the calling thread to an allocator that another one made.
   *
   * @param handle what {@link SharedIndexAllocator.share} gave
   * @param options who the threads are
   * @throws {@link StateBufferError} `ERR_INVALID_ARG_VALUE` if the buffer holds something else
   * @throws {@link TooManyThreadsError} `ERR_TOO_MANY_THREADS` if 1,024 attachments are in use
   */
  static attach(handle: SharedAllocatorHandle, options: AttachOptions): SharedIndexAllocator {
    const { indexAllocator } = readOptions(handle ?? null, ['indexAllocator'], 'handle');
    const { threads } = readOptions(options ?? null, ['threads']);
    return new SharedIndexAllocator(openShared(indexAllocator), readThreads(threads));
  }

  /** What another thread attaches with. */
  share(): SharedAllocatorHandle {
    return { indexAllocator: this.#state.buffer };
  }

  /** Number of shards. */
  get numShards(): number {
    return this.#state.shards.length;
  }

  /** Number of used slots; each shard is counted at another moment. */
  get length(): number {
    this.#checkOpen();
    return this.#shards.sum(({ used }) => used);
  }

  /** Whether no slot is used. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Number of warm slots: used before, free now. */
  get unusedWarmSlots(): number {
    this.#checkOpen();
    return this.#shards.sum(({ warm }) => warm);
  }

  /** Bytes that stay in RAM in warm slots. */
  get unusedBytesResident(): number {
    this.#checkOpen();
    return this.#shards.sum(({ unusedBytes }) => unusedBytes);
  }

  /** How often this attachment could not have the lock of a shard at once. */
  get lockCounts(): Readonly<LockCounts> {
    return { ...this.#me.locks };
  }

  /** Whether somebody waits for a slot, in whichever thread. */
  get isWaitedFor(): boolean {
    this.#checkOpen();
    return isLineNow(this.#head) && firstInLine(this.#head) !== -1;
  }

  /**
   * Takes a slot: from the thread's home shard, or from the next one that has any.
   *
   * @param forMemory what it is for; without it no slot is affine, and none will be later
   * @returns the slot's index, or `undefined` if all slots are used, or those that are free are waited for
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for a bad key
   * @throws {@link AllocatorClosedError} `ERR_ALLOCATOR_CLOSED` after {@link SharedIndexAllocator.close}
   */
  alloc(forMemory?: MemoryKey): number | undefined {
    if (forMemory === undefined) return this.#alloc(0, 0);
    const { tag, memoryIndex } = readGivenKey(forMemory);
    return this.#alloc(tag, memoryIndex);
  }

  /**
   * Takes a slot as `alloc` does, and waits for one if there is none: first come, first served, whatever thread one waits in. Node's event
   * loop stays alive meanwhile.
   *
   * @param forMemory what it is for
   * @param options a signal that ends the wait, and who is told at once
   * @throws what `alloc` throws, as a rejection; the signal's reason if it is aborted
   */
  async allocAsync(forMemory?: MemoryKey, options?: WaitOptions): Promise<number> {
    const { tag, memoryIndex } = readKey(forMemory);
    const { signal, onTaken } = readWait(options);
    this.#checkOpen();
    signal?.throwIfAborted();
    const attempt = (): number => tellTaken(this, this.#shards.take(tag, memoryIndex), onTaken);
    return tellTaken(this, this.#alloc(tag, memoryIndex), onTaken) ?? this.#waiters.wait(attempt, signal);
  }

  /**
   * Takes the most recently freed slot of this very key, and forgets the key: for purging a module.
   *
   * @param key what the slot was last used for
   * @returns the slot's index, or `undefined` if no warm slot of any shard has this key
   * @throws what `alloc` throws
   */
  allocAffineAndClearAffinity(key: MemoryKey): number | undefined {
    const { tag, memoryIndex } = readKey(key ?? null);
    this.#checkOpen();
    return orUndefined(this.#shards.first((shard) => purgeFrom(shard, this.#me, tag, memoryIndex)));
  }

  /**
   * Takes the least recently freed warm slot of the first shard that has any, or of one, and forgets what it was for.
   *
   * @param shard which, from 0, this thread's home, to `numShards - 1`: for who gives each slot back before the next
   * @returns the slot's index, or `undefined` if no slot is warm
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for what is no shard
   * @throws {@link AllocatorClosedError} `ERR_ALLOCATOR_CLOSED` after {@link SharedIndexAllocator.close}
   */
  allocOldestWarm(shard?: number): number | undefined {
    if (shard !== undefined) checkIndex(shard, 'shard', this.numShards - 1);
    this.#checkOpen();
    return orUndefined(this.#shards.first((each) => takeOldestFrom(each, this.#me), shard));
  }

  /**
   * Gives a slot back that this thread holds, and wakes the first waiter of all threads. A slot of another shard than the thread's
   * home is handed over without that shard's lock, and is put on its lists by whoever looks there next.
   *
   * @param slot index of a slot that this thread holds
   * @param bytesResident bytes that stay in RAM while it is unused, an integer from 0 to 2^48 - 1
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for a bad argument
   * @throws {@link SlotNotInUseError} `ERR_SLOT_NOT_IN_USE` if the slot is free
   * @throws {@link SlotOfOtherThreadError} `ERR_SLOT_OF_OTHER_THREAD` if another thread holds it. In each case nothing has changed
   */
  free(slot: number, bytesResident: number): void {
    if (!isIndex(slot) || slot >= this.capacity) throwBadInteger(slot, 'slot', this.capacity - 1);
    const high = isIndex(bytesResident) ? 0 : highPart(bytesResident, 'bytesResident');
    const low = bytesResident | 0;
    if (this.#isClosed) throw new AllocatorClosedError();
    const home = this.#home;
    const local = slot - home.firstSlot;
    if (local < 0 || local >= home.capacity) return this.#freeElsewhere(slot, low, high);
    if (!freeTo(home, this.#me, local, low, high)) throw this.#shards.notHeld(slot);
    if (isLine(this.#head)) callFirst(this.#head);
  }

  /**
   * Gives several slots back that this thread holds: all of them or, if one is bad, none. A slot that occurs twice is bad. Those of
   * other shards cost one exchange each, and a few operations a batch.
   *
   * @param items the slots and the bytes that stay in RAM in each
   * @throws what `free` throws, naming the item, as in `items[2].slot`
   */
  freeMany(items: Iterable<FreedSlot>): void {
    const batch = readBatch(items, this.capacity);
    this.#checkOpen();
    const seen = new Set<number>();
    for (const [index, { slot }] of batch.entries()) {
      const field = `items[${index}].slot`;
      if (seen.has(slot)) throw new SlotNotInUseError(slot, field);
      if (!isHeldBy(this.#shards.holderOf(slot), this.#me.self)) throw this.#shards.notHeld(slot, field);
      seen.add(slot);
    }
    this.#shards.freeMany(batch);
    if (isLineNow(this.#head)) callFirst(this.#head);
  }

  /**
   * Makes a slot this thread's that another one held. The other thread has agreed to it, and no longer uses the slot; if it ends now,
   * the slot is not taken away.
   *
   * @param slot index of the slot
   * @param from the thread that holds it
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for a bad argument
   * @throws {@link SlotNotInUseError} `ERR_SLOT_NOT_IN_USE` if the slot is free
   * @throws {@link SlotOfOtherThreadError} `ERR_SLOT_OF_OTHER_THREAD` if not `from` holds it
   */
  adopt(slot: number, from: number): void {
    checkIndex(slot, 'slot', this.capacity - 1);
    checkInteger(from, 'from', 1, THREAD_MASK);
    this.#checkOpen();
    const shard = this.#shards.of(slot);
    if (!adoptIn(shard, this.#me, slot - shard.firstSlot, from)) throw this.#shards.notHeld(slot);
  }

  /**
   * Whether a slot is in some thread's hands.
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for a bad argument
   */
  isUsed(slot: number): boolean {
    return isHeld(this.#holderOf(slot));
  }

  /**
   * The thread that holds a slot, or `undefined` if it is free.
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for a bad argument
   */
  holder(slot: number): number | undefined {
    const word = this.#holderOf(slot);
    return isHeld(word) ? word & THREAD_MASK : undefined;
  }

  /**
   * Whether the slot was taken away from a thread that ended while it held it, so that nobody can say what is in it. It stays so
   * until the next holder frees it.
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for a bad argument
   */
  isUnknown(slot: number): boolean {
    const word = this.#holderOf(slot);
    return word > 0 && (word & UNKNOWN) !== 0;
  }

  /**
   * Takes away what threads held that have ended. Calls do so by themselves when they find no slot, and those that wait do so now
   * and then; to be called when a worker's `'exit'` event comes, it makes that quick.
   * @returns the number of slots that came back
   * @throws {@link AllocatorClosedError} `ERR_ALLOCATOR_CLOSED` after {@link SharedIndexAllocator.close}
   */
  reclaim(): number {
    this.#checkOpen();
    return this.#shards.buryDead();
  }

  /**
   * Ends this thread's attachment. What the thread still holds comes back as unknown, unless it is attached a second time; who still
   * waits here is rejected. Other threads are not concerned. A second call does nothing.
   */
  close(): void {
    this.#isClosed = true;
    this.#waiters.rejectAll(new AllocatorClosedError());
    this.#seat = leaveSeat(this.#head, this.#seat, this.#shards.inOrder, this.#me);
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Checks every rule of each shard, one after the other, with its lock in hand.
   *
   * @throws {@link InconsistentStateError} `ERR_INCONSISTENT_STATE` with the name of the broken rule in `rule`
   */
  checkConsistency(): void {
    this.#checkOpen();
    for (const shard of this.#shards.inOrder) checkShard(shard, this.#me);
  }

  #alloc(tag: number, memoryIndex: number): number | undefined {
    if ((this.#isClosed || isLine(this.#head)) && !this.#isNext()) return undefined;
    const home = this.#home;
    const slot = takeFrom(home, this.#me, tag, memoryIndex);
    return slot === -1 ? orUndefined(this.#shards.take(tag, memoryIndex)) : slot + home.firstSlot;
  }

  /** Whether a call that does not wait would overtake nobody. */
  #isNext(): boolean {
    this.#checkOpen();
    return !isOvertaking(this.#head, this.#shards.inOrder, this.#me);
  }

  #freeElsewhere(slot: number, low: number, high: number): void {
    const shard = this.#shards.of(slot);
    const local = slot - shard.firstSlot;
    if (!handOver(shard, local, this.#me.self, low, high)) throw this.#shards.notHeld(slot);
    announce(shard, local >>> 5, 1 << (local & 31));
    if (isLineNow(this.#head)) callFirst(this.#head);
  }

  #holderOf(slot: number): number {
    checkIndex(slot, 'slot', this.capacity - 1);
    return this.#shards.holderOf(slot);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new AllocatorClosedError();
  }
}
