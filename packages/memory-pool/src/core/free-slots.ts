/** Which slots are free, stripe by stripe, and who waits for one. */
import { ModuleAffinityIndexAllocator, type MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Lease } from './tenancy.js';
import { WaitQueue } from './wait-queue.js';

/** An allocator and a queue a stripe. Speaks of slots of the slab, where an allocator knows indices in its stripe. */
export class FreeSlots {
  /** One a stripe. */
  readonly allocators: readonly ModuleAffinityIndexAllocator[];
  readonly #layout: SlabLayout;
  readonly #waiting: readonly WaitQueue<Lease>[];

  constructor(layout: SlabLayout, maxUnusedWarmSlots: number) {
    this.#layout = layout;
    this.allocators = Array.from(
      { length: layout.numStripes },
      (_, stripe) => new ModuleAffinityIndexAllocator(layout.slotsInStripe(stripe), maxUnusedWarmSlots),
    );
    this.#waiting = this.allocators.map(() => new WaitQueue<Lease>());
  }

  get unusedWarmMemories(): number {
    return this.allocators.reduce((sum, allocator) => sum + allocator.unusedWarmSlots, 0);
  }

  get unusedBytesResident(): number {
    return this.allocators.reduce((sum, allocator) => sum + allocator.unusedBytesResident, 0);
  }

  /** How many wait, for any stripe. */
  get waiting(): number {
    return this.#waiting.reduce((sum, queue) => sum + queue.length, 0);
  }

  capacity(stripe: number): number {
    return this.#allocator(stripe).capacity;
  }

  /** Takes a free slot of the stripe, if there is one: by preference one that has the key's image. */
  take(stripe: number, key: MemoryKey | undefined): number | undefined {
    const index = this.#allocator(stripe).alloc(key);
    return index === undefined ? undefined : this.#layout.slotIndex(stripe, index);
  }

  /** Takes a free slot that has the key's image, and makes it anybody's. */
  takeAffine(stripe: number, key: MemoryKey): number | undefined {
    const index = this.#allocator(stripe).allocAffineAndClearAffinity(key);
    return index === undefined ? undefined : this.#layout.slotIndex(stripe, index);
  }

  /** Puts a slot back that was taken in vain. Nobody who waits is told: there is no more to be had than before. */
  putBack(slot: number, bytesResident = 0): void {
    this.#allocator(this.#layout.stripeOf(slot)).free(this.#layout.indexInStripe(slot), bytesResident);
  }

  /** Gives a slot back that was used, and serves those who wait for it. */
  giveBack(slot: number, bytesResident: number): void {
    this.putBack(slot, bytesResident);
    const queue = this.queue(this.#layout.stripeOf(slot));
    if (queue.length > 0) queue.serve();
  }

  /** Who waits for the stripe. */
  queue(stripe: number): WaitQueue<Lease> {
    return this.#waiting[stripe]!;
  }

  rejectAll(reason: () => unknown): void {
    for (const queue of this.#waiting) queue.rejectAll(reason);
  }

  #allocator(stripe: number): ModuleAffinityIndexAllocator {
    return this.allocators[stripe]!;
  }
}
