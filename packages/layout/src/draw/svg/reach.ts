/**
 * The lower row of the SVG: what the guest in slot 0 meets from its memory's first byte up to the next slot of its
 * stripe. Only the memory is open to it.
 */
import { formatBytes } from '@guardstripe/common';
import { plural } from '../model.js';
import type { SlabLayout } from '../../slab-layout.js';
import type { DrawnBand } from './band.js';
import { short, type Box, type SvgPen } from './pen.js';
import { stripeFill } from './style.js';

const ROW_HEIGHT = 68;

/** A part narrower than this could not hold its label. */
const MIN_PART_WIDTH = 180;

interface ReachPart {
  readonly kind: 'memory' | 'rest' | 'neighbours';
  readonly bytes: number;
  readonly label: readonly string[];
}

/** Draws the row below the band and returns where it ends. The slots must have bytes. */
export function drawReach(
  pen: SvgPen,
  layout: SlabLayout,
  band: DrawnBand,
  room: { x: number; width: number },
): number {
  const y = band.endY + 54;
  const right = room.x + room.width;
  const first = `${short(band.firstSlotX)} ${band.endY}`;
  const end = `${short(band.firstRoundEndX)} ${band.endY}`;
  pen.path(`M${first}L${end}L${right} ${y}L${room.x} ${y}Z`, ['closed', 'veil']);
  pen.path(`M${first}L${room.x} ${y}M${end}L${right} ${y}`, ['line']);
  pen.text('What the guest in slot 0 meets', room.x + room.width / 2, y - 14, ['muted'], 'middle');

  const parts = reachParts(layout);
  const widths = spread(
    parts.map((part) => part.bytes),
    room.width,
  );
  let x = room.x;
  let slotEndX = room.x;
  for (const [index, part] of parts.entries()) {
    const box = { x, y, width: widths[index] ?? 0, height: ROW_HEIGHT };
    drawPart(pen, layout, part, box);
    x += box.width;
    if (part.kind !== 'neighbours') slotEndX = x;
  }
  const rowEndY = y + ROW_HEIGHT;
  pen.dimension(room.x, slotEndX, rowEndY + 20, `slot ${formatBytes(layout.slotBytes)}`);
  if (layout.numStripes === 1) return rowEndY + 28;
  pen.dimension(
    room.x,
    right,
    rowEndY + 48,
    `to the next slot of its stripe ${formatBytes(layout.bytesToNextStripeSlot)}`,
  );
  return rowEndY + 56;
}

function reachParts(layout: SlabLayout): ReachPart[] {
  const { maxMemoryBytes, slotBytes, bytesToNextStripeSlot, numStripes } = layout;
  const restBytes = slotBytes - maxMemoryBytes;
  const neighbourBytes = bytesToNextStripeSlot - slotBytes;
  const parts: ReachPart[] = [
    { kind: 'memory', bytes: maxMemoryBytes, label: ['memory', `at most ${formatBytes(maxMemoryBytes)}`] },
    { kind: 'rest', bytes: restBytes, label: ['rest of the slot', `${formatBytes(restBytes)}, no access`] },
    {
      kind: 'neighbours',
      bytes: neighbourBytes,
      label: [
        `${plural(numStripes - 1, 'slot')} of other stripes`,
        `${formatBytes(neighbourBytes)}, keys closed`,
      ],
    },
  ];
  return parts.filter((part) => part.bytes > 0);
}

function drawPart(pen: SvgPen, layout: SlabLayout, part: ReachPart, box: Box): void {
  switch (part.kind) {
    case 'memory':
      pen.rect(box, [], stripeFill(0));
      pen.label(part.label, box, ['on-fill']);
      break;
    case 'rest':
      pen.hatched(box);
      pen.label(part.label, box, ['on-hatch']);
      break;
    case 'neighbours':
      drawNeighbours(pen, layout.numStripes, box);
      pen.label(part.label, box, ['on-hatch']);
      break;
  }
}

/** The other stripes in their colours, veiled and hatched: somebody's memories, but not this guest's. */
function drawNeighbours(pen: SvgPen, numStripes: number, box: Box): void {
  pen.rect(box, ['closed']);
  const drawnStripes = Math.min(numStripes, 33);
  const width = box.width / (drawnStripes - 1);
  for (let stripe = 1; stripe < drawnStripes; stripe += 1) {
    pen.rect({ ...box, x: box.x + (stripe - 1) * width, width }, ['veil'], stripeFill(stripe));
  }
  pen.hatching(box);
}

/** Shares a width in proportion, but gives nobody less than the minimum. */
function spread(sizes: readonly number[], width: number): number[] {
  const totalBytes = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const isSmall = sizes.map((bytes) => (bytes / totalBytes) * width < MIN_PART_WIDTH);
  const numSmall = isSmall.filter(Boolean).length;
  const largeBytes = sizes.reduce((sum, bytes, index) => sum + (isSmall[index] === true ? 0 : bytes), 0);
  const largeWidth = width - numSmall * MIN_PART_WIDTH;
  return sizes.map((bytes, index) =>
    isSmall[index] === true ? MIN_PART_WIDTH : (bytes / largeBytes) * largeWidth,
  );
}
