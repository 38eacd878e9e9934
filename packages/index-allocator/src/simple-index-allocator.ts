/**
 * The allocator for slots that no module comes back to: stacks, tables, anything that is the same for everybody.
 */
import { showAs } from '@guardstripe/common';
import { ModuleAffinityIndexAllocator } from './module-affinity-index-allocator.js';
import type { AllocatorOptions } from './types.js';

/**
 * Hands out slots, numbered from 0: the least recently freed one first, and a slot never used only if there is no
 * other, so that as few as possible are ever touched. The state is that of {@link ModuleAffinityIndexAllocator}
 * with a warm limit of 0.
 */
export class SimpleIndexAllocator {
  readonly #inner: ModuleAffinityIndexAllocator;

  /**
   * @param capacity number of slots, an integer from 0 to 134,217,727 (`MAX_CAPACITY`)
   * @param options where the state lives
   * @throws what the constructor of {@link ModuleAffinityIndexAllocator} throws
   */
  constructor(capacity: number, options: AllocatorOptions = {}) {
    this.#inner = new ModuleAffinityIndexAllocator(capacity, 0, options);
    showAs(this, () => `SimpleIndexAllocator { ${this.length} of ${capacity} slots used }`);
  }

  /** Number of slots. */
  get capacity(): number {
    return this.#inner.capacity;
  }

  /** The memory of the state: 64 bytes, and 32 for each slot. Writing into it breaks the allocator. */
  get buffer(): ArrayBufferLike {
    return this.#inner.buffer;
  }

  /** Number of used slots, from 0 to `capacity`. */
  get length(): number {
    return this.#inner.length;
  }

  /** Whether no slot is used. */
  get isEmpty(): boolean {
    return this.#inner.isEmpty;
  }

  /** Takes a slot and returns its index, or `undefined` if all slots are used. */
  alloc(): number | undefined {
    return this.#inner.alloc();
  }

  /**
   * Gives a slot back.
   *
   * @param slot index of a used slot
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if it is not a number
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if there is no such slot
   * @throws {@link SlotNotInUseError} `ERR_SLOT_NOT_IN_USE` if the slot is free. In each case nothing has changed
   */
  free(slot: number): void {
    this.#inner.free(slot, 0);
  }

  /** Whether a slot is in somebody's hands. Throws as `free` does for a slot that does not exist. */
  isUsed(slot: number): boolean {
    return this.#inner.isUsed(slot);
  }

  /** Checks every rule of the state, as {@link ModuleAffinityIndexAllocator.checkConsistency} does. */
  checkConsistency(): void {
    this.#inner.checkConsistency();
  }
}
