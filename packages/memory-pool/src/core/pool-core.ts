/**
 * The pool without its public face: one slab, its slots' records, the free slots of each stripe, and the views that were
 * handed out. Everything that changes a slot goes through here, so that the order of steps stands in one place.
 */
import type { MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import { createView, detachView, type Mmap } from '@guardstripe/mmap';
import { ProtectionMask, type KeyLease } from '@guardstripe/mpk';
import { checkBooks } from './consistency.js';
import { Counters } from '../slots/counters.js';
import { onExhausted, onFree, reportFailure, type ExhaustedEvent, type FreeEvent } from '../diagnostics.js';
import { PoolClosedError, PoolConcurrencyLimitError } from '../errors.js';
import { FreeSlots } from './free-slots.js';
import { explainRefusal } from '../slab/host-bounds.js';
import { ImageTable } from '../slots/image-table.js';
import { mappingBudget } from '../slots/mapping-budget.js';
import { SlotMemory } from '../slots/memory.js';
import { SlotPages } from '../slots/pages.js';
import { SlotRecords, SlotState } from '../slots/records.js';
import { SlotRecycler, type RecyclerOptions } from './recycler.js';
import { SlotReset, type ResetOptions } from '../slots/reset.js';
import { SlotViews } from '../slots/views.js';
import { asHost, enterStripe } from '../slab/stripes.js';
import type { MemoryTemplate } from '../module/template.js';
import type { Lease, Tenancy } from './tenancy.js';

/** What a pool decides once. */
export interface PoolCoreOptions extends RecyclerOptions, Omit<ResetOptions, 'onRefusal'> {
  /** One a stripe, or none. The core gives them back when it closes. */
  readonly keys: KeyLease;
  readonly maxUnusedWarmSlots: number;
}

/** The pool behind its faces: who holds which slot, what is in it, and who waits. */
export class PoolCore {
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly counters = new Counters();
  readonly pages: SlotPages;
  /** Whether closing began: nothing can be had any more, even if the system would not take the slab back. */
  closed = false;
  readonly #slab: Mmap;
  readonly #keys: KeyLease;
  /** One a stripe: only that stripe's key open. */
  readonly #masks: readonly ProtectionMask[];
  readonly #memory: SlotMemory;
  readonly #free: FreeSlots;
  readonly #recycler: SlotRecycler;
  readonly #views = new SlotViews(this);

  constructor(slab: Mmap, layout: SlabLayout, options: PoolCoreOptions) {
    const { virtualMemory, keys, maxUnusedWarmSlots } = options;
    const images = new ImageTable();
    this.layout = layout;
    this.records = new SlotRecords(layout.numSlots);
    this.#slab = slab;
    this.#keys = keys;
    this.#masks = keys.keys.map((key) => ProtectionMask.zero.or(key));
    this.pages = new SlotPages(slab, layout, keys.keys, virtualMemory);
    this.#free = new FreeSlots(layout, maxUnusedWarmSlots);
    const { records, counters, pages } = this;
    const onRefusal = () => counters.add('refusedCalls', 1);
    const reset = new SlotReset(pages, records, images, { ...options, onRefusal });
    this.#memory = new SlotMemory(
      { pages, records, images, reset, budget: mappingBudget() },
      virtualMemory.pageSize,
    );
    this.#recycler = new SlotRecycler({ pages, layout, records, reset, counters, free: this.#free }, options);
  }

  get slabAddress(): number {
    return this.#slab.address;
  }

  get unusedWarmMemories(): number {
    return this.#free.unusedWarmMemories;
  }

  get unusedBytesResident(): number {
    return this.#free.unusedBytesResident;
  }

  /** Freed slots that wait for their pages to be dropped: not live, and not free yet. */
  get queued(): number {
    return this.#recycler.queue.length;
  }

  get waiting(): number {
    return this.#free.waiting;
  }

  /** The most bytes that such a memory may ever have here. */
  maximumBytes(template: MemoryTemplate): number {
    return Math.min(template.maximumBytes, this.layout.maxMemoryBytes);
  }

  /** Whether the lease's memory is still live. */
  holds(lease: Lease): boolean {
    return this.records.generation(lease.slot) === lease.generation;
  }

  /** Takes a slot of the tenant's stripe and makes it the memory that the template describes. */
  allocate(tenancy: Tenancy, template: MemoryTemplate): Lease {
    const lease = this.#tryAllocate(tenancy, template);
    if (lease !== undefined) return lease;
    const { stripe } = tenancy;
    const capacity = this.#reportExhausted(stripe);
    throw new PoolConcurrencyLimitError(stripe, capacity, this.layout.numStripes);
  }

  /** The same, but nobody who waits is overtaken, and a full stripe is no error. */
  allocateIfFirst(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    return this.#free.queue(tenancy.stripe).length === 0 ? this.#tryAllocate(tenancy, template) : undefined;
  }

  /** Waits for a slot, behind everybody else who does. `owner` is whom {@link PoolCore.rejectWaiting} finds it by. */
  allocateInTurn(
    tenancy: Tenancy,
    template: MemoryTemplate,
    owner: object,
    signal?: AbortSignal,
  ): Promise<Lease> {
    const attempt = () => this.#tryAllocate(tenancy, template);
    this.#reportExhausted(tenancy.stripe);
    return this.#free.queue(tenancy.stripe).wait({ attempt, owner, signal });
  }

  /**
   * Ends a tenancy, if it has not ended: the view first, then the pages, and only then may somebody else have the slot.
   * Returns whether it did.
   */
  release(lease: Lease): boolean {
    if (!this.holds(lease)) return false;
    const { tenancy, slot } = lease;
    this.#endTenancy(tenancy, slot);
    try {
      this.#recycler.recycle(slot);
    } finally {
      // Last: who hears of it may do anything, close the pool included.
      if (onFree.hasSubscribers) onFree.publish({ slot, stripe: tenancy.stripe } satisfies FreeEvent);
    }
    return true;
  }

  /** Ends a tenancy that never came to be. Nothing is reset: the slot is laid over before its next use. */
  abandon(lease: Lease): void {
    if (!this.holds(lease)) return;
    this.#endTenancy(lease.tenancy, lease.slot);
    this.#recycler.giveBackUnknown(lease.slot);
  }

  /** What a store holds now. */
  leasesOf(tenancy: Tenancy): Lease[] {
    const leases: Lease[] = [];
    let link = this.closed ? 0 : tenancy.head;
    while (link !== 0) {
      const slot = link - 1;
      leases.push({ tenancy, slot, generation: this.records.generation(slot) });
      link = this.records.nextOwned(slot);
    }
    return leases;
  }

  /** Grows a live slot; its view is detached in any case that changes anything. */
  grow(slot: number, byteLength: number): void {
    try {
      this.#memory.grow(slot, byteLength);
    } catch (error) {
      throw explainRefusal(`grow the memory in slot ${slot}`, error);
    }
    this.#views.revoke(slot);
  }

  /** The live slot's view. */
  view(slot: number): ArrayBuffer {
    return this.#views.open(slot, this.pages.addressOf(slot), this.records.byteLength(slot));
  }

  /** Runs `fn` such that of the pool's memory only the stripe's can be touched; in a slab without stripes, just runs it. */
  enter<T>(stripe: number, fn: () => T): T {
    const mask = this.#masks[stripe];
    return mask === undefined ? fn() : enterStripe(mask, fn);
  }

  /** Keeps the slot's view weakly from now on, and returns it if there is one and it lives. */
  weakenView(slot: number): ArrayBuffer | undefined {
    return this.#views.weaken(slot);
  }

  /** Drops what the decommit queue holds and gives its slots back. */
  flush(): void {
    this.#recycler.flush();
  }

  /** Checks that no slot is lost, nor in two hands; {@link checkBooks}. */
  checkConsistency(): void {
    const { layout, records, counters } = this;
    checkBooks({ layout, records, counters, queue: this.#recycler.queue, allocators: this.#free.allocators });
  }

  /** Rejects the waiters of a store. */
  rejectWaiting(stripe: number, owner: object, reason: () => unknown): void {
    this.#free.queue(stripe).rejectOwner(owner, reason);
  }

  /** Forgets a module: slots that keep its image for it lose the image and become anybody's. Returns how many. */
  purge(key: MemoryKey): number {
    let purged = 0;
    this.flush();
    for (let stripe = 0; stripe < this.layout.numStripes; stripe++) {
      for (;;) {
        const slot = this.#free.takeAffine(stripe, key);
        if (slot === undefined) break;
        this.#purgeSlot(slot);
        this.#free.putBack(slot);
        purged++;
      }
    }
    return purged;
  }

  /**
   * Ends every tenancy without resetting anything, and gives the slab back. If the system refuses to take it, the pool is
   * closed all the same, and calling this again tries again.
   */
  close(reason: () => unknown): void {
    if (!this.closed) this.#endAll(reason);
    this.#slab.close();
    this.#memory.close();
    this.#keys.dispose();
  }

  #endAll(reason: () => unknown): void {
    this.closed = true;
    this.pages.close();
    this.#free.rejectAll(reason);
    this.#views.revokeAll();
    this.#recycler.close();
    // Records that were never written are pages that were never touched: with nobody left, none is looked at.
    const numSlots = this.counters.get('liveMemories') === 0 ? 0 : this.layout.numSlots;
    for (let slot = 0; slot < numSlots; slot++) {
      if (this.records.isLive(slot)) this.records.endTenancy(slot, 0);
    }
    this.counters.set('liveMemories', 0);
  }

  /** Takes a slot if there is one; those in the decommit queue count. */
  #tryAllocate(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    const slot = this.#free.take(tenancy.stripe, template.key) ?? this.#takeFlushed(tenancy, template);
    if (slot === undefined) return undefined;
    const { initialBytes, image, writes } = template;
    try {
      this.#memory.occupy(slot, initialBytes, image);
      if (writes.length > 0) this.#write(slot, template);
    } catch (error) {
      // The record says UNKNOWN: whatever half was done is laid over before the slot's next use.
      this.#free.putBack(slot);
      throw explainRefusal(`allocate a memory in slot ${slot}`, error);
    }
    const generation = this.records.startTenancy(slot, initialBytes, tenancy.head);
    tenancy.head = slot + 1;
    tenancy.length++;
    this.counters.add('liveMemories', 1);
    return { tenancy, slot, generation };
  }

  /** Takes one of those that wait for their pages to be dropped. */
  #takeFlushed({ stripe }: Tenancy, { key }: MemoryTemplate): number | undefined {
    if (this.queued === 0) return undefined;
    this.flush();
    // Who heard of a failure may have closed the pool.
    if (this.closed) throw new PoolClosedError('allocate a memory');
    return this.#free.take(stripe, key);
  }

  #endTenancy(tenancy: Tenancy, slot: number): void {
    this.#views.revoke(slot);
    tenancy.head = this.records.endTenancy(slot, tenancy.head);
    tenancy.length--;
    tenancy.traces?.delete(slot);
    this.counters.add('liveMemories', -1);
  }

  #reportExhausted(stripe: number): number {
    const capacity = this.#free.capacity(stripe);
    if (onExhausted.hasSubscribers) onExhausted.publish({ stripe, capacity } satisfies ExhaustedEvent);
    return capacity;
  }

  #purgeSlot(slot: number): void {
    if (this.records.takeState(slot) !== SlotState.PREVIOUSLY_USED) return;
    try {
      this.#memory.removeImage(slot);
      this.records.putPreviouslyUsed(slot);
    } catch (error) {
      this.counters.add('failedResets', 1);
      reportFailure(slot, error);
    }
  }

  #write(slot: number, template: MemoryTemplate): void {
    const view = createView(this.pages.addressOf(slot), template.initialBytes);
    try {
      const bytes = new Uint8Array(view);
      asHost(() => {
        for (const { offset, data } of template.writes) bytes.set(data, offset);
      });
    } finally {
      detachView(view);
    }
  }
}
