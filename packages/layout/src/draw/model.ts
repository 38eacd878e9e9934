/** What both pictures show: the pieces of the slab from left to right, with the dull middle left out. */
import { formatCount } from '@guardstripe/common';
import { mistake } from '../errors.js';
import type { SlabLayout } from '../slab-layout.js';

/** A guard before or after the slots. */
interface GuardPiece {
  readonly kind: 'pre-guard' | 'post-guard';
  readonly offset: number;
  readonly bytes: number;
}

/** One slot: its memory, then the rest of it. */
export interface SlotPiece {
  readonly kind: 'slot';
  readonly offset: number;
  readonly bytes: number;
  readonly slot: number;
  readonly stripe: number;
}

/** Slots that are not drawn one by one. */
export interface ElidedPiece {
  readonly kind: 'elided';
  readonly offset: number;
  readonly bytes: number;
  readonly firstSlot: number;
  readonly numSlots: number;
}

/** A piece of the slab, in order of offsets, without gaps. Guards of no bytes are left out. */
export type SlabPiece = GuardPiece | SlotPiece | ElidedPiece;

/** Slots drawn at the end: one, to show what stands before the post-guard. */
const TAIL_SLOTS = 1;

/**
 * The pieces of a slab. Where there are more than `maxSlots` slots, the first ones and the last are kept: enough, if
 * `maxSlots` allows, to see every stripe and the first stripe's return.
 */
export function slabPieces(layout: SlabLayout, maxSlots: number): SlabPiece[] {
  const pieces: SlabPiece[] = [];
  const { preSlabGuardBytes, postSlabGuardBytes, numSlots, slotBytes, totalSlabBytes } = layout;
  if (preSlabGuardBytes > 0) pieces.push({ kind: 'pre-guard', offset: 0, bytes: preSlabGuardBytes });

  const headSlots = numSlots <= maxSlots ? numSlots : maxSlots - TAIL_SLOTS;
  for (let slot = 0; slot < headSlots; slot += 1) pieces.push(slotPiece(layout, slot));
  if (headSlots < numSlots) {
    const elidedSlots = numSlots - headSlots - TAIL_SLOTS;
    pieces.push({
      kind: 'elided',
      offset: layout.slotOffset(headSlots),
      bytes: elidedSlots * slotBytes,
      firstSlot: headSlots,
      numSlots: elidedSlots,
    });
    pieces.push(slotPiece(layout, numSlots - 1));
  }
  if (postSlabGuardBytes > 0) {
    pieces.push({
      kind: 'post-guard',
      offset: totalSlabBytes - postSlabGuardBytes,
      bytes: postSlabGuardBytes,
    });
  }
  assertSeamless(pieces, totalSlabBytes);
  return pieces;
}

/** Each piece begins where the one before it ends, and the last one ends where the slab does: a picture hides nothing. */
export function assertSeamless(pieces: readonly SlabPiece[], totalSlabBytes: number): void {
  let endBytes = 0;
  for (const { kind, offset, bytes } of pieces) {
    if (offset !== endBytes) throw mistake(`a picture has a gap before its ${kind} at ${offset}`);
    endBytes += bytes;
  }
  if (endBytes !== totalSlabBytes) throw mistake(`a picture ends at ${endBytes} of ${totalSlabBytes} bytes`);
}

/** How many slots make a good picture: all stripes, the first one again, and the last slot; at least four. */
export function slotsWorthDrawing(layout: SlabLayout, limit: number): number {
  return Math.min(Math.max(4, layout.numStripes + 2), limit);
}

/** `1 slot`, `1,000 slots`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** The picture's heading, the same in both. */
export function headline(layout: SlabLayout): string {
  const { numSlots, numStripes } = layout;
  if (numSlots === 0) return 'Slab without slots';
  const stripes = numStripes === 1 ? ', not striped' : ` in ${plural(numStripes, 'stripe')}`;
  return `Slab of ${plural(numSlots, 'slot')}${stripes}`;
}

function slotPiece(layout: SlabLayout, slot: number): SlotPiece {
  return {
    kind: 'slot',
    offset: layout.slotOffset(slot),
    bytes: layout.slotBytes,
    slot,
    stripe: layout.stripeOf(slot),
  };
}
