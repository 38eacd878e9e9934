/** Which slots are free, stripe by stripe, and who waits for one. */
import { ModuleAffinityIndexAllocator, type MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Lease } from './tenancy.js';
import { WaitQueue } from './wait-queue.js';

/**
 * An allocator and a queue a stripe. Speaks of slots of the slab, where an allocator knows indices in its stripe: slot
 * `index * numStripes + stripe`, as the layout has it.
 */
export class FreeSlots {
  /** One a stripe. */
  readonly allocators: readonly ModuleAffinityIndexAllocator[];
  readonly #numStripes: number;
  /** Stripes in which something came free for somebody who waits. */
  readonly due = new Set<number>();
  readonly #waiting: readonly WaitQueue<Lease>[];
  #serving = false;

  constructor(layout: SlabLayout, maxUnusedWarmSlots: number) {
    this.#numStripes = layout.numStripes;
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

  /** Slots of the stripe that were used before and are free. */
  warmSlots(stripe: number): number {
    return this.allocators[stripe]!.unusedWarmSlots;
  }

  capacity(stripe: number): number {
    return this.allocators[stripe]!.capacity;
  }

  /** Takes a free slot of the stripe, if there is one: by preference one that has the key's image. */
  take(stripe: number, key: MemoryKey | undefined): number | undefined {
    const index = this.allocators[stripe]!.alloc(key);
    return index === undefined ? undefined : index * this.#numStripes + stripe;
  }

  /** Takes a free slot that has the key's image, and makes it anybody's. */
  takeAffine(stripe: number, key: MemoryKey): number | undefined {
    const allocator = this.allocators[stripe]!;
    const index = allocator.allocAffineAndClearAffinity(key);
    return index === undefined ? undefined : index * this.#numStripes + stripe;
  }

  /** Takes the free slot of the stripe that was used before and has been free for the longest time; it is for nobody then. */
  takeOldest(stripe: number): number | undefined {
    const index = this.allocators[stripe]!.allocOldestWarm();
    return index === undefined ? undefined : index * this.#numStripes + stripe;
  }

  /** Gives a slot back that was used. Those who wait for it have their turn when {@link FreeSlots.serve} is called. */
  giveBack(slot: number, bytesResident: number): void {
    const stripe = slot % this.#numStripes;
    const index = (slot - stripe) / this.#numStripes;
    this.allocators[stripe]!.free(index, bytesResident);
    if (this.#waiting[stripe]!.length > 0) this.due.add(stripe);
  }

  /**
   * Serves those who wait where something came free. Last in every operation that gives something back: attempts run code of others,
   * which may do anything, and what they give back meanwhile is seen to by the outermost call.
   */
  serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      for (const stripe of this.due) {
        // Taken out first, so that it comes again if an attempt gives something back.
        this.due.delete(stripe);
        this.#waiting[stripe]!.serve();
      }
    } finally {
      this.#serving = false;
    }
  }

  /**
   * Has free slots give back what they keep in RAM, the least recently freed of each stripe first, until they keep at most `maxBytes`;
   * `release` says how much still is. Stripes give in proportion to what they have.
   */
  trim(maxBytes: number, release: (slot: number, bytesResident: number) => number): void {
    const total = this.unusedBytesResident;
    if (total <= maxBytes) return;
    for (const [stripe, allocator] of this.allocators.entries()) {
      const share = Math.floor((allocator.unusedBytesResident / total) * maxBytes);
      allocator.trim(share, (index, bytesResident) =>
        release(index * this.#numStripes + stripe, bytesResident),
      );
    }
  }

  /** Who waits for the stripe. */
  queue(stripe: number): WaitQueue<Lease> {
    return this.#waiting[stripe]!;
  }

  rejectAll(reason: () => unknown): void {
    for (const queue of this.#waiting) queue.rejectAll(reason);
  }
}
