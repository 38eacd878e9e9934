/**
 * The pool without its public face: one slab, its slots' records, the free slots of each stripe, and the views that were
 * handed out. Everything that changes a slot goes through here, so that the order of steps stands in one place.
 */
import type { AbortSignalLike } from '@guardstripe/common';
import type { MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Mmap, ViewsLeft } from '@guardstripe/mmap';
import { ProtectionMask, type KeyLease } from '@guardstripe/mpk';
import { checkBooks } from './consistency.js';
import { Counters } from '../slots/counters.js';
import { onAllocate, onFree, reportFailure, type AllocateEvent } from '../diagnostics.js';
import {
  MemoryFreedError,
  PoolClosedError,
  StoreDisposedError,
  type PoolConcurrencyLimitError,
} from '../errors.js';
import { sayGoodbye, type Ended } from './farewell.js';
import { FreeSlots } from './free-slots.js';
import { Housekeeping } from './housekeeping.js';
import { Orphans } from './orphans.js';
import { PendingAnswers } from './pending-answers.js';
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

/** An allocation that waits its turn. */
export interface Turn {
  /** Whom {@link PoolCore.rejectWaiting} finds it by. */
  readonly owner: object;
  readonly signal: AbortSignalLike | undefined;
  /** Set when it has got a memory, whatever becomes of that. */
  isServed: boolean;
}

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
  /** Limiters that are waited for. */
  readonly pending = new PendingAnswers();
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
  /** Those whose limiters want to hear of the end, and that hold something. */
  readonly #limited = new Set<Tenancy>();

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

  /** Takes a slot of the tenant's stripe and makes it the memory that the template describes; nothing if the stripe is full. */
  tryAllocate(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    try {
      const lease = this.#take(tenancy, template);
      if (lease !== undefined) return lease;
      this.#reportFull(tenancy.stripe);
      // Who heard of it may have given something back.
      return this.#take(tenancy, template);
    } finally {
      this.#settle();
    }
  }

  /** The error for a stripe that is full. */
  exhausted(stripe: number): PoolConcurrencyLimitError {
    return this.shortage.error(stripe, this.#free.capacity(stripe));
  }

  #reportFull(stripe: number): void {
    this.shortage.report(stripe, this.#free.capacity(stripe));
  }

  /** The same as {@link PoolCore.tryAllocate}, but nobody who waits is overtaken, and a full stripe is not told of. */
  allocateIfFirst(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    if (this.#free.queue(tenancy.stripe).length > 0) return undefined;
    try {
      return this.#take(tenancy, template);
    } finally {
      this.#settle();
    }
  }

  /** Waits for a slot, behind everybody else who does. Rejects at once where none will ever come. */
  allocateInTurn(tenancy: Tenancy, template: MemoryTemplate, turn: Turn): Promise<Lease> {
    const { stripe } = tenancy;
    const attempt = () => {
      const lease = this.#take(tenancy, template);
      if (lease !== undefined) turn.isServed = true;
      return lease;
    };
    const giveUp = (lease: Lease) => this.release(lease);
    const { owner, signal } = turn;
    const lease = this.#free.queue(stripe).wait({ attempt, giveUp, owner, signal });
    // In line first: who hears of it may give a slot back, abort, dispose and close, and all of that is heard in the line.
    this.#reportFull(stripe);
    this.#rejectIfHopeless(stripe);
    return lease;
  }

  /**
   * Ends a tenancy, if it has not ended: the view first, then the pages, and only then may somebody else have the slot.
   * Returns whether it did.
   */
  release(lease: Lease): boolean {
    if (!this.holds(lease)) return false;
    const { tenancy, slot } = lease;
    const { stripe } = tenancy;
    const byteLength = this.records.byteLength(slot);
    const left = this.#endTenancy(tenancy, slot);
    try {
      if (left === 'none') this.#recycler.recycle(slot);
      else if (left === 'held') this.withheld.cool(slot);
      else this.withheld.retire(slot);
    } finally {
      sayGoodbye({ tenancy, slot, stripe, byteLength });
      if (left === 'stolen') this.#rejectIfHopeless(stripe);
      this.#settle();
    }
    return true;
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
    this.#settle();
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
    this.#recycler.flush();
    const purged = this.#housekeeping.purge(key);
    this.#settle();
    return purged;
  }

  relieve(mappings: number): number {
    return this.#housekeeping.relieve(mappings);
  }

  /**
   * Ends every tenancy without resetting anything, and gives the slab back: what views may still reach of it when those are
   * collected. If the system refuses to take it, the pool is closed all the same, and calling this again tries again.
   */
  close(reason: () => unknown): void {
    const ended = this.closed ? [] : this.#liveNow();
    if (!this.closed) this.#endAll(reason);
    try {
      if (this.withheld.isEmpty) this.#slab.close();
      else this.withheld.layOver();
      this.#memory.close();
      this.#images.clear();
      mappingBudget().unregister(this);
      this.#keys.dispose();
    } finally {
      ended.forEach(sayGoodbye);
    }
  }

  /** What ends with the pool, as far as somebody wants to hear of it. */
  #liveNow(): Ended[] {
    const { records, layout } = this;
    const tenancies = new Map<number, Tenancy>();
    for (const tenancy of this.#limited) {
      for (const { slot } of this.leasesOf(tenancy)) tenancies.set(slot, tenancy);
    }
    const wanted = onFree.hasSubscribers && this.counters.get('liveMemories') > 0 ? layout.numSlots : 0;
    const slots = wanted === 0 ? [...tenancies.keys()] : Array.from({ length: wanted }, (_, slot) => slot);
    return slots
      .filter((slot) => records.isLive(slot))
      .map((slot) => ({
        tenancy: tenancies.get(slot),
        slot,
        stripe: slot % layout.numStripes,
        byteLength: records.byteLength(slot),
      }));
  }

  #endAll(reason: () => unknown): void {
    this.closed = true;
    this.pages.close();
    this.#free.rejectAll(reason);
    this.pending.endAll(reason);
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
    if (!this.closed) {
      this.#recycler.recycle(slot);
      this.#settle();
    } else if (this.withheld.isEmpty) this.#closeLate();
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
  #take(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    this.#assertGoesOn(tenancy);
    const slot = this.#free.take(tenancy.stripe, template.key) ?? this.#takeFlushed(tenancy, template);
    if (slot === undefined) return undefined;
    const { initialBytes, image, writes } = template;
    try {
      this.#memory.occupy(slot, initialBytes, image);
      for (const { offset, data } of writes) this.bytes.write(slot, offset, data);
    } catch (error) {
      // The record says UNKNOWN: whatever half was done is laid over before the slot's next use.
      this.#free.giveBack(slot, 0);
      throw explainRefusal(`allocate a memory in slot ${slot}`, error);
    }
    const generation = this.records.startTenancy(slot, initialBytes, tenancy.head);
    tenancy.head = slot + 1;
    tenancy.length++;
    this.counters.add('liveMemories', 1);
    if (tenancy.limiter !== undefined) this.#limited.add(tenancy);
    if (onAllocate.hasSubscribers) {
      onAllocate.publish({
        slot,
        stripe: tenancy.stripe,
        byteLength: initialBytes,
      } satisfies AllocateEvent);
    }
    return { tenancy, slot, generation };
  }

  /** Last in every operation that gives something back: who hears of it may do anything. */
  #settle(): void {
    this.#recycler.reportFailures();
    this.#free.serve();
  }

  /** Who was told of something may have ended everything since. */
  #assertGoesOn(tenancy: Tenancy): void {
    if (tenancy.isOver) throw new StoreDisposedError('allocate a memory');
    if (this.closed) throw new PoolClosedError('allocate a memory');
  }

  /** Nobody waits for what cannot come. */
  #rejectIfHopeless(stripe: number): void {
    if (!this.shortage.isForGood(stripe, this.#free.capacity(stripe))) return;
    this.#free.queue(stripe).rejectAll(() => this.exhausted(stripe));
  }

  /** Takes one of those that wait for their pages to be dropped. */
  #takeFlushed(tenancy: Tenancy, { key }: MemoryTemplate): number | undefined {
    if (this.queued === 0) return undefined;
    this.#recycler.flush();
    this.#assertGoesOn(tenancy);
    return this.#free.take(tenancy.stripe, key);
  }

  #endTenancy(tenancy: Tenancy, slot: number): ViewsLeft {
    const left = this.#views.end(slot, () => this.#cooled(slot));
    tenancy.head = this.records.endTenancy(slot, tenancy.head);
    tenancy.length--;
    tenancy.traces?.delete(slot);
    if (tenancy.length === 0) this.#limited.delete(tenancy);
    this.counters.add('liveMemories', -1);
    this.pending.end(slot, () => new MemoryFreedError('grow the memory', slot));
    return left;
  }

  /** Writes the initial bytes that no image has, as far as they lie between `start` and `end`. */
  #write(slot: number, writes: readonly InitialBytes[], start: number, end: number): void {
    for (const { offset, data } of writes) {
      const [from, to] = [Math.max(offset, start), Math.min(offset + data.byteLength, end)];
      if (from < to) this.bytes.write(slot, from, data.subarray(from - offset, to - offset));
    }
  }
}
