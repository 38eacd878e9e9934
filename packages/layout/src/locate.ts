/**
 * What lies at an offset of a slab. A host that catches a fault subtracts the slab's address from the faulting one and
 * asks here.
 *
 * In a striped slab one byte has two readings. A byte in slot 4 is in the memory of slot 4, and it is also some way
 * past the end of the memories in slots 3, 2, 1, ..., as far back as one faulting region reaches. Which one it is
 * depends on who touched it. Give the guest's `stripe`, and the byte is charged to the one memory of that stripe which
 * can reach it; leave it out, and the answer is the slot that holds the byte.
 *
 * ```text
 *   | memory 0 | . | memory 1 | . | memory 2 | . | memory 3 | . | post-guard
 *     stripe 0       stripe 1       stripe 2       stripe 0
 *                         ^ without a stripe, or for stripe 1: inside the memory in slot 1
 *                           for stripe 0: past the end of the memory in slot 0
 * ```
 */
import { checkBytes, checkInteger, invalidArgType, readOptions } from '@guardstripe/common';
import { checkLayout, type SlabLayout } from './slab-layout.js';

/** What every place has. */
export interface LocatedOffset {
  /** The offset that was asked for, in bytes from the slab's first byte. */
  readonly offset: number;
}

/** Before the slab's first byte or after its last. */
export interface OutsideLocation extends LocatedOffset {
  /** Tells the places apart. */
  readonly kind: 'outside';
  /** On which end of the slab. */
  readonly side: 'before' | 'after';
  /** Bytes to the nearest byte of the slab, at least 1. */
  readonly distanceBytes: number;
}

/** In the guard before the first slot. */
export interface PreGuardLocation extends LocatedOffset {
  /** Tells the places apart. */
  readonly kind: 'pre-guard';
  /** Bytes from here to the end of the guard, where slot 0 begins if there is one; at least 1. */
  readonly bytesBeforeSlots: number;
}

/** What the places in and behind a slot have in common. */
export interface SlotLocation extends LocatedOffset {
  /** The slot whose memory is meant. */
  readonly slot: number;
  /** That slot's stripe. */
  readonly stripe: number;
  /** Where that memory ends: its current size if known, else the most it may have. */
  readonly memoryBytes: number;
}

/** Inside a memory. Where the current size is not known, inside what may become accessible. */
export interface MemoryLocation extends SlotLocation {
  /** Tells the places apart. */
  readonly kind: 'memory';
  /** Bytes from the memory's first byte: the address that the guest uses. */
  readonly memoryOffset: number;
}

/** A place behind a memory. */
export interface OverrunLocation extends SlotLocation {
  /** Bytes from the memory's end; 0 is the first byte that is not its own. */
  readonly bytesPastEnd: number;
}

/** Past the current size of a memory, where it may still grow to. Only where the current size is given. */
export interface UngrownLocation extends OverrunLocation {
  /** Tells the places apart. */
  readonly kind: 'ungrown';
}

/** In the slot, but past all that its memory may ever have. */
export interface SlotGuardLocation extends OverrunLocation {
  /** Tells the places apart. */
  readonly kind: 'slot-guard';
}

/** In a slot of another stripe, which serves as the guard of this memory. Only where the guest's stripe is given. */
export interface NeighbourLocation extends OverrunLocation {
  /** Tells the places apart. */
  readonly kind: 'neighbour';
  /** The slot that holds the byte. */
  readonly neighbourSlot: number;
  /** That slot's stripe. */
  readonly neighbourStripe: number;
}

/** In the guard after the last slot. The memory meant is the last one (of the guest's stripe, if given). */
export interface PostGuardLocation extends OverrunLocation {
  /** Tells the places apart. */
  readonly kind: 'post-guard';
}

/** What lies at an offset of a slab: every offset is exactly one of these. */
export type SlabLocation =
  | OutsideLocation
  | PreGuardLocation
  | MemoryLocation
  | UngrownLocation
  | SlotGuardLocation
  | NeighbourLocation
  | PostGuardLocation;

/** What is known beside the offset. */
export interface LocateOptions {
  /**
   * Current sizes of the memories in bytes: one number for all, or a function of the slot that returns `undefined` for
   * a slot whose size it does not know. At most `maxMemoryBytes`. Unknown sizes count as `maxMemoryBytes`.
   */
  readonly memoryBytes?: number | ((slot: number) => number | undefined) | undefined;
  /** The stripe of the guest that touched the byte, from 0 to `numStripes - 1`. */
  readonly stripe?: number | undefined;
}

/**
 * What lies at an offset of the slab.
 *
 * @param offset - bytes from the slab's first byte; any safe integer, negative before the slab
 * @throws `TypeError` or `RangeError` if the layout is not from {@link calculate}, or the offset, the stripe or a size
 *   is not an integer in its range
 */
export function locate(layout: SlabLayout, offset: number, options: LocateOptions = {}): SlabLocation {
  checkLayout(layout);
  checkInteger(offset, 'offset', Number.MIN_SAFE_INTEGER);
  const { memoryBytes, stripe } = readOptions(options, ['memoryBytes', 'stripe']);
  const known = { memoryBytes, stripe };
  if (stripe !== undefined) checkInteger(stripe, 'options.stripe', 0, layout.numStripes - 1);

  const { preSlabGuardBytes, slotBytes, numSlots, totalSlabBytes } = layout;
  if (offset < 0) return { kind: 'outside', offset, side: 'before', distanceBytes: -offset };
  if (offset >= totalSlabBytes) {
    return { kind: 'outside', offset, side: 'after', distanceBytes: offset - totalSlabBytes + 1 };
  }
  if (offset < preSlabGuardBytes) {
    return { kind: 'pre-guard', offset, bytesBeforeSlots: preSlabGuardBytes - offset };
  }
  const bytesIntoSlots = offset - preSlabGuardBytes;
  const holder = (bytesIntoSlots - (bytesIntoSlots % slotBytes)) / slotBytes;
  if (holder >= numSlots) {
    const owner = ownerOf(layout, numSlots - 1, stripe);
    const memoryBytes = memoryBytesOf(layout, owner.slot, known);
    const bytesPastEnd = offset - layout.slotOffset(owner.slot) - memoryBytes;
    return { kind: 'post-guard', offset, ...owner, memoryBytes, bytesPastEnd };
  }
  return locateInSlot(layout, offset, holder, known);
}

/** The byte lies in slot `holder`; says whose it is. */
function locateInSlot(
  layout: SlabLayout,
  offset: number,
  holder: number,
  options: LocateOptions,
): SlabLocation {
  const owner = ownerOf(layout, holder, options.stripe);
  const memoryBytes = memoryBytesOf(layout, owner.slot, options);
  const memoryOffset = offset - layout.slotOffset(owner.slot);
  const place = { offset, ...owner, memoryBytes };
  if (memoryOffset < memoryBytes) return { kind: 'memory', ...place, memoryOffset };

  const overrun = { ...place, bytesPastEnd: memoryOffset - memoryBytes };
  if (owner.slot !== holder) {
    return {
      kind: 'neighbour',
      ...overrun,
      neighbourSlot: holder,
      neighbourStripe: layout.stripeOf(holder),
    };
  }
  return memoryOffset < layout.maxMemoryBytes
    ? { kind: 'ungrown', ...overrun }
    : { kind: 'slot-guard', ...overrun };
}

/**
 * The last slot at or before `holder` that belongs to the stripe. A stripe's first slot may lie behind `holder`; then
 * no memory of the stripe can have reached the byte, and the holder stands.
 */
function ownerOf(
  layout: SlabLayout,
  holder: number,
  stripe: number | undefined,
): { slot: number; stripe: number } {
  const holderStripe = layout.stripeOf(holder);
  if (stripe === undefined) return { slot: holder, stripe: holderStripe };
  const slotsBack = (holderStripe - stripe + layout.numStripes) % layout.numStripes;
  if (slotsBack > holder) return { slot: holder, stripe: holderStripe };
  return { slot: holder - slotsBack, stripe };
}

function memoryBytesOf(layout: SlabLayout, slot: number, options: LocateOptions): number {
  const { memoryBytes } = options;
  const bytes = typeof memoryBytes === 'function' ? memoryBytes(slot) : memoryBytes;
  if (bytes === undefined) return layout.maxMemoryBytes;
  if (typeof bytes !== 'number')
    throw invalidArgType('options.memoryBytes', 'of type number, or a function of the slot', bytes);
  checkBytes(bytes, 'options.memoryBytes', 0, layout.maxMemoryBytes);
  return bytes;
}
