/**
 * From constraints to a layout, in three steps, each a function: how far a memory reaches, how many stripes share
 * that reach, how large a slot is then.
 *
 * Without stripes a slot is all that must fault behind one memory, and most of the slab is unused address space:
 *
 * ```text
 *   | memory 0 | . . . reservation and guard . . . | memory 1 | . . . reservation and guard . . . |
 *   |<-------------- faulting region ------------->|
 * ```
 *
 * With stripes the neighbours lie in that space. They carry other protection keys, so for the guest of stripe 0 they
 * fault just as unmapped pages do. Three stripes:
 *
 * ```text
 *   | memory 0 | . | memory 1 | . | memory 2 | . | memory 3 | . | memory 4 | . | post-guard    |
 *     stripe 0       stripe 1       stripe 2       stripe 0       stripe 1
 *   |<-------------- faulting region ----------->|
 * ```
 *
 * The rules are those of Wasmtime's pooling allocator (`MemoryPool`, `SlabConstraints`).
 */
import { checkBoolean, checkInteger, checkObject } from '@guardstripe/common';
import { DEFAULT_PAGE_SIZE } from './defaults.js';
import type { PageAlignedConstraints, SlabConstraints } from './constraints.js';
import {
  addBytes,
  maxBytes,
  multiplyBytes,
  pageAlignedBytes,
  roundUpToPage,
  subtractOrZero,
  ZERO_BYTES,
  type PageAlignedBytes,
} from './page-aligned-bytes.js';
import { assertPromises } from './promises.js';
import { SlabLayout } from './slab-layout.js';

/**
 * The layout of a slab that satisfies the constraints, with as few stripes as do the job: the fewer there are, the
 * more slots each of them has. Pure; takes well under a microsecond.
 *
 * @param constraints - see {@link SlabConstraints}; byte counts must be whole pages, and {@link slabConstraints} makes
 *   them so
 * @throws `TypeError` (`ERR_INVALID_ARG_TYPE`) or `RangeError` (`ERR_OUT_OF_RANGE`) with the field's name and value for
 *   a wrong type, a negative, fractional or unaligned number, or one beyond the safe integers;
 *   {@link SlabTooLargeError} if any sum or product passes `Number.MAX_SAFE_INTEGER`
 */
export function calculate(constraints: SlabConstraints): SlabLayout {
  const checked = checkConstraints(constraints);
  const { numSlots, maxMemoryBytes, guardBytes, guardBeforeSlots, pageSize } = checked;

  const faultingBytes = faultingRegionBytes(checked);
  const numStripes = stripeCount(checked, faultingBytes);
  const slotBytes = slotSize(checked, faultingBytes, numStripes);
  const preSlabGuardBytes = guardBeforeSlots ? guardBytes : ZERO_BYTES;
  // Nothing stands behind the last slot but this, so it gives what the slot itself does not cover.
  const postSlabGuardBytes = subtractOrZero(faultingBytes, slotBytes);

  // Only for the check: the layout's own sums are plain because these have passed.
  const slotsBytes = multiplyBytes(slotBytes, numSlots, 'slotBytes', 'numSlots');
  const guardedBytes = addBytes(preSlabGuardBytes, slotsBytes, 'preSlabGuardBytes', 'slotBytes * numSlots');
  addBytes(
    guardedBytes,
    postSlabGuardBytes,
    'preSlabGuardBytes + slotBytes * numSlots',
    'postSlabGuardBytes',
  );

  const layout = new SlabLayout({
    numSlots,
    slotBytes,
    maxMemoryBytes,
    preSlabGuardBytes,
    postSlabGuardBytes,
    numStripes,
    pageSize,
  });
  assertPromises(layout, faultingBytes);
  return layout;
}

function checkConstraints(constraints: SlabConstraints): PageAlignedConstraints {
  checkObject(constraints, 'constraints');
  const { numSlots, numPkeysAvailable, guardBeforeSlots, pageSize = DEFAULT_PAGE_SIZE } = constraints;
  checkInteger(numSlots, 'numSlots');
  checkInteger(numPkeysAvailable, 'numPkeysAvailable');
  checkBoolean(guardBeforeSlots, 'guardBeforeSlots');
  return {
    expectedSlotBytes: pageAlignedBytes(constraints.expectedSlotBytes, pageSize, 'expectedSlotBytes'),
    maxMemoryBytes: pageAlignedBytes(constraints.maxMemoryBytes, pageSize, 'maxMemoryBytes'),
    numSlots,
    numPkeysAvailable,
    guardBytes: pageAlignedBytes(constraints.guardBytes, pageSize, 'guardBytes'),
    guardBeforeSlots,
    pageSize,
  };
}

/**
 * From the start of a memory, the bytes that are its own or must fault. A memory larger than the reservation still
 * gets the whole guard behind it.
 */
function faultingRegionBytes(constraints: PageAlignedConstraints): PageAlignedBytes {
  const { expectedSlotBytes, maxMemoryBytes, guardBytes } = constraints;
  const reachBytes = maxBytes(expectedSlotBytes, maxMemoryBytes);
  return addBytes(reachBytes, guardBytes, 'max(expectedSlotBytes, maxMemoryBytes)', 'guardBytes');
}

/** As many memories as fit into one faulting region, where there are keys and slots for it. */
function stripeCount(constraints: PageAlignedConstraints, faultingBytes: PageAlignedBytes): number {
  const { maxMemoryBytes, numSlots, numPkeysAvailable, guardBytes } = constraints;
  if (guardBytes === 0 || maxMemoryBytes === 0 || numSlots === 0 || numPkeysAvailable < 2) return 1;
  return Math.min(numPkeysAvailable, divideUp(faultingBytes, maxMemoryBytes), numSlots);
}

/**
 * The stripes share the faulting region, but a slot always holds its memory. Both roundings go up, so that `numStripes`
 * slots cover the region again. Wasmtime rounds the quotient down; that is the same as long as there are no more
 * stripes than bytes in a page, and beyond it its slots would fall short.
 */
function slotSize(
  constraints: PageAlignedConstraints,
  faultingBytes: PageAlignedBytes,
  numStripes: number,
): PageAlignedBytes {
  if (numStripes === 1) return faultingBytes;
  const shareBytes = roundUpToPage(divideUp(faultingBytes, numStripes), constraints.pageSize, 'slotBytes');
  return maxBytes(shareBytes, constraints.maxMemoryBytes);
}

/** Exact, where `Math.ceil(a / b)` of large integers may start from a rounded quotient: `%` never rounds. */
function divideUp(dividend: number, divisor: number): number {
  const remainder = dividend % divisor;
  return (dividend - remainder) / divisor + (remainder === 0 ? 0 : 1);
}
