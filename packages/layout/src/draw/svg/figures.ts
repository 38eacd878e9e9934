/** The lower part of the SVG: every figure of the layout on a card, and the legend. */
import { formatBytes, formatCount, formatHexBytes } from '@guardstripe/common';
import type { SlabLayout } from '../../slab-layout.js';
import { textWidth, type Box, type SvgPen } from './pen.js';
import { stripeFill } from './style.js';

const CARDS_PER_ROW = 4;
const CARD_HEIGHT = 78;
const CARD_GAP = 12;
const SWATCH = 16;

interface Card {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

/** Draws the cards and returns where they end. */
export function drawCards(
  pen: SvgPen,
  layout: SlabLayout,
  room: { x: number; y: number; width: number },
): number {
  const cards = cardsOf(layout);
  const width = (room.width - (CARDS_PER_ROW - 1) * CARD_GAP) / CARDS_PER_ROW;
  for (const [index, card] of cards.entries()) {
    const column = index % CARDS_PER_ROW;
    const row = (index - column) / CARDS_PER_ROW;
    const x = room.x + column * (width + CARD_GAP);
    const y = room.y + row * (CARD_HEIGHT + CARD_GAP);
    pen.rect({ x, y, width, height: CARD_HEIGHT }, ['card'], undefined, 6);
    pen.text(card.name, x + 14, y + 22, ['small', 'muted']);
    pen.text(card.value, x + 14, y + 45, ['value', 'ink']);
    pen.text(card.note, x + 14, y + 65, ['small', 'muted']);
  }
  const rows = Math.ceil(cards.length / CARDS_PER_ROW);
  return room.y + rows * CARD_HEIGHT + (rows - 1) * CARD_GAP;
}

function cardsOf(layout: SlabLayout): Card[] {
  return [
    { name: 'slots', value: formatCount(layout.numSlots), note: slotsNote(layout) },
    bytesCard('each slot', layout.slotBytes),
    bytesCard('memory, at most', layout.maxMemoryBytes),
    bytesCard('whole slab', layout.totalSlabBytes),
    {
      name: 'stripes',
      value: formatCount(layout.numStripes),
      note: layout.numStripes === 1 ? 'no protection keys needed' : 'one protection key each',
    },
    bytesCard('to the next slot of a stripe', layout.bytesToNextStripeSlot),
    bytesCard('guard before the slots', layout.preSlabGuardBytes),
    bytesCard('guard after the slots', layout.postSlabGuardBytes),
  ];
}

function bytesCard(name: string, bytes: number): Card {
  return { name, value: formatBytes(bytes), note: `${formatHexBytes(bytes)} bytes` };
}

function slotsNote(layout: SlabLayout): string {
  if (layout.numStripes === 1) return 'in one stripe';
  const most = layout.slotsInStripe(0);
  const least = layout.slotsInStripe(layout.numStripes - 1);
  return most === least
    ? `${formatCount(most)} in each stripe`
    : `${formatCount(least)} or ${formatCount(most)} in each stripe`;
}

/** Draws the legend on one line and returns where it ends. */
export function drawLegend(
  pen: SvgPen,
  layout: SlabLayout,
  room: { x: number; y: number; width: number },
): number {
  const isStriped = layout.numStripes > 1;
  let x = room.x;
  const entry = (text: string, stripes: readonly number[], isClosed: boolean): void => {
    x = drawSwatches(pen, stripes, isClosed, { x, y: room.y, width: SWATCH, height: SWATCH }) + 8;
    pen.text(text, x, room.y + 12.5, ['muted']);
    x += textWidth(text) + 20;
  };
  entry(isStriped ? 'memory, in the colour of its stripe' : 'memory', isStriped ? [0, 1, 2] : [0], false);
  if (isStriped) entry('slot of another stripe: its key is closed', [1, 2], true);
  entry('guard, or rest of a slot: no access', [], true);
  return room.y + SWATCH;
}

/** Stripes' colours side by side, veiled and hatched where they are closed. Returns where they end. */
function drawSwatches(pen: SvgPen, stripes: readonly number[], isClosed: boolean, box: Box): number {
  const whole = { ...box, width: Math.max(1, stripes.length) * box.width };
  pen.rect(whole, ['closed']);
  for (const [index, stripe] of stripes.entries()) {
    pen.rect({ ...box, x: box.x + index * box.width }, isClosed ? ['veil'] : [], stripeFill(stripe));
  }
  if (isClosed) pen.hatching(whole);
  return whole.x + whole.width;
}
