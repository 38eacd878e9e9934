/** Which slots are free, and who waits for one. */
import {
  InconsistentStateError,
  ModuleAffinityIndexAllocator,
  type MemoryKey,
} from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Lease } from './tenancy.js';
import { WaitQueue } from './waiting/wait-queue.js';
import { NEXT_TURN, type WaitRequest } from './waiting/waiters.js';

/** A line of waiters. */
export interface Line {
  /** How many wait. */
  readonly length: number;
  wait(request: WaitRequest<Lease>): Promise<Lease>;
  /** What some wait for is about to come to an end: those are rejected on the next turn. */
  recheck(): void;
}

/** The free slots of a pool: one thread's, or of all threads that share it. Speaks of slots of the slab. */
export interface FreeSlots {
  /** Parts that are gone through one by one: stripes, or where threads share the pool, shards. */
  readonly numParts: number;
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
  /** Whether the slot was taken for somebody who waits, and who was not told yet. */
  isOnItsWay(slot: number): boolean;
  /** Whether this thread has taken the slot, and not given it back. */
  isTaken(slot: number): boolean;
  /**
   * Takes a free slot of the stripe, if there is one: by preference one that has the key's image.
   *
   * @param isTurn - whether for whoever waits and has its turn; others take nothing while somebody waits
   */
  take(stripe: number, key: MemoryKey | undefined, isTurn: boolean): number | undefined;
  /** Takes a free slot that has the key's image, and makes it anybody's. */
  takeAffine(stripe: number, key: MemoryKey): number | undefined;
  /** Takes the free slot of the part that was used before and has been free for the longest time; it is for nobody then. */
  takeOldest(part: number): number | undefined;
  /** Gives a slot back that was used. Those who wait for it have a turn of their own. */
  giveBack(slot: number, bytesResident: number): void;
  /** Has those who wait answered on a turn of its own. First in what may give something back, where {@link FreeSlots.waiting} says so. */
  answerSoon(): void;
  /** Has free slots give back what they keep in RAM until they keep at most `maxBytes`; `release` says how much still is. */
  trim(maxBytes: number, release: (slot: number, bytesResident: number) => number): void;
  /** Who waits for the stripe. */
  queue(stripe: number): Line;
  /** The pool is about to end: everybody is rejected on the next turn. */
  recheckAll(): void;
}

/**
 * Of one thread: an allocator and a queue a stripe. Speaks of slots of the slab, where an allocator knows indices in its stripe: slot
 * `index * numStripes + stripe`, as the layout has it.
 */
export class OwnFreeSlots implements FreeSlots {
  /** One a stripe. */
  readonly allocators: ModuleAffinityIndexAllocator[];
  readonly numParts: number;
  /** How many wait, for any stripe. */
  waiting = 0;
  readonly #numStripes: number;
  readonly #queues: readonly WaitQueue<Lease>[];

  constructor(layout: SlabLayout, maxUnusedWarmSlots: number) {
    this.numParts = layout.numStripes;
    this.#numStripes = layout.numStripes;
    this.allocators = Array.from(
      { length: layout.numStripes },
      (_, stripe) => new ModuleAffinityIndexAllocator(layout.slotsInStripe(stripe), maxUnusedWarmSlots),
    );
    const onLength = () => {
      this.waiting = this.#queues.reduce((sum, queue) => sum + queue.length, 0);
    };
    const user = { onLength, answerSoon: () => this.answerSoon() };
    this.#queues = this.allocators.map(() => new WaitQueue<Lease>(user));
  }

  get unusedWarmMemories(): number {
    return this.allocators.reduce((sum, allocator) => sum + allocator.unusedWarmSlots, 0);
  }

  get unusedBytesResident(): number {
    return this.allocators.reduce((sum, allocator) => sum + allocator.unusedBytesResident, 0);
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

  /** An attempt takes its slot itself. */
  isOnItsWay(): boolean {
    return false;
  }

  take(stripe: number, key: MemoryKey | undefined, isTurn: boolean): number | undefined {
    // What is free is for whoever waits.
    if (this.waiting > 0 && !isTurn && this.#queues[stripe]!.length > 0) return undefined;
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

  giveBack(slot: number, bytesResident: number): void {
    if (this.waiting > 0) this.answerSoon();
    const numStripes = this.#numStripes;
    // Without the two divisions where there is one.
    const stripe = numStripes === 1 ? 0 : slot % numStripes;
    this.allocators[stripe]!.free(numStripes === 1 ? slot : (slot - stripe) / numStripes, bytesResident);
  }

  answerSoon(): void {
    void NEXT_TURN.then(() => this.#queues.forEach((queue) => queue.answer()));
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
    return this.#queues[stripe]!;
  }

  recheckAll(): void {
    for (const queue of this.#queues) queue.recheck();
  }
}
