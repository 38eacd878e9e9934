/**
 * The pool without its public face: one slab, its slots' records, an allocator for each stripe, and the views that were
 * handed out. Everything that changes a slot goes through here, so that the order of steps stands in one place.
 */
import { ModuleAffinityIndexAllocator, type MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import { createView, detachView, SystemError, type Mmap, type VirtualMemory } from '@guardstripe/mmap';
import { ProtectionMask, type KeyLease } from '@guardstripe/mpk';
import { checkBooks } from './consistency.js';
import { Counters } from './counters.js';
import { DecommitQueue } from './decommit-queue.js';
import {
  onExhausted,
  onFailure,
  onFree,
  type ExhaustedEvent,
  type FailureEvent,
  type FreeEvent,
} from './diagnostics.js';
import { PoolClosedError, PoolConcurrencyLimitError } from './errors.js';
import { explainRefusal } from './host-bounds.js';
import { ImageTable } from './image-table.js';
import { mappingBudget } from './mapping-budget.js';
import { SlotMemory } from './slot-memory.js';
import { SlotPages } from './slot-pages.js';
import { SlotRecords, SlotState } from './slot-records.js';
import { SlotReset, type ResetResult, type ResetStrategy } from './slot-reset.js';
import { asHost, enterStripe } from './stripes.js';
import type { MemoryTemplate } from './template.js';
import type { Lease, Tenancy } from './tenancy.js';
import { WaitQueue } from './wait-queue.js';

const RESET_COUNTERS = { scan: 'scanResets', write: 'writeResets', decommit: 'decommitResets' } as const;

/** Where a view holds on to its pool. */
const CORE = Symbol('guardstripe.pool');

/** What a pool decides once. */
export interface PoolCoreOptions {
  readonly virtualMemory: VirtualMemory;
  /** One a stripe, or none. The core gives them back when it closes. */
  readonly keys: KeyLease;
  readonly maxUnusedWarmSlots: number;
  readonly decommitBatchSize: number;
  /** Whole host pages. */
  readonly keepResidentBytes: number;
  /** Whether resets look for dirty pages. */
  readonly scan: boolean;
}

/** Who wants a memory, and which. */
export interface AllocationRequest {
  readonly tenancy: Tenancy;
  readonly template: MemoryTemplate;
  /** Where it was asked for, if the pool traces that. */
  readonly trace: string | undefined;
}

/** The pool behind its faces: who holds which slot, what is in it, and who waits. */
export class PoolCore {
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly counters = new Counters();
  readonly #slab: Mmap;
  readonly #keys: KeyLease;
  /** One a stripe: only that stripe's key open. */
  readonly #masks: readonly ProtectionMask[];
  readonly #virtualMemory: VirtualMemory;
  readonly #memory: SlotMemory;
  readonly #reset: SlotReset;
  readonly #queue: DecommitQueue;
  readonly #allocators: readonly ModuleAffinityIndexAllocator[];
  readonly #waiting: readonly WaitQueue<Lease>[];
  readonly #views = new Map<number, ArrayBuffer>();
  /** Views whose memories were collected: only somebody outside may still hold them. */
  readonly #weakViews = new Map<number, WeakRef<ArrayBuffer>>();
  #closed = false;

  constructor(slab: Mmap, layout: SlabLayout, options: PoolCoreOptions) {
    const { virtualMemory, keys, maxUnusedWarmSlots, decommitBatchSize } = options;
    const images = new ImageTable();
    this.layout = layout;
    this.records = new SlotRecords(layout.numSlots);
    this.#slab = slab;
    this.#keys = keys;
    this.#masks = keys.keys.map((key) => ProtectionMask.zero.or(key));
    this.#virtualMemory = virtualMemory;
    const pages = new SlotPages(slab, layout, keys.keys);
    this.#memory = new SlotMemory(pages, this.records, images, mappingBudget(), virtualMemory.pageSize);
    this.#reset = new SlotReset(slab.address, layout, this.records, images, {
      ...options,
      onFailedScan: () => this.counters.add('failedScans', 1),
    });
    this.#queue = new DecommitQueue(decommitBatchSize);
    const stripes = Array.from({ length: layout.numStripes }, (_, stripe) => stripe);
    this.#allocators = stripes.map(
      (stripe) => new ModuleAffinityIndexAllocator(layout.slotsInStripe(stripe), maxUnusedWarmSlots),
    );
    this.#waiting = stripes.map(() => new WaitQueue<Lease>());
  }

  /** Whether closing began: nothing can be had any more, even if the system would not take the slab back. */
  get closed(): boolean {
    return this.#closed;
  }

  get slabAddress(): number {
    return this.#slab.address;
  }

  get unusedWarmMemories(): number {
    return this.#allocators.reduce((sum, allocator) => sum + allocator.unusedWarmSlots, 0);
  }

  get unusedBytesResident(): number {
    return this.#allocators.reduce((sum, allocator) => sum + allocator.unusedBytesResident, 0);
  }

  /** Freed slots that wait for their pages to be dropped: not live, and not free yet. */
  get queued(): number {
    return this.#queue.length;
  }

  get waiting(): number {
    return this.#waiting.reduce((sum, queue) => sum + queue.length, 0);
  }

  addressOf(slot: number): number {
    return this.#slab.address + this.layout.slotOffset(slot);
  }

  /** Whether the lease's memory is still live. */
  holds(lease: Lease): boolean {
    return this.records.generation(lease.slot) === lease.generation;
  }

  /** Takes a slot of the tenant's stripe and makes it the memory that the request describes. */
  allocate(request: AllocationRequest): Lease {
    const lease = this.#tryAllocate(request);
    if (lease !== undefined) return lease;
    const { stripe } = request.tenancy;
    const capacity = this.#reportExhausted(stripe);
    throw new PoolConcurrencyLimitError(stripe, capacity, this.layout.numStripes);
  }

  /** The same, but nobody who waits is overtaken, and a full stripe is no error. */
  allocateIfFirst(request: AllocationRequest): Lease | undefined {
    return this.#waitQueue(request.tenancy.stripe).length === 0 ? this.#tryAllocate(request) : undefined;
  }

  /** Waits for a slot, behind everybody else who does. `owner` is whom {@link PoolCore.rejectWaiting} finds it by. */
  allocateInTurn(request: AllocationRequest, owner: object, signal?: AbortSignal): Promise<Lease> {
    const attempt = () => this.#tryAllocate(request);
    this.#reportExhausted(request.tenancy.stripe);
    return this.#waitQueue(request.tenancy.stripe).wait({ attempt, owner, signal });
  }

  /** Ends a tenancy of a live slot: the view first, then the pages, and only then may somebody else have the slot. */
  release(tenancy: Tenancy, slot: number): void {
    this.#endTenancy(tenancy, slot);
    try {
      this.#recycle(slot);
    } finally {
      // Last: who hears of it may do anything, close the pool included.
      if (onFree.hasSubscribers) onFree.publish({ slot, stripe: tenancy.stripe } satisfies FreeEvent);
    }
  }

  /** Ends a tenancy that never came to be. Nothing is reset: the slot is laid over before its next use. */
  abandon(tenancy: Tenancy, slot: number): void {
    this.#endTenancy(tenancy, slot);
    this.#giveBackUnknown(slot, false);
  }

  /** Grows a live slot; its view is detached in any case that changes anything. */
  grow(slot: number, byteLength: number): void {
    try {
      this.#memory.grow(slot, byteLength);
    } catch (error) {
      throw explainRefusal(`grow the memory in slot ${slot}`, error);
    }
    this.#revokeView(slot);
  }

  /** The live slot's view, made at first use: V8 counts a view's whole length as memory to be collected. */
  view(slot: number): ArrayBuffer {
    let view = this.#views.get(slot);
    if (view === undefined) {
      view = createView(this.addressOf(slot), this.records.byteLength(slot));
      // Whoever keeps no more than the view keeps the slab.
      Object.defineProperty(view, CORE, { value: this });
      this.#views.set(slot, view);
    }
    return view;
  }

  /** Runs `fn` such that of the pool's memory only the stripe's can be touched; in a slab without stripes, just runs it. */
  enter<T>(stripe: number, fn: () => T): T {
    const mask = this.#masks[stripe];
    return mask === undefined ? fn() : enterStripe(mask, fn);
  }

  /** Keeps the slot's view weakly from now on, and returns it if there is one and it lives. */
  weakenView(slot: number): ArrayBuffer | undefined {
    const view = this.#views.get(slot);
    if (view === undefined) return this.#weakViews.get(slot)?.deref();
    this.#views.delete(slot);
    this.#weakViews.set(slot, new WeakRef(view));
    return view;
  }

  /** Drops what the decommit queue holds and gives its slots back. */
  flush(): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    const { slots, addresses, byteLengths, bytesResident, length } = queue;
    const strategies = Array.from({ length }, (_, i) => queue.strategy(i));
    let failure: unknown;
    try {
      this.#virtualMemory.decommitMany(addresses, byteLengths, length);
      this.counters.add('decommits', 1);
    } catch (error) {
      failure = error;
    }
    const freed = slots.slice(0, length);
    const resident = bytesResident.slice(0, length);
    // Cleared first: whoever waits may run, and free more, while the slots are given back.
    queue.clear();
    for (const [i, slot] of freed.entries()) {
      if (failure === undefined) {
        this.#giveBackClean(slot, strategies[i] as ResetStrategy, resident[i] as number);
      } else this.#giveBackUnknown(slot);
    }
    if (failure !== undefined) this.#report(freed[0] as number, failure);
  }

  /** Checks that no slot is lost, nor in two hands; {@link checkBooks}. */
  checkConsistency(): void {
    const { layout, records, counters } = this;
    checkBooks({ layout, records, counters, queue: this.#queue, allocators: this.#allocators });
  }

  /** Rejects the waiters of a store. */
  rejectWaiting(stripe: number, owner: object, reason: () => unknown): void {
    this.#waitQueue(stripe).rejectOwner(owner, reason);
  }

  /** Forgets a module: slots that keep its image for it lose the image and become anybody's. Returns how many. */
  purge(key: MemoryKey): number {
    let purged = 0;
    this.flush();
    for (const [stripe, allocator] of this.#allocators.entries()) {
      for (;;) {
        const index = allocator.allocAffineAndClearAffinity(key);
        if (index === undefined) break;
        this.#purgeSlot(this.layout.slotIndex(stripe, index));
        allocator.free(index, 0);
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
    if (!this.#closed) this.#endAll(reason);
    this.#slab.close();
    this.#memory.close();
    this.#keys.dispose();
  }

  #endAll(reason: () => unknown): void {
    this.#closed = true;
    for (const queue of this.#waiting) queue.rejectAll(reason);
    for (const view of this.#views.values()) detachView(view);
    for (const view of this.#weakViews.values()) {
      const left = view.deref();
      if (left !== undefined) detachView(left);
    }
    this.#views.clear();
    this.#weakViews.clear();
    this.#reset.close();
    // Records that were never written are pages that were never touched: with nobody left, none is looked at.
    const numSlots = this.counters.get('liveMemories') === 0 ? 0 : this.layout.numSlots;
    for (let slot = 0; slot < numSlots; slot++) {
      if (this.records.isLive(slot)) this.records.nextGeneration(slot);
    }
    this.counters.set('liveMemories', 0);
    this.#queue.clear();
  }

  /** Takes a slot if there is one; those in the decommit queue count. */
  #tryAllocate({ tenancy, template, trace }: AllocationRequest): Lease | undefined {
    const allocator = this.#allocator(tenancy.stripe);
    let index = allocator.alloc(template.key);
    if (index === undefined && this.#queue.length > 0) {
      this.flush();
      // Who heard of a failure may have closed the pool.
      if (this.#closed) throw new PoolClosedError('allocate a memory');
      index = allocator.alloc(template.key);
    }
    if (index === undefined) return undefined;
    const slot = this.layout.slotIndex(tenancy.stripe, index);
    try {
      this.#memory.take(slot);
      this.#memory.instantiate(slot, template.initialBytes, template.image);
      if (template.writes.length > 0) this.#write(slot, template);
    } catch (error) {
      // The record says UNKNOWN since `take`: whatever half was done is laid over before the slot's next use.
      this.records.setByteLength(slot, 0);
      allocator.free(index, 0);
      throw explainRefusal(`allocate a memory in slot ${slot}`, error);
    }
    const generation = this.records.nextGeneration(slot);
    tenancy.head = this.records.link(slot, tenancy.id, tenancy.head);
    tenancy.length++;
    this.counters.add('liveMemories', 1);
    return { tenancy, slot, generation, trace };
  }

  #endTenancy(tenancy: Tenancy, slot: number): void {
    this.#revokeView(slot);
    this.records.nextGeneration(slot);
    this.records.setByteLength(slot, 0);
    tenancy.head = this.records.unlink(slot, tenancy.head);
    tenancy.length--;
    this.counters.add('liveMemories', -1);
  }

  /** Resets a slot that nobody holds any more, and gives it back, or queues it where its pages are dropped in batches. */
  #recycle(slot: number): void {
    if (this.records.isTainted(slot)) {
      this.#giveBackUnknown(slot);
      return;
    }
    let reset: ResetResult;
    try {
      reset = asHost(() => this.#reset.run(slot));
      if (reset.dropBytes > 0 && this.#queue.capacity === 1) this.#drop(reset);
    } catch (error) {
      this.#giveBackUnknown(slot);
      this.#report(slot, error);
      return;
    }
    if (reset.dropBytes === 0) this.#giveBackClean(slot, reset.strategy, reset.bytesWritten);
    else this.#enqueue(slot, reset);
  }

  /** With batches of one there is no batch: the region is dropped at once. */
  #drop(reset: ResetResult): void {
    this.#slab.decommit(reset.dropOffset, reset.dropBytes);
    this.counters.add('decommits', 1);
    reset.dropBytes = 0;
  }

  #enqueue(slot: number, reset: ResetResult): void {
    this.#queue.push(slot, this.#slab.address + reset.dropOffset, reset);
    // Somebody who waits must not wait for a batch to fill.
    if (this.#queue.isFull || this.waiting > 0) this.flush();
  }

  /** The reset is done, and counted: `bytesResident` bytes were written, all else was dropped. */
  #giveBackClean(slot: number, strategy: ResetStrategy, bytesResident: number): void {
    this.counters.add(RESET_COUNTERS[strategy], 1);
    this.counters.add('bytesCopied', bytesResident);
    this.records.putPreviouslyUsed(slot);
    this.#giveBack(slot, bytesResident);
  }

  #giveBackUnknown(slot: number, failed = true): void {
    this.records.putUnknown(slot);
    if (failed) this.counters.add('failedResets', 1);
    this.#giveBack(slot, 0);
  }

  #giveBack(slot: number, bytesResident: number): void {
    const stripe = this.layout.stripeOf(slot);
    this.#allocator(stripe).free(this.layout.indexInStripe(slot), bytesResident);
    const queue = this.#waitQueue(stripe);
    if (queue.length > 0) queue.serve();
  }

  #reportExhausted(stripe: number): number {
    const { capacity } = this.#allocator(stripe);
    if (onExhausted.hasSubscribers) onExhausted.publish({ stripe, capacity } satisfies ExhaustedEvent);
    return capacity;
  }

  #report(slot: number, error: unknown): void {
    if (!(error instanceof SystemError)) throw error;
    if (onFailure.hasSubscribers) onFailure.publish({ slot, error } satisfies FailureEvent);
  }

  #purgeSlot(slot: number): void {
    if (this.records.takeState(slot) !== SlotState.PREVIOUSLY_USED) return;
    try {
      this.#memory.removeImage(slot);
      this.records.putPreviouslyUsed(slot);
    } catch (error) {
      this.counters.add('failedResets', 1);
      this.#report(slot, error);
    }
  }

  /** Detaches the slot's view, so that nobody reaches the slot's bytes through it any more. */
  #revokeView(slot: number): void {
    const view = this.#views.get(slot) ?? this.#weakViews.get(slot)?.deref();
    if (view === undefined) return;
    this.#views.delete(slot);
    this.#weakViews.delete(slot);
    detachView(view);
  }

  #write(slot: number, template: MemoryTemplate): void {
    const view = createView(this.addressOf(slot), template.initialBytes);
    try {
      const bytes = new Uint8Array(view);
      asHost(() => {
        for (const { offset, data } of template.writes) bytes.set(data, offset);
      });
    } finally {
      detachView(view);
    }
  }

  #allocator(stripe: number): ModuleAffinityIndexAllocator {
    return this.#allocators[stripe] as ModuleAffinityIndexAllocator;
  }

  #waitQueue(stripe: number): WaitQueue<Lease> {
    return this.#waiting[stripe] as WaitQueue<Lease>;
  }
}
