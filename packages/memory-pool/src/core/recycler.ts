/**
 * From a slot that nobody holds any more to a free one:
 *
 *     recycle ──▶ reset ──nothing left to drop──────────────────────────▶ previously used, free
 *                   │ └──▶ decommit queue ──full, or slots are wanted──▶ previously used, free
 *                   └── anything failed ───────────────────────────────▶ unknown, free
 */
import type { SlabLayout } from '@guardstripe/layout';
import {
  SystemError,
  type PageRange,
  type RestoreResult,
  type RestoreStrategy,
  type VirtualMemory,
} from '@guardstripe/mmap';
import type { Counters } from '../slots/counters.js';
import { DecommitQueue } from '../slots/decommit-queue.js';
import { reportFailure, type FailureEvent } from '../diagnostics.js';
import { PoolCorruptedError } from '../errors.js';
import type { FreeSlots } from './free-slots.js';
import type { SlotMemory } from '../slots/memory.js';
import type { SlotPages } from '../slots/pages.js';
import type { SlotRecords } from '../slots/records.js';
import type { SlotReset } from '../slots/reset.js';
import { asHost } from '../slab/stripes.js';
import { CallRate } from './call-rate.js';

/** Dropping pages takes a lock of the whole process and interrupts its other threads: so often at most, all memories together. */
const MAX_DISCARDS_PER_SECOND = 4096;

/** What a pool decides once. */
export interface RecyclerOptions {
  readonly virtualMemory: VirtualMemory;
  readonly decommitBatchSize: number;
  /** Most bytes that free slots keep in RAM, all together. */
  readonly maxUnusedBytesResident: number;
}

/** What a recycler works on. */
export interface RecyclerParts {
  readonly pages: SlotPages;
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly memory: SlotMemory;
  readonly reset: SlotReset;
  readonly counters: Counters;
  readonly free: FreeSlots;
  /** Told of each slot that waits for its pages to be dropped. */
  readonly whenQueued?: (() => void) | undefined;
}

/** Resets slots and gives them back, one by one or in batches. */
export class SlotRecycler {
  /** Slots that wait for their pages to be dropped: not live, and not free yet. */
  readonly queue: DecommitQueue;
  /** Not told of yet: who hears of them may do anything, also take the slot that somebody is about to be told is free. */
  readonly failures: FailureEvent[] = [];
  readonly #pages: SlotPages;
  readonly #striped: boolean;
  readonly #maxMemoryBytes: number;
  readonly #records: SlotRecords;
  readonly #memory: SlotMemory;
  readonly #counters: Counters;
  readonly #free: FreeSlots;
  readonly #virtualMemory: VirtualMemory;
  readonly #reset: SlotReset;
  readonly #maxUnusedBytesResident: number;
  readonly #whenQueued: (() => void) | undefined;
  readonly #discards = new CallRate(MAX_DISCARDS_PER_SECOND);
  /** Bytes that were added to those since they were last compared with the limit. */
  #uncheckedBytes = 0;

  constructor(parts: RecyclerParts, options: RecyclerOptions) {
    const { pages, layout, records, memory, reset, counters, free } = parts;
    this.queue = new DecommitQueue(options.decommitBatchSize);
    this.#pages = pages;
    this.#striped = layout.numStripes > 1;
    this.#maxMemoryBytes = layout.maxMemoryBytes;
    this.#records = records;
    this.#memory = memory;
    this.#counters = counters;
    this.#free = free;
    this.#virtualMemory = options.virtualMemory;
    this.#maxUnusedBytesResident = options.maxUnusedBytesResident;
    this.#reset = reset;
    this.#whenQueued = parts.whenQueued;
  }

  /** Resets a slot and gives it back, or queues it where its pages are dropped in batches. */
  recycle(slot: number): void {
    let reset: RestoreResult | undefined;
    try {
      // Only a guest of a striped slab can have called the host back with stripes closed.
      reset = this.#striped ? asHost(() => this.#reset.run(slot)) : this.#reset.run(slot);
    } catch (error) {
      this.giveBackUnknown(slot);
      this.#note(slot, error);
      return;
    }
    if (reset === undefined) this.#layOver(slot);
    else {
      if (reset.bytesDropped > 0) this.#counters.addDecommit();
      if (reset.leftBytes > 0) this.#dropLeft(slot, reset);
      else this.#giveBackClean(slot, reset.strategy, reset.bytesWritten, reset.bytesResident);
    }
  }

  /** Gives a slot back of whose pages nothing is known, or that could not be reset: it is laid over before its next use. */
  giveBackUnknown(slot: number): void {
    this.#counters.add('failedResets', 1);
    this.#records.putUnknown(slot);
    this.#free.giveBack(slot, 0);
  }

  /** Puts a live slot back to its start, as far as it is accessible. @throws `SystemError` */
  resetLive(slot: number): void {
    this.#assertLive(slot, 'reset');
    const reset = this.#striped ? asHost(() => this.#reset.runWhole(slot)) : this.#reset.runWhole(slot);
    this.#counters.addReset(reset.strategy, reset.bytesWritten);
    if (reset.bytesDropped > 0) this.#counters.addDecommit();
  }

  /** Pages of a live slot that may differ from its start; nothing where that cannot be found out. @throws `SystemError` */
  changedRanges(slot: number): readonly PageRange[] | undefined {
    return this.#striped ? asHost(() => this.#reset.changedRanges(slot)) : this.#reset.changedRanges(slot);
  }

  /** Puts a part of a live slot back, and drops pages of it where that is worth a call. Returns how many bytes. @throws `SystemError` */
  discard(slot: number, offset: number, byteLength: number): number {
    this.#assertLive(slot, 'discarded in');
    const discard = () => this.#reset.discard(slot, offset, byteLength, this.#discards.mayCall());
    const dropped = this.#striped ? asHost(discard) : discard();
    if (dropped > 0) {
      this.#discards.count();
      this.#counters.addDecommit();
    }
    return dropped;
  }

  /** Drops what the decommit queue holds and gives its slots back. */
  flush(): void {
    const { queue } = this;
    if (queue.length === 0) return;
    const { slots, addresses, byteLengths, length } = queue;
    // Before the call: it goes by addresses, and drops whatever is there.
    for (const slot of slots.subarray(0, length)) this.#assertEnded(slot);
    const strategies = Array.from({ length }, (_, i) => queue.strategy(i));
    let failure: unknown;
    try {
      this.#virtualMemory.decommitMany(addresses, byteLengths, length);
      this.#counters.addDecommit();
    } catch (error) {
      failure = error;
    }
    const freed = slots.slice(0, length);
    const written = queue.bytesWritten.slice(0, length);
    const resident = queue.bytesResident.slice(0, length);
    // Cleared first: whoever waits may run, and free more, while the slots are given back.
    queue.clear();
    for (const [i, slot] of freed.entries()) {
      if (failure === undefined) {
        this.#giveBackClean(slot, strategies[i]!, written[i]!, resident[i]!);
      } else this.giveBackUnknown(slot);
    }
    if (failure !== undefined) this.#note(freed[0]!, failure);
  }

  /**
   * Drops what free slots keep in RAM, the least recently freed first, until they keep at most `maxBytes`. Returns how many bytes
   * that were.
   */
  trim(maxBytes: number): number {
    let trimmed = 0;
    this.#free.trim(maxBytes, (slot, bytesResident) => {
      this.#assertEnded(slot);
      try {
        this.#reset.drop(slot);
      } catch (error) {
        // Locked pages, for one. The slot is as clean as before.
        this.#note(slot, error);
        return bytesResident;
      }
      trimmed += bytesResident;
      return 0;
    });
    this.#counters.add('bytesTrimmed', trimmed);
    return trimmed;
  }

  /** Tells of what failed since this was called last. */
  reportFailures(): void {
    for (const { slot, error } of this.failures.splice(0)) reportFailure(slot, error);
  }

  /** Forgets the queue and what is known of slots: the slab is about to go. */
  close(): void {
    this.#reset.close();
    this.queue.clear();
  }

  /** Drops what a reset left, or has it wait until a batch is full. */
  #dropLeft(slot: number, reset: RestoreResult): void {
    const end = reset.leftOffset + reset.leftBytes;
    // The batch goes to the system by address: nobody else looks whether it is the slot's.
    if (!(reset.leftOffset >= 0 && end <= this.#maxMemoryBytes)) {
      throw new PoolCorruptedError(`slot ${slot} is to be dropped up to byte ${end}`);
    }
    if (this.queue.capacity > 1) {
      this.queue.push(slot, this.#pages.addressOf(slot) + reset.leftOffset, reset);
      // Somebody who waits must not wait for a batch to fill.
      if (this.queue.isFull || this.#free.isWaitedFor) this.flush();
      else this.#whenQueued?.();
      return;
    }
    try {
      this.#pages.drop(slot, reset.leftOffset, reset.leftBytes);
    } catch (error) {
      this.giveBackUnknown(slot);
      this.#note(slot, error);
      return;
    }
    this.#counters.addDecommit();
    this.#giveBackClean(slot, reset.strategy, reset.bytesWritten, reset.bytesResident);
  }

  /** Lays fresh pages over a slot that is not to be reset: now if only its image has to go, else before its next use. */
  #layOver(slot: number): void {
    if (this.#records.isTainted(slot)) {
      this.giveBackUnknown(slot);
      return;
    }
    try {
      // Nobody will want the image again, and as long as a slot has it mapped its bytes stay in memory.
      this.#memory.surrender(slot);
    } catch (error) {
      this.giveBackUnknown(slot);
      this.#note(slot, error);
      return;
    }
    this.#counters.addReset('drop', 0);
    this.#free.giveBack(slot, 0);
  }

  /** The reset is done, and counted. */
  #giveBackClean(slot: number, strategy: RestoreStrategy, bytesWritten: number, bytesResident: number): void {
    this.#counters.addReset(strategy, bytesWritten);
    this.#records.putPreviouslyUsed(slot);
    this.#free.giveBack(slot, bytesResident);
    this.#uncheckedBytes += bytesResident;
    // Compared once in a while, and with less than the limit, so that it holds in between.
    const slack = this.#maxUnusedBytesResident / 8;
    if (this.#uncheckedBytes <= slack) return;
    this.#uncheckedBytes = 0;
    this.trim(this.#maxUnusedBytesResident - slack);
  }

  /** What the system refuses is told of last. Anything else, as the end of the stack, is for whoever called. */
  #note(slot: number, error: unknown): void {
    if (!(error instanceof SystemError)) throw error;
    this.failures.push({ slot, error });
  }

  #assertEnded(slot: number): void {
    if (this.#records.isLive(slot))
      throw new PoolCorruptedError(`slot ${slot} is dropped while a tenant has it`);
  }

  #assertLive(slot: number, what: string): void {
    if (!this.#records.isLive(slot))
      throw new PoolCorruptedError(`slot ${slot} is ${what}, and nobody has it`);
  }
}
