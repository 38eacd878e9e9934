/**
 * From a slot that nobody holds any more to a free one:
 *
 *     recycle ──▶ reset ──nothing left to drop──────────────────────────▶ previously used, free
 *                   │ └──▶ decommit queue ──full, or slots are wanted──▶ previously used, free
 *                   └── anything failed ───────────────────────────────▶ unknown, free
 */
import type { SlabLayout } from '@guardstripe/layout';
import type { VirtualMemory } from '@guardstripe/mmap';
import type { Counters } from '../slots/counters.js';
import { DecommitQueue } from '../slots/decommit-queue.js';
import { reportFailure } from '../diagnostics.js';
import type { FreeSlots } from './free-slots.js';
import type { ImageTable } from '../slots/image-table.js';
import type { SlotPages } from '../slots/pages.js';
import type { SlotRecords } from '../slots/records.js';
import { SlotReset, type ResetResult, type ResetStrategy } from '../slots/reset.js';
import { asHost } from '../slab/stripes.js';

/** What a pool decides once. */
export interface RecyclerOptions {
  readonly virtualMemory: VirtualMemory;
  readonly decommitBatchSize: number;
  /** Whole host pages. */
  readonly keepResidentBytes: number;
  /** Whether resets look for dirty pages. */
  readonly scan: boolean;
}

/** What a recycler works on. */
export interface RecyclerParts {
  readonly pages: SlotPages;
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly images: ImageTable;
  readonly counters: Counters;
  readonly free: FreeSlots;
}

/** Resets slots and gives them back, one by one or in batches. */
export class SlotRecycler {
  /** Slots that wait for their pages to be dropped: not live, and not free yet. */
  readonly queue: DecommitQueue;
  readonly #pages: SlotPages;
  readonly #striped: boolean;
  readonly #records: SlotRecords;
  readonly #counters: Counters;
  readonly #free: FreeSlots;
  readonly #virtualMemory: VirtualMemory;
  readonly #reset: SlotReset;

  constructor({ pages, layout, records, images, counters, free }: RecyclerParts, options: RecyclerOptions) {
    this.queue = new DecommitQueue(options.decommitBatchSize);
    this.#pages = pages;
    this.#striped = layout.numStripes > 1;
    this.#records = records;
    this.#counters = counters;
    this.#free = free;
    this.#virtualMemory = options.virtualMemory;
    this.#reset = new SlotReset(pages, records, images, {
      ...options,
      onFailedScan: () => counters.add('failedScans', 1),
    });
  }

  /** Resets a slot and gives it back, or queues it where its pages are dropped in batches. */
  recycle(slot: number): void {
    if (this.#records.isTainted(slot)) {
      this.#giveBackFailed(slot);
      return;
    }
    let reset: ResetResult;
    try {
      // Only a guest of a striped slab can have called the host back with stripes closed.
      reset = this.#striped ? asHost(() => this.#reset.run(slot)) : this.#reset.run(slot);
      if (reset.dropBytes > 0 && this.queue.capacity === 1) {
        // With batches of one there is no batch.
        this.#pages.drop(slot, reset.dropOffset, reset.dropBytes);
        this.#counters.add('decommits', 1);
        reset.dropBytes = 0;
      }
    } catch (error) {
      this.#giveBackFailed(slot);
      reportFailure(slot, error);
      return;
    }
    if (reset.dropBytes === 0) this.#giveBackClean(slot, reset.strategy, reset.bytesWritten);
    else this.#enqueue(slot, reset);
  }

  /** Gives a slot back as it is: it is laid over before its next use. */
  giveBackUnknown(slot: number): void {
    this.#records.putUnknown(slot);
    this.#free.giveBack(slot, 0);
  }

  /** Drops what the decommit queue holds and gives its slots back. */
  flush(): void {
    const { queue } = this;
    if (queue.length === 0) return;
    const { slots, addresses, byteLengths, bytesResident, length } = queue;
    const strategies = Array.from({ length }, (_, i) => queue.strategy(i));
    let failure: unknown;
    try {
      this.#virtualMemory.decommitMany(addresses, byteLengths, length);
      this.#counters.add('decommits', 1);
    } catch (error) {
      failure = error;
    }
    const freed = slots.slice(0, length);
    const resident = bytesResident.slice(0, length);
    // Cleared first: whoever waits may run, and free more, while the slots are given back.
    queue.clear();
    for (const [i, slot] of freed.entries()) {
      if (failure === undefined) {
        this.#giveBackClean(slot, strategies[i]!, resident[i]!);
      } else this.#giveBackFailed(slot);
    }
    if (failure !== undefined) reportFailure(freed[0]!, failure);
  }

  /** Forgets the queue and the internal views: the slab is about to go. */
  close(): void {
    this.#reset.close();
    this.queue.clear();
  }

  #enqueue(slot: number, reset: ResetResult): void {
    this.queue.push(slot, this.#pages.addressOf(slot) + reset.dropOffset, reset);
    // Somebody who waits must not wait for a batch to fill.
    if (this.queue.isFull || this.#free.waiting > 0) this.flush();
  }

  /** The reset is done, and counted: `bytesResident` bytes were written, all else was dropped. */
  #giveBackClean(slot: number, strategy: ResetStrategy, bytesResident: number): void {
    this.#counters.addReset(strategy, bytesResident);
    this.#records.putPreviouslyUsed(slot);
    this.#free.giveBack(slot, bytesResident);
  }

  #giveBackFailed(slot: number): void {
    this.#counters.add('failedResets', 1);
    this.giveBackUnknown(slot);
  }
}
