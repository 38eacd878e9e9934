/** The slab as lines of plain ASCII, for a terminal or a log: a table with one bar a row, and a legend. */
import { formatBytes, formatCount, formatHexBytes } from '@guardstripe/common';
import { headline, slabPieces, slotsWorthDrawing, type SlabPiece } from './model.js';
import type { SlabLayout } from '../slab-layout.js';

/** More slots than this are drawn as one line that counts them. */
const MAX_DRAWN_SLOTS = 18;

/** The bar gets what the other columns leave, within these bounds. */
const MIN_BAR_CHARS = 10;
const MAX_BAR_CHARS = 48;

const GLYPHS = { memory: '#', rest: '.', guard: '/' } as const;

/** Draws the slab in lines of at most `widthChars` characters, each ended by a newline. */
export function drawText(layout: SlabLayout, widthChars: number): string {
  const pieces = slabPieces(layout, slotsWorthDrawing(layout, MAX_DRAWN_SLOTS));
  const labels = pieces.map((piece) => pieceLabel(piece, layout));
  const offsetChars = formatHexBytes(layout.totalSlabBytes).length;
  const sizeChars = Math.max(4, ...pieces.map((piece) => formatBytes(piece.bytes).length));
  const labelChars = Math.max(0, ...labels.map((label) => label.length));
  // Two blanks between columns.
  const barRoomChars = widthChars - offsetChars - sizeChars - labelChars - 6;
  const barChars = Math.min(Math.max(barRoomChars, MIN_BAR_CHARS), MAX_BAR_CHARS);
  const largestBytes = Math.max(1, ...pieces.map((piece) => (piece.kind === 'elided' ? 0 : piece.bytes)));

  const lines = [`${headline(layout)}: ${formatBytes(layout.totalSlabBytes)} of address space`, ''];
  lines.push(row('offset'.padEnd(offsetChars), 'size'.padStart(sizeChars), '', ''));
  for (const [index, piece] of pieces.entries()) {
    const offset = formatHexBytes(piece.offset).padStart(offsetChars);
    const size = formatBytes(piece.bytes).padStart(sizeChars);
    const bar = drawBar(piece, layout, barChars, largestBytes).padEnd(barChars);
    lines.push(row(offset, size, bar, labels[index] ?? ''));
  }
  lines.push(row(formatHexBytes(layout.totalSlabBytes), ''.padStart(sizeChars), '', 'end of the slab'));
  lines.push('', ...facts(layout), '', legend());
  return `${lines.flatMap((line) => wrap(line, widthChars)).join('\n')}\n`;
}

function row(offset: string, size: string, bar: string, label: string): string {
  return [offset, size, bar, label]
    .filter((cell) => cell !== '')
    .join('  ')
    .trimEnd();
}

function pieceLabel(piece: SlabPiece, layout: SlabLayout): string {
  switch (piece.kind) {
    case 'pre-guard':
      return 'guard before';
    case 'post-guard':
      return 'guard after';
    case 'elided':
      return `${formatCount(piece.numSlots)} more slot${piece.numSlots === 1 ? '' : 's'}`;
    case 'slot':
      return layout.numStripes === 1 ? `slot ${piece.slot}` : `slot ${piece.slot} stripe ${piece.stripe}`;
  }
}

/** Bars are to scale with each other; what has any bytes at all gets at least one character. */
function drawBar(piece: SlabPiece, layout: SlabLayout, barChars: number, largestBytes: number): string {
  if (piece.kind === 'elided') return ':';
  const chars = Math.max(1, Math.round((piece.bytes / largestBytes) * barChars));
  if (piece.kind !== 'slot') return GLYPHS.guard.repeat(chars);
  const { maxMemoryBytes, slotBytes } = layout;
  const restBytes = slotBytes - maxMemoryBytes;
  const minMemoryChars = maxMemoryBytes > 0 ? 1 : 0;
  const minRestChars = restBytes > 0 && chars > minMemoryChars ? 1 : 0;
  const share = Math.round((maxMemoryBytes / Math.max(1, slotBytes)) * chars);
  const memoryChars = Math.min(Math.max(share, minMemoryChars), chars - minRestChars);
  return GLYPHS.memory.repeat(memoryChars) + GLYPHS.rest.repeat(chars - memoryChars);
}

function facts(layout: SlabLayout): string[] {
  return [
    `each slot            ${formatBytes(layout.slotBytes)}, of it memory at most ${formatBytes(layout.maxMemoryBytes)}`,
    `next of its stripe   ${formatBytes(layout.bytesToNextStripeSlot)} further on`,
    `guards               ${formatBytes(layout.preSlabGuardBytes)} before, ${formatBytes(layout.postSlabGuardBytes)} after`,
    `page                 ${formatBytes(layout.pageSize)}`,
  ];
}

function legend(): string {
  return `${GLYPHS.memory} memory   ${GLYPHS.rest} rest of the slot, no access   ${GLYPHS.guard} guard, no access`;
}

/** Breaks a line at its last blank that fits, and goes on with two blanks; a longer word is cut. */
function wrap(line: string, widthChars: number): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > widthChars) {
    const blank = rest.lastIndexOf(' ', widthChars);
    const end = rest.slice(0, blank).trim() === '' ? widthChars : blank;
    lines.push(rest.slice(0, end).trimEnd());
    rest = `  ${rest.slice(end).trimStart()}`;
  }
  lines.push(rest);
  return lines;
}
