/**
 * The slab to scale, as far as a window of it shows: what is wide enough to see is drawn piece by piece, and slots that
 * are not are drawn together, so that a million slots cost no more than a hundred.
 *
 * ```text
 *   [ window.start ........................ window.end )      bytes of the slab
 *   |guard|mem|rest|mem|rest|  many slots  |mem|rest|guard|   rectangles, in pixels
 * ```
 */
import type { SlabLayout } from '@guardstripe/layout';

/** A range of offsets of the slab. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

/** Something to draw: a range of offsets with a meaning. */
export type Piece =
  | { readonly kind: 'guard'; readonly start: number; readonly end: number; readonly side: 'pre' | 'post' }
  | { readonly kind: 'memory' | 'rest'; readonly start: number; readonly end: number; readonly slot: number }
  | {
      readonly kind: 'many';
      readonly start: number;
      readonly end: number;
      readonly firstSlot: number;
      readonly lastSlot: number;
    };

/** Slots narrower than this are drawn together. */
const NARROWEST_SLOT_PX = 4;

/** The whole slab; a slab of nothing still has a window of one byte. */
export function wholeSlab(layout: SlabLayout): Window {
  return { start: 0, end: Math.max(layout.totalSlabBytes, 1) };
}

/** The pieces of the window, from left to right, cut off at its ends. */
export function piecesIn(layout: SlabLayout, window: Window, widthPx: number): Piece[] {
  const { preSlabGuardBytes, postSlabGuardBytes, totalSlabBytes, slotBytes, numSlots } = layout;
  const pieces: Piece[] = [];
  const add = (piece: Piece) => {
    const start = Math.max(piece.start, window.start);
    const end = Math.min(piece.end, window.end);
    if (end > start) pieces.push({ ...piece, start, end });
  };
  add({ kind: 'guard', side: 'pre', start: 0, end: preSlabGuardBytes });
  const slotsEnd = totalSlabBytes - postSlabGuardBytes;
  if (numSlots > 0 && slotBytes > 0 && window.end > preSlabGuardBytes && window.start < slotsEnd) {
    const slotAt = (offset: number) =>
      Math.min(Math.max(Math.floor((offset - preSlabGuardBytes) / slotBytes), 0), numSlots - 1);
    const firstSlot = slotAt(window.start);
    const lastSlot = slotAt(window.end - 1);
    if ((slotBytes / (window.end - window.start)) * widthPx < NARROWEST_SLOT_PX) {
      const start = layout.slotOffset(firstSlot);
      add({ kind: 'many', firstSlot, lastSlot, start, end: layout.slotOffset(lastSlot) + slotBytes });
    } else {
      for (let slot = firstSlot; slot <= lastSlot; slot += 1) {
        const start = layout.slotOffset(slot);
        const memoryEnd = start + layout.maxMemoryBytes;
        add({ kind: 'memory', slot, start, end: memoryEnd });
        add({ kind: 'rest', slot, start: memoryEnd, end: start + slotBytes });
      }
    }
  }
  add({ kind: 'guard', side: 'post', start: slotsEnd, end: totalSlabBytes });
  return pieces;
}

/** The narrowest window: sixteen pages. */
function narrowest(layout: SlabLayout): number {
  return Math.min(16 * layout.pageSize, wholeSlab(layout).end);
}

/** The window moved and narrowed until it lies within the slab. */
export function clampWindow(layout: SlabLayout, { start, end }: Window): Window {
  const whole = wholeSlab(layout).end;
  const bytes = Math.min(Math.max(Math.round(end - start), narrowest(layout)), whole);
  const clamped = Math.min(Math.max(Math.round(start), 0), whole - bytes);
  return { start: clamped, end: clamped + bytes };
}

/** `factor` times as near (below 1: as far), with the byte at `anchor` staying where it is on the screen. */
export function zoom(layout: SlabLayout, window: Window, factor: number, anchor: number): Window {
  const bytes = Math.min(
    Math.max((window.end - window.start) / factor, narrowest(layout)),
    wholeSlab(layout).end,
  );
  const share = (anchor - window.start) / (window.end - window.start);
  const start = anchor - share * bytes;
  return clampWindow(layout, { start, end: start + bytes });
}

/** How near a window is: 0 for the whole slab, 1 for sixteen pages, logarithmic between. */
export function zoomLevel(layout: SlabLayout, window: Window): number {
  const whole = wholeSlab(layout).end;
  const range = Math.log(whole / narrowest(layout));
  return range === 0 ? 0 : Math.log(whole / (window.end - window.start)) / range;
}

/** The inverse of {@link zoomLevel}, around the middle of the window. */
export function windowAtLevel(layout: SlabLayout, window: Window, level: number): Window {
  const whole = wholeSlab(layout).end;
  const bytes = whole / (whole / narrowest(layout)) ** level;
  const middle = (window.start + window.end) / 2;
  return clampWindow(layout, { start: middle - bytes / 2, end: middle + bytes / 2 });
}

/** The first slots: all stripes and the first one's return, or three slots. */
export function firstSlots(layout: SlabLayout): Window {
  const slots = Math.max(layout.numStripes + 1, 3);
  const end = layout.preSlabGuardBytes + slots * layout.slotBytes;
  return clampWindow(layout, { start: 0, end: end + layout.slotBytes / 8 });
}

/** The last two slots and the guard after them. */
export function lastSlots(layout: SlabLayout): Window {
  const end = layout.totalSlabBytes;
  return clampWindow(layout, { start: end - layout.postSlabGuardBytes - 2.25 * layout.slotBytes, end });
}
