/** Which slots are free, and who waits for one. */
import {
  InconsistentStateError,
  ModuleAffinityIndexAllocator,
  type MemoryKey,
} from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Lease } from './tenancy.js';
import { WaitQueue, type WaitRequest } from './wait-queue.js';

/** A line of waiters. */
export interface Line {
  /** How many wait. */
  readonly length: number;
  wait(request: WaitRequest<Lease>): Promise<Lease>;
  rejectOwner(owner: object, reason: () => unknown): void;
  rejectAll(reason: () => unknown): void;
}

/** The free slots of a pool: one thread's, or of all threads that share it. Speaks of slots of the slab. */
export interface FreeSlots {
  /** Parts that are gone through one by one: stripes, or where threads share the pool, shards. */
  readonly numParts: number;
  /** Stripes in which something came free for somebody who waits. */
  readonly due: ReadonlySet<number>;
  readonly unusedWarmMemories: number;
  readonly unusedBytesResident: number;
  /** How many wait in this thread, for any stripe. */
  readonly waiting: number;
  /** Whether somebody waits, in whichever thread. */
  readonly isWaitedFor: boolean;
  /** At most so many slots of the part were used before and are free. */
  warmSlots(part: number): number;
  capacity(stripe: number): number;
  /** Mends what calls left that were cut short. `isHeld` says of a slot whether somebody has it. */
  mend(isHeld: (slot: number) => boolean): void;
  /** Whether slots are on their way to waiters: taken, and nobody was told of them. */
  readonly isHandingOut: boolean;
  /** Whether this thread has taken the slot, and not given it back. */
  isTaken(slot: number): boolean;
  /** Takes a free slot of the stripe, if there is one: by preference one that has the key's image. */
  take(stripe: number, key: MemoryKey | undefined): number | undefined;
  /** Takes a free slot that has the key's image, and makes it anybody's. */
  takeAffine(stripe: number, key: MemoryKey): number | undefined;
  /** Takes the free slot of the part that was used before and has been free for the longest time; it is for nobody then. */
  takeOldest(part: number): number | undefined;
  /** Gives a slot back that was used. Those who wait for it have their turn, at the latest when {@link FreeSlots.serve} is called. */
  giveBack(slot: number, bytesResident: number): void;
  /** Serves those who wait where something came free. Last in every operation that gives something back. */
  serve(): void;
  /** Has free slots give back what they keep in RAM until they keep at most `maxBytes`; `release` says how much still is. */
  trim(maxBytes: number, release: (slot: number, bytesResident: number) => number): void;
  /** Who waits for the stripe. */
  queue(stripe: number): Line;
  rejectAll(reason: () => unknown): void;
}

/**
 * Of one thread: an allocator and a queue a stripe. Speaks of slots of the slab, where an allocator knows indices in its stripe: slot
 * `index * numStripes + stripe`, as the layout has it.
 */
export class OwnFreeSlots implements FreeSlots {
  /** One a stripe. */
  readonly allocators: ModuleAffinityIndexAllocator[];
  readonly numParts: number;
  /** An attempt takes its slot itself. */
  readonly isHandingOut = false;
  readonly #numStripes: number;
  /** Stripes in which something came free for somebody who waits. */
  readonly due = new Set<number>();
  readonly #waiting: readonly WaitQueue<Lease>[];
  #serving = false;

  constructor(layout: SlabLayout, maxUnusedWarmSlots: number) {
    this.numParts = layout.numStripes;
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

  get isWaitedFor(): boolean {
    return this.waiting > 0;
  }

  /** Slots of the stripe that were used before and are free. */
  warmSlots(stripe: number): number {
    return this.allocators[stripe]!.unusedWarmSlots;
  }

  capacity(stripe: number): number {
    return this.allocators[stripe]!.capacity;
  }

  /** Allocators whose lists were cut are made anew: what they knew of modules and of bytes in RAM is lost, and no slot is. */
  mend(isHeld: (slot: number) => boolean): void {
    this.#serving = false;
    for (const [stripe, allocator] of this.allocators.entries()) {
      try {
        allocator.checkConsistency();
      } catch (error) {
        if (!(error instanceof InconsistentStateError)) throw error;
        const { capacity, maxUnusedWarmSlots } = allocator;
        const fresh = new ModuleAffinityIndexAllocator(capacity, maxUnusedWarmSlots);
        for (let index = 0; index < capacity; index++) fresh.alloc();
        for (let index = 0; index < capacity; index++) {
          if (!isHeld(index * this.#numStripes + stripe)) fresh.free(index, 0);
        }
        this.allocators[stripe] = fresh;
      }
    }
  }

  isTaken(slot: number): boolean {
    const stripe = slot % this.#numStripes;
    return this.allocators[stripe]!.isUsed((slot - stripe) / this.#numStripes);
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
    const numStripes = this.#numStripes;
    // Without the two divisions where there is one.
    const stripe = numStripes === 1 ? 0 : slot % numStripes;
    this.allocators[stripe]!.free(numStripes === 1 ? slot : (slot - stripe) / numStripes, bytesResident);
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
