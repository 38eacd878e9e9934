/**
 * The pool without its public face: one slab, its slots' records, the free slots of each stripe, and the views that were
 * handed out. Everything that changes a slot goes through here, so that the order of steps stands in one place.
 */
import type { MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Mmap, ViewsLeft } from '@guardstripe/mmap';
import { ProtectionMask, type KeyLease } from '@guardstripe/mpk';
import { checkBooks } from './consistency.js';
import { Counters } from '../slots/counters.js';
import { onFree, reportFailure, type FreeEvent } from '../diagnostics.js';
import { PoolClosedError, type PoolConcurrencyLimitError } from '../errors.js';
import { FreeSlots } from './free-slots.js';
import { Housekeeping } from './housekeeping.js';
import { Orphans } from './orphans.js';
import { Shortage } from './shortage.js';
import { WithheldSlots } from './withheld-slots.js';
import { explainRefusal } from '../slab/host-bounds.js';
import { HostBytes } from '../slots/host-bytes.js';
import { ImageTable } from '../slots/image-table.js';
import { mappingBudget, type MappingHolder } from '../slots/mapping-budget.js';
import { SlotMemory } from '../slots/memory.js';
import { SlotPages } from '../slots/pages.js';
import { SlotRecords } from '../slots/records.js';
import { SlotRecycler, type RecyclerOptions } from './recycler.js';
import { SlotReset, type ResetOptions } from '../slots/reset.js';
import { SlotViews } from '../slots/views.js';
import { enterStripe } from '../slab/stripes.js';
import type { InitialBytes, MemoryTemplate } from '../module/template.js';
import type { Lease, Tenancy } from './tenancy.js';

/** What a pool decides once. */
export interface PoolCoreOptions extends RecyclerOptions, Omit<ResetOptions, 'onRefusal'> {
  /** One a stripe, or none. The core gives them back when it closes. */
  readonly keys: KeyLease;
  readonly maxUnusedWarmSlots: number;
  /** Most of the time that collections may take; 0 for none at all. */
  readonly maxCollectionShare: number;
}

/** The pool behind its faces: who holds which slot, what is in it, and who waits. */
export class PoolCore implements MappingHolder {
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly counters = new Counters();
  readonly pages: SlotPages;
  /** The host's copying access to memories. */
  readonly bytes: HostBytes;
  /** Slots whose bytes can still be reached. */
  readonly withheld: WithheldSlots;
  /** Memories of collected stores. */
  readonly orphans: Orphans;
  readonly shortage: Shortage;
  /** Whether closing began: nothing can be had any more, even if the system would not take the slab back. */
  closed = false;
  readonly #slab: Mmap;
  readonly #keys: KeyLease;
  /** One a stripe: only that stripe's key open. */
  readonly #masks: readonly ProtectionMask[];
  readonly #images = new ImageTable();
  readonly #memory: SlotMemory;
  readonly #free: FreeSlots;
  readonly #recycler: SlotRecycler;
  readonly #housekeeping: Housekeeping;
  readonly #views = new SlotViews(this);

  constructor(slab: Mmap, layout: SlabLayout, options: PoolCoreOptions) {
    const { virtualMemory, keys, maxUnusedWarmSlots } = options;
    this.layout = layout;
    this.records = new SlotRecords(layout.numSlots);
    this.#slab = slab;
    this.#keys = keys;
    this.#masks = keys.keys.map((key) => ProtectionMask.zero.or(key));
    this.pages = new SlotPages(slab, layout, keys.keys, virtualMemory);
    this.#free = new FreeSlots(layout, maxUnusedWarmSlots);
    const { records, counters, pages } = this;
    const images = this.#images;
    const onRefusal = () => counters.add('refusedCalls', 1);
    const reset = new SlotReset(pages, records, images, { ...options, onRefusal });
    this.#memory = new SlotMemory(
      { pages, records, images, reset, budget: mappingBudget() },
      virtualMemory.pageSize,
    );
    const memory = this.#memory;
    this.#recycler = new SlotRecycler(
      { pages, layout, records, images, memory, reset, counters, free: this.#free },
      options,
    );
    const { numStripes } = layout;
    this.#housekeeping = new Housekeeping({ free: this.#free, memory, records, counters, numStripes });
    this.bytes = new HostBytes(pages, records, virtualMemory.pageSize, numStripes > 1);
    this.withheld = new WithheldSlots({ slab, pages, records, memory, virtualMemory, numStripes });
    this.orphans = new Orphans(this, this.#views);
    this.shortage = new Shortage(this, options.maxCollectionShare);
    mappingBudget().register(this);
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

  /** Bytes of the images that slots have mapped, each counted once. */
  get imageBytes(): number {
    return this.#images.byteLength;
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
    throw this.#exhausted(tenancy.stripe);
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
    this.#exhausted(tenancy.stripe);
    return this.#free.queue(tenancy.stripe).wait({ attempt, owner, signal });
  }

  /**
   * Ends a tenancy, if it has not ended: the view first, then the pages, and only then may somebody else have the slot.
   * Returns whether it did.
   */
  release(lease: Lease): boolean {
    if (!this.holds(lease)) return false;
    const { tenancy, slot } = lease;
    const left = this.#endTenancy(tenancy, slot);
    try {
      if (left === 'none') this.#recycler.recycle(slot);
      else if (left === 'held') this.withheld.cool(slot);
      else this.withheld.retire(slot);
    } finally {
      // Last: who hears of it may do anything, close the pool included.
      if (onFree.hasSubscribers) onFree.publish({ slot, stripe: tenancy.stripe } satisfies FreeEvent);
    }
    return true;
  }

  /** Ends a tenancy that never came to be. Nothing is reset: the slot is laid over before its next use. */
  abandon(lease: Lease): void {
    if (!this.holds(lease)) return;
    // Nobody was given the memory, so nobody has a view of it.
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

  /** Puts a live slot back to its start, its size included; its view is detached only if that changes. */
  reset(slot: number, template: MemoryTemplate): void {
    const { initialBytes, writes } = template;
    try {
      this.#recycler.resetLive(slot);
      if (this.records.byteLength(slot) !== initialBytes) {
        this.#views.revoke(slot);
        this.#memory.shrink(slot, initialBytes);
      }
    } catch (error) {
      throw explainRefusal(`reset the memory in slot ${slot}`, error);
    }
    this.#write(slot, writes, 0, initialBytes);
  }

  /** Puts a part of a live slot back, and returns how many bytes of it were given back to the system. */
  discard(slot: number, template: MemoryTemplate, offset: number, byteLength: number): number {
    let dropped: number;
    try {
      dropped = this.#recycler.discard(slot, offset, byteLength);
    } catch (error) {
      throw explainRefusal(`discard a part of the memory in slot ${slot}`, error);
    }
    this.#write(slot, template.writes, offset, offset + byteLength);
    return dropped;
  }

  /** Has free slots keep at most `maxBytes` in RAM, and at 0 neither mappings nor images. Returns how many bytes were given back. */
  trim(maxBytes: number): number {
    this.flush();
    const trimmed = this.#recycler.trim(maxBytes);
    if (maxBytes === 0) this.relieve(Infinity);
    return trimmed;
  }

  /** Mappings that the slots hold. */
  get mappings(): number {
    return this.#memory.mappings;
  }

  /** The live slot's view; once a safe one was handed out, the slot cools when the tenancy ends. */
  view(slot: number, isSafe: boolean): ArrayBuffer {
    return this.#views.open(slot, this.pages.addressOf(slot), this.records.byteLength(slot), isSafe);
  }

  /** Runs `fn` such that of the pool's memory only the stripe's can be touched; in a slab without stripes, just runs it. */
  enter<T>(stripe: number, fn: () => T): T {
    const mask = this.#masks[stripe];
    return mask === undefined ? fn() : enterStripe(mask, fn);
  }

  /** Drops what the decommit queue holds and gives its slots back. */
  flush(): void {
    this.#recycler.flush();
  }

  /** Checks that no slot is lost, nor in two hands; {@link checkBooks}. */
  checkConsistency(): void {
    const { layout, records, counters, withheld } = this;
    const { queue } = this.#recycler;
    checkBooks({ layout, records, counters, queue, withheld, allocators: this.#free.allocators });
  }

  /** Rejects the waiters of a store. */
  rejectWaiting(stripe: number, owner: object, reason: () => unknown): void {
    this.#free.queue(stripe).rejectOwner(owner, reason);
  }

  /** Forgets a module: slots that keep its image for it lose the image and become anybody's. Returns how many. */
  purge(key: MemoryKey): number {
    this.flush();
    return this.#housekeeping.purge(key);
  }

  relieve(mappings: number): number {
    return this.#housekeeping.relieve(mappings);
  }

  /**
   * Ends every tenancy without resetting anything, and gives the slab back: what views may still reach of it when those are
   * collected. If the system refuses to take it, the pool is closed all the same, and calling this again tries again.
   */
  close(reason: () => unknown): void {
    if (!this.closed) this.#endAll(reason);
    if (this.withheld.isEmpty) this.#slab.close();
    else this.withheld.layOver();
    this.#memory.close();
    this.#images.clear();
    mappingBudget().unregister(this);
    this.#keys.dispose();
  }

  #endAll(reason: () => unknown): void {
    this.closed = true;
    this.pages.close();
    this.#free.rejectAll(reason);
    for (const slot of this.#views.slotsInUse()) {
      const left = this.#views.end(slot, () => this.#cooled(slot));
      if (left !== 'none') this.withheld.keep(slot, left);
    }
    this.#recycler.close();
    this.bytes.close();
    // Records that were never written are pages that were never touched: with nobody left, none is looked at.
    const numSlots = this.counters.get('liveMemories') === 0 ? 0 : this.layout.numSlots;
    for (let slot = 0; slot < numSlots; slot++) {
      if (this.records.isLive(slot)) this.records.endTenancy(slot, 0);
    }
    this.counters.set('liveMemories', 0);
  }

  /** The last view of a slot was collected: nobody reaches its bytes any more. */
  #cooled(slot: number): void {
    if (!this.withheld.cooled(slot)) return;
    this.counters.add('cooledMemories', 1);
    if (!this.closed) this.#recycler.recycle(slot);
    else if (this.withheld.isEmpty) this.#closeLate();
  }

  /** The slab of a closed pool goes when the last of its views is gone. */
  #closeLate(): void {
    try {
      this.#slab.close();
    } catch (error) {
      // Nobody is there to be told but who listens. Closing the pool again tries again.
      reportFailure(0, error);
    }
  }

  /** Takes a slot if there is one; those in the decommit queue count. */
  #tryAllocate(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    const slot = this.#free.take(tenancy.stripe, template.key) ?? this.#takeFlushed(tenancy, template);
    if (slot === undefined) return undefined;
    const { initialBytes, image, writes } = template;
    try {
      this.#memory.occupy(slot, initialBytes, image);
      for (const { offset, data } of writes) this.bytes.write(slot, offset, data);
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

  #endTenancy(tenancy: Tenancy, slot: number): ViewsLeft {
    const left = this.#views.end(slot, () => this.#cooled(slot));
    tenancy.head = this.records.endTenancy(slot, tenancy.head);
    tenancy.length--;
    tenancy.traces?.delete(slot);
    this.counters.add('liveMemories', -1);
    return left;
  }

  #exhausted(stripe: number): PoolConcurrencyLimitError {
    return this.shortage.report(stripe, this.#free.capacity(stripe));
  }

  /** Writes the initial bytes that no image has, as far as they lie between `start` and `end`. */
  #write(slot: number, writes: readonly InitialBytes[], start: number, end: number): void {
    for (const { offset, data } of writes) {
      const [from, to] = [Math.max(offset, start), Math.min(offset + data.byteLength, end)];
      if (from < to) this.bytes.write(slot, from, data.subarray(from - offset, to - offset));
    }
  }
}
