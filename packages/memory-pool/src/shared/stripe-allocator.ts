/** The free slots of one stripe that threads share, spoken of by their numbers in the slab. */
import type { MemoryKey, SharedIndexAllocator, WaitOptions } from '@guardstripe/index-allocator';

/** What a shared pool asks of an allocator. Of a slab without stripes, the allocator itself. */
export type SlotAllocator = Pick<
  SharedIndexAllocator,
  | 'adopt'
  | 'alloc'
  | 'allocAffineAndClearAffinity'
  | 'allocAsync'
  | 'allocOldestWarm'
  | 'capacity'
  | 'checkConsistency'
  | 'close'
  | 'free'
  | 'holder'
  | 'isUnknown'
  | 'isWaitedFor'
  | 'numShards'
  | 'reclaim'
  | 'unusedBytesResident'
  | 'unusedWarmSlots'
>;

/** An allocator knows indices in its stripe: slot `index * numStripes + stripe`, as the layout has it. */
export class StripeAllocator implements SlotAllocator {
  readonly capacity: number;
  readonly numShards: number;
  readonly #allocator: SharedIndexAllocator;
  readonly #stripe: number;
  readonly #numStripes: number;

  constructor(allocator: SharedIndexAllocator, stripe: number, numStripes: number) {
    this.capacity = allocator.capacity;
    this.numShards = allocator.numShards;
    this.#allocator = allocator;
    this.#stripe = stripe;
    this.#numStripes = numStripes;
  }

  get unusedWarmSlots(): number {
    return this.#allocator.unusedWarmSlots;
  }

  get unusedBytesResident(): number {
    return this.#allocator.unusedBytesResident;
  }

  get isWaitedFor(): boolean {
    return this.#allocator.isWaitedFor;
  }

  alloc(forMemory?: MemoryKey): number | undefined {
    return this.#slotOf(this.#allocator.alloc(forMemory));
  }

  async allocAsync(forMemory?: MemoryKey, { signal, onTaken }: WaitOptions = {}): Promise<number> {
    const told = onTaken && ((index: number) => onTaken(this.#slotAt(index)));
    const options = { ...(signal && { signal }), ...(told && { onTaken: told }) };
    return this.#slotAt(await this.#allocator.allocAsync(forMemory, options));
  }

  allocAffineAndClearAffinity(key: MemoryKey): number | undefined {
    return this.#slotOf(this.#allocator.allocAffineAndClearAffinity(key));
  }

  allocOldestWarm(shard?: number): number | undefined {
    return this.#slotOf(this.#allocator.allocOldestWarm(shard));
  }

  free(slot: number, bytesResident: number): void {
    this.#allocator.free(this.#indexOf(slot), bytesResident);
  }

  adopt(slot: number, from: number): void {
    this.#allocator.adopt(this.#indexOf(slot), from);
  }

  holder(slot: number): number | undefined {
    return this.#allocator.holder(this.#indexOf(slot));
  }

  isUnknown(slot: number): boolean {
    return this.#allocator.isUnknown(this.#indexOf(slot));
  }

  reclaim(): number {
    return this.#allocator.reclaim();
  }

  checkConsistency(): void {
    this.#allocator.checkConsistency();
  }

  close(): void {
    this.#allocator.close();
  }

  #slotOf(index: number | undefined): number | undefined {
    return index === undefined ? undefined : this.#slotAt(index);
  }

  #slotAt(index: number): number {
    return index * this.#numStripes + this.#stripe;
  }

  /** Of a slot of another stripe a fraction, which the allocator refuses. */
  #indexOf(slot: number): number {
    return (slot - this.#stripe) / this.#numStripes;
  }
}
