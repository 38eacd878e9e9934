/**
 * Where everything lies in a slab. All offsets count from the slab's first byte.
 *
 * ```text
 *  0          slotOffset(0)  slotOffset(1)        slotOffset(numSlots-1)              totalSlabBytes
 *  |-----------------|-----------------|-- ... --|-----------------|-------------------|
 *  preSlabGuardBytes  slotBytes         slotBytes  slotBytes         postSlabGuardBytes
 *                    [memory][ rest   ]           each slot begins with its memory,
 *                                                 at most maxMemoryBytes of it
 *
 *  stripes, three here:  | 0 | 1 | 2 | 0 | 1 | 2 | 0 | ...
 *                        |<--------->|  bytesToNextStripeSlot
 * ```
 */
import { checkInteger, invalidArgType } from '@guardstripe/common';
import type { PageAlignedBytes } from './page-aligned-bytes.js';

/**
 * A slab's layout: frozen, and made by {@link calculate} only, so its figures are always consistent. Neither the total
 * nor any offset in it passes `Number.MAX_SAFE_INTEGER`.
 */
export class SlabLayout {
  /** How many memories the slab holds. */
  readonly numSlots: number;
  /** Bytes from the start of one slot to the start of the next. */
  readonly slotBytes: PageAlignedBytes;
  /** Most bytes of one memory that are ever accessible; at most `slotBytes`. */
  readonly maxMemoryBytes: PageAlignedBytes;
  /** Bytes before the first slot, never accessible. */
  readonly preSlabGuardBytes: PageAlignedBytes;
  /** Bytes behind the last slot, never accessible. */
  readonly postSlabGuardBytes: PageAlignedBytes;
  /** How many stripes, and so protection keys, the slots take turns in; 1 means that no key is needed. */
  readonly numStripes: number;
  /** The page size that every byte count here is a multiple of. */
  readonly pageSize: number;

  /** @internal Takes consistent parts only: {@link calculate} has checked them. */
  constructor(
    parts: Pick<
      SlabLayout,
      | 'numSlots'
      | 'slotBytes'
      | 'maxMemoryBytes'
      | 'preSlabGuardBytes'
      | 'postSlabGuardBytes'
      | 'numStripes'
      | 'pageSize'
    >,
  ) {
    this.numSlots = parts.numSlots;
    this.slotBytes = parts.slotBytes;
    this.maxMemoryBytes = parts.maxMemoryBytes;
    this.preSlabGuardBytes = parts.preSlabGuardBytes;
    this.postSlabGuardBytes = parts.postSlabGuardBytes;
    this.numStripes = parts.numStripes;
    this.pageSize = parts.pageSize;
    Object.freeze(this);
  }

  /** @internal Whether `value` was made here; who only has the prototype has none of the figures. */
  static isMade(value: unknown): value is SlabLayout {
    return typeof value === 'object' && value !== null && #checkSlot in value;
  }

  /** All bytes of address space that the slab takes: guards and slots. */
  get totalSlabBytes(): PageAlignedBytes {
    const slotsBytes = this.slotBytes * this.numSlots;
    return (this.preSlabGuardBytes + slotsBytes + this.postSlabGuardBytes) as PageAlignedBytes;
  }

  /**
   * Bytes from the start of a slot to the start of the next one of its stripe. Never less than the reservation and
   * the guard of a memory together: the promise that everything rests on.
   */
  get bytesToNextStripeSlot(): PageAlignedBytes {
    return (this.slotBytes * this.numStripes) as PageAlignedBytes;
  }

  /**
   * Where a slot begins, and its memory with it.
   *
   * @throws `TypeError` or `RangeError` unless `slot` is an integer from 0 to `numSlots - 1`
   */
  slotOffset(slot: number): PageAlignedBytes {
    this.#checkSlot(slot);
    return (this.preSlabGuardBytes + slot * this.slotBytes) as PageAlignedBytes;
  }

  /**
   * The stripe that a slot belongs to, from 0 to `numStripes - 1`.
   *
   * @throws as {@link SlabLayout.slotOffset}
   */
  stripeOf(slot: number): number {
    this.#checkSlot(slot);
    return slot % this.numStripes;
  }

  /**
   * A slot's number within its stripe, from 0 to `slotsInStripe(stripeOf(slot)) - 1`.
   *
   * @throws as {@link SlabLayout.slotOffset}
   */
  indexInStripe(slot: number): number {
    this.#checkSlot(slot);
    return (slot - (slot % this.numStripes)) / this.numStripes;
  }

  /**
   * How many slots a stripe has. The first stripes have one more where the slots do not divide evenly.
   *
   * @throws `TypeError` or `RangeError` unless `stripe` is an integer from 0 to `numStripes - 1`
   */
  slotsInStripe(stripe: number): number {
    checkInteger(stripe, 'stripe', 0, this.numStripes - 1);
    const remainder = this.numSlots % this.numStripes;
    return (this.numSlots - remainder) / this.numStripes + (remainder > stripe ? 1 : 0);
  }

  /**
   * The slot that is number `indexInStripe` of a stripe: the inverse of {@link SlabLayout.stripeOf} and
   * {@link SlabLayout.indexInStripe}.
   *
   * @throws `TypeError` or `RangeError` unless the stripe exists and has such a slot
   */
  slotIndex(stripe: number, indexInStripe: number): number {
    checkInteger(indexInStripe, 'indexInStripe', 0, this.slotsInStripe(stripe) - 1);
    return indexInStripe * this.numStripes + stripe;
  }

  #checkSlot(slot: number): void {
    checkInteger(slot, 'slot', 0, this.numSlots - 1);
  }
}

/** `value` came from {@link calculate}: everything in it can be relied on. */
export function checkLayout(value: unknown): asserts value is SlabLayout {
  if (!SlabLayout.isMade(value)) throw invalidArgType('layout', 'a SlabLayout from calculate()', value);
}
