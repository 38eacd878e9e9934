/** The upper row of the SVG: the whole slab from end to end, with the dimension of all of it above. */
import { formatBytes, formatCount } from '@guardstripe/common';
import { plural, type ElidedPiece, type SlabPiece, type SlotPiece } from '../model.js';
import type { SlabLayout } from '../../slab-layout.js';
import { short, textWidth, type Box, type SvgPen } from './pen.js';
import { stripeFill } from './style.js';

const BAND_HEIGHT = 76;
const GUARD_WIDTH = 92;
const ELIDED_WIDTH = 110;

/** From this width on every slot says that it is one; below it only the first does. */
const WORDY_SLOT_WIDTH = 80;

/** What the row below needs to point at its slots. */
export interface DrawnBand {
  /** Left edge of slot 0. */
  readonly firstSlotX: number;
  /** Right edge of the last slot before the next of stripe 0 (or of what stands for it). */
  readonly firstRoundEndX: number;
  /** Lower edge. */
  readonly endY: number;
}

/** Draws the row and returns where it has put things. */
export function drawBand(
  pen: SvgPen,
  layout: SlabLayout,
  pieces: readonly SlabPiece[],
  room: { x: number; y: number; width: number },
): DrawnBand {
  const total = `whole slab ${formatBytes(layout.totalSlabBytes)}`;
  pen.dimension(room.x, room.x + room.width, room.y, total);
  const boxes = placePieces(pieces, { ...room, y: room.y + 44, height: BAND_HEIGHT });
  if (pieces.length === 0) {
    const box = { x: room.x, y: room.y + 44, width: room.width, height: BAND_HEIGHT };
    pen.rect(box, ['empty']);
    pen.label(['no bytes at all'], box, ['muted']);
  }

  let firstSlotX = room.x;
  let firstRoundEndX = room.x + room.width;
  for (const [index, piece] of pieces.entries()) {
    const box = boxes[index];
    if (box === undefined) continue;
    drawPiece(pen, layout, piece, box);
    if (piece.kind === 'slot' && piece.slot === 0) firstSlotX = box.x;
    if (holdsSlot(piece, layout.numStripes - 1)) firstRoundEndX = box.x + box.width;
  }
  return { firstSlotX, firstRoundEndX, endY: room.y + 44 + BAND_HEIGHT };
}

/** Guards and the gap have widths of their own; the slots share what is left. Without slots the guards do. */
function placePieces(pieces: readonly SlabPiece[], room: Box): Box[] {
  const numSlots = pieces.filter((piece) => piece.kind === 'slot').length;
  const fixedWidths = pieces.reduce((sum, piece) => sum + fixedWidth(piece), 0);
  const sharers = numSlots === 0 ? pieces.length : numSlots;
  const share = (room.width - (numSlots === 0 ? 0 : fixedWidths)) / sharers;
  let x = room.x;
  return pieces.map((piece) => {
    const width = piece.kind === 'slot' || numSlots === 0 ? share : fixedWidth(piece);
    const box = { ...room, x, width };
    x += width;
    return box;
  });
}

function fixedWidth(piece: SlabPiece): number {
  switch (piece.kind) {
    case 'pre-guard':
    case 'post-guard':
      return GUARD_WIDTH;
    case 'elided':
      return ELIDED_WIDTH;
    case 'slot':
      return 0;
  }
}

function holdsSlot(piece: SlabPiece, slot: number): boolean {
  if (piece.kind === 'slot') return piece.slot === slot;
  return piece.kind === 'elided' && slot >= piece.firstSlot && slot < piece.firstSlot + piece.numSlots;
}

function drawPiece(pen: SvgPen, layout: SlabLayout, piece: SlabPiece, box: Box): void {
  switch (piece.kind) {
    case 'pre-guard':
    case 'post-guard':
      pen.hatched(box);
      pen.label(['guard', formatBytes(piece.bytes)], box, ['on-hatch']);
      break;
    case 'elided':
      drawElided(pen, piece, box);
      break;
    case 'slot':
      drawSlot(pen, layout, piece, box);
      break;
  }
}

function drawElided(pen: SvgPen, piece: ElidedPiece, box: Box): void {
  const [left, right] = [short(box.x), short(box.x + box.width)];
  pen.path(`M${left} ${box.y}H${right}M${left} ${box.y + box.height}H${right}`, ['empty']);
  const [count, noun] = plural(piece.numSlots, 'slot').split(' ');
  pen.label([`${count} more`, noun ?? ''], box, ['muted']);
}

function drawSlot(pen: SvgPen, layout: SlabLayout, piece: SlotPiece, box: Box): void {
  const number = formatCount(piece.slot);
  const caption = box.width > WORDY_SLOT_WIDTH || piece.slot === 0 ? `slot ${number}` : number;
  pen.text(caption, box.x + box.width / 2, box.y - 9, ['small', 'muted'], 'middle');

  const inner = { ...box, x: box.x + 1, width: box.width - 2 };
  const memoryWidth = visibleShare(layout.maxMemoryBytes, layout.slotBytes) * inner.width;
  const memory = { ...inner, width: memoryWidth };
  pen.hatched(inner);
  pen.rect(memory, [], stripeFill(piece.stripe));
  const label = slotLabel(layout, piece, memoryWidth);
  if (label !== undefined) pen.label([label], memory, ['on-fill']);
}

function slotLabel(layout: SlabLayout, piece: SlotPiece, width: number): string | undefined {
  const words = layout.numStripes === 1 ? ['memory'] : [`stripe ${piece.stripe}`, String(piece.stripe)];
  return words.find((word) => textWidth(word) <= width);
}

/** A share that can be seen: at least a third and at most nine tenths, unless it is none or all. */
function visibleShare(bytes: number, ofBytes: number): number {
  if (bytes === 0 || ofBytes === 0) return 0;
  if (bytes === ofBytes) return 1;
  return Math.min(Math.max(bytes / ofBytes, 1 / 3), 0.9);
}
