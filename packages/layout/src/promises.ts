/** What everything rests on, looked at once more before a layout leaves: a slab that broke it would let guests reach each other. */
import { mistake } from './errors.js';
import type { SlabLayout } from './slab-layout.js';

/**
 * Checks a layout against its constraints, by other sums than those that made it.
 *
 * @param reachBytes - from the start of a memory, what is its own or must fault
 * @throws `Error` `ERR_LAYOUT_BROKEN`, which is a mistake of this package
 */
export function assertPromises(layout: SlabLayout, reachBytes: number): void {
  const { numSlots, numStripes, slotBytes, maxMemoryBytes, postSlabGuardBytes } = layout;
  if (!Number.isSafeInteger(numSlots) || numSlots < 0) throw broken('slots can be counted', layout);
  if (!isWholePages(layout)) throw broken('every size is whole pages', layout);
  if (numStripes < 1) throw broken('there is a stripe', layout);
  if (numStripes > 1 && numStripes > numSlots) throw broken('each stripe has a slot', layout);
  if (slotBytes < maxMemoryBytes) throw broken('a slot holds its memory', layout);
  if (layout.bytesToNextStripeSlot < reachBytes) throw broken("a stripe's next slot is out of reach", layout);
  if (slotBytes + postSlabGuardBytes < reachBytes)
    throw broken('nothing behind the slab is in reach', layout);
  if (!Number.isSafeInteger(layout.totalSlabBytes)) throw broken('the slab can be counted', layout);
}

/** A page that is part of two pieces could be open to one guest and closed to another. */
function isWholePages(layout: SlabLayout): boolean {
  const { slotBytes, maxMemoryBytes, preSlabGuardBytes, postSlabGuardBytes, pageSize } = layout;
  if (Math.min(slotBytes, maxMemoryBytes, preSlabGuardBytes, postSlabGuardBytes) < 0) return false;
  return (
    slotBytes % pageSize === 0 &&
    maxMemoryBytes % pageSize === 0 &&
    preSlabGuardBytes % pageSize === 0 &&
    postSlabGuardBytes % pageSize === 0
  );
}

function broken(promise: string, layout: SlabLayout): Error {
  return mistake(`no layout may break the promise that ${promise}: ${JSON.stringify(layout)}`);
}
