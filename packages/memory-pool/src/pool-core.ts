/**
 * The pool without its public face: one slab, its slots' records, an allocator for each stripe, and the views that were
 * handed out. Everything that changes a slot goes through here, so that the order of steps stands in one place.
 */
import { ModuleAffinityIndexAllocator, type MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import { createView, detachView, SystemError, type Mmap } from '@guardstripe/mmap';
import { PoolConcurrencyLimitError } from './errors.js';
import { SlotMemory } from './slot-memory.js';
import { SlotRecords, SlotState } from './slot-records.js';
import type { InitialBytes, MemoryTemplate } from './template.js';
import type { Tenancy } from './tenancy.js';

/** @internal */
export class PoolCore {
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  liveMemories = 0;
  failedResets = 0;
  readonly #slab: Mmap;
  readonly #memory: SlotMemory;
  readonly #allocators: readonly ModuleAffinityIndexAllocator[];
  readonly #views = new Map<number, ArrayBuffer>();

  constructor(slab: Mmap, layout: SlabLayout, maxUnusedWarmSlots: number, pageBytes: number) {
    this.layout = layout;
    this.records = new SlotRecords(layout.numSlots);
    this.#slab = slab;
    this.#memory = new SlotMemory(slab, layout, this.records, pageBytes);
    this.#allocators = Array.from(
      { length: layout.numStripes },
      (_, stripe) => new ModuleAffinityIndexAllocator(layout.slotsInStripe(stripe), maxUnusedWarmSlots),
    );
  }

  get closed(): boolean {
    return this.#slab.closed;
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

  addressOf(slot: number): number {
    return this.#slab.address + this.layout.slotOffset(slot);
  }

  /** Takes a slot of the tenant's stripe and makes it the memory that the template describes; returns the slot. */
  allocate(tenancy: Tenancy, template: MemoryTemplate): number {
    const allocator = this.#allocator(tenancy.stripe);
    const index = allocator.alloc(template.key);
    if (index === undefined) {
      throw new PoolConcurrencyLimitError(tenancy.stripe, allocator.capacity, this.layout.numStripes);
    }
    const slot = this.layout.slotIndex(tenancy.stripe, index);
    try {
      this.#memory.take(slot);
      this.#memory.instantiate(slot, template.initialBytes, template.image);
      if (template.writes.length > 0) this.#write(slot, template.initialBytes, template.writes);
    } catch (error) {
      // The record says UNKNOWN since `take`: whatever half was done is laid over before the slot's next use.
      this.records.setByteLength(slot, 0);
      allocator.free(index, 0);
      throw error;
    }
    this.records.nextGeneration(slot);
    tenancy.head = this.records.link(slot, tenancy.id, tenancy.head);
    tenancy.length++;
    this.liveMemories++;
    return slot;
  }

  /** Ends a tenancy of a live slot: the view first, then the pages, and only then may somebody else have the slot. */
  release(tenancy: Tenancy, slot: number): void {
    this.revokeView(slot);
    this.records.nextGeneration(slot);
    tenancy.head = this.records.unlink(slot, tenancy.head);
    tenancy.length--;
    this.liveMemories--;
    try {
      if (!this.#memory.reset(slot)) this.failedResets++;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.failedResets++;
    } finally {
      this.#allocator(tenancy.stripe).free(this.layout.indexInStripe(slot), 0);
    }
  }

  /** Grows a live slot; its view is detached in any case that changes anything. */
  grow(slot: number, byteLength: number): void {
    this.#memory.grow(slot, byteLength);
    this.revokeView(slot);
  }

  /** The live slot's view, made at first use: V8 counts a view's whole length as memory to be collected. */
  view(slot: number): ArrayBuffer {
    let view = this.#views.get(slot);
    if (view === undefined) {
      view = createView(this.addressOf(slot), this.records.byteLength(slot));
      this.#views.set(slot, view);
    }
    return view;
  }

  /** Detaches the slot's view, so that nobody reaches the slot's bytes through it any more. */
  revokeView(slot: number): void {
    const view = this.#views.get(slot);
    if (view === undefined) return;
    this.#views.delete(slot);
    detachView(view);
  }

  /** Forgets a module: slots that keep its image for it lose the image and become anybody's. Returns how many. */
  purge(key: MemoryKey): number {
    let purged = 0;
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

  /** Ends every tenancy without resetting anything, and gives the slab back. */
  close(): void {
    for (const view of this.#views.values()) detachView(view);
    this.#views.clear();
    for (let slot = 0; slot < this.layout.numSlots; slot++) {
      if (this.records.isLive(slot)) this.records.nextGeneration(slot);
    }
    this.liveMemories = 0;
    this.#slab.close();
  }

  #purgeSlot(slot: number): void {
    if (this.records.takeState(slot) !== SlotState.PREVIOUSLY_USED) return;
    try {
      this.#memory.removeImage(slot);
      this.records.putPreviouslyUsed(slot);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.failedResets++;
    }
  }

  #write(slot: number, byteLength: number, writes: readonly InitialBytes[]): void {
    const view = createView(this.addressOf(slot), byteLength);
    try {
      const bytes = new Uint8Array(view);
      for (const { offset, data } of writes) bytes.set(data, offset);
    } finally {
      detachView(view);
    }
  }

  #allocator(stripe: number): ModuleAffinityIndexAllocator {
    return this.#allocators[stripe] as ModuleAffinityIndexAllocator;
  }
}
