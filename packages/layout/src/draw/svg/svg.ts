/**
 * The slab as an SVG document, from top to bottom:
 *
 * ```text
 *   heading
 *   |<------------------ whole slab ------------------>|
 *   [ guard ][ slot 0 ][ slot 1 ] ... [ slot n ][ guard ]      the band, band.ts  
 *            /                   \
 *   [ memory of slot 0 | rest | other stripes          ]       what stripe 0's guest meets, reach.ts  
 *   cards with the figures, legend                             figures.ts  
 * ```
 *
 * Widths are not to scale where a true one could not be seen; every size is written out.
 */
import { formatBytes } from '@guardstripe/common';
import { headline, slabPieces, slotsWorthDrawing } from '../model.js';
import type { SlabLayout } from '../../slab-layout.js';
import { drawBand } from './band.js';
import { drawCards, drawLegend } from './figures.js';
import { escapeXml, SvgPen } from './pen.js';
import { drawReach } from './reach.js';
import { styleSheet, type SvgTheme } from './style.js';

/** Options with the defaults filled in and checked. */
export interface CheckedSvgOptions {
  readonly widthPx: number;
  readonly title: string | undefined;
  readonly theme: SvgTheme;
  readonly idPrefix: string;
}

/** Width of the drawing in its own units; it scales to whatever `width` asks for. */
const PICTURE_WIDTH = 1200;
const MARGIN = 32;

/** All fifteen stripes, the first one's return and the last slot. */
const MAX_DRAWN_SLOTS = 17;

/** As many characters of the heading as surely fit on one line. */
const MAX_TITLE_CHARS = 85;

/** Draws the slab as a complete SVG document. */
export function drawSvg(layout: SlabLayout, options: CheckedSvgOptions): string {
  const title = options.title ?? headline(layout);
  const pen = new SvgPen(options.idPrefix);
  const room = { x: MARGIN, width: PICTURE_WIDTH - 2 * MARGIN };
  const pieces = slabPieces(layout, slotsWorthDrawing(layout, MAX_DRAWN_SLOTS));

  pen.text(shorten(title), MARGIN, 48, ['head', 'ink']);
  pen.text(subtitle(layout), MARGIN, 74, ['muted']);
  const band = drawBand(pen, layout, pieces, { ...room, y: 108 });
  const isReached = layout.numSlots > 0 && layout.slotBytes > 0;
  const reachEndY = isReached ? drawReach(pen, layout, band, room) : band.endY;
  const cardsEndY = drawCards(pen, layout, { ...room, y: reachEndY + 32 });
  const endY = drawLegend(pen, layout, { ...room, y: cardsEndY + 28 }) + 24;
  return svgDocument(pen, layout, title, endY, options);
}

function svgDocument(
  pen: SvgPen,
  layout: SlabLayout,
  title: string,
  pictureHeight: number,
  options: CheckedSvgOptions,
): string {
  const { idPrefix, widthPx, theme } = options;
  const heightPx = Math.round((pictureHeight / PICTURE_WIDTH) * widthPx);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${widthPx}" height="${heightPx}" viewBox="0 0 ${PICTURE_WIDTH} ${pictureHeight}" role="img" aria-labelledby="${idPrefix}-title ${idPrefix}-desc">
<title id="${idPrefix}-title">${escapeXml(title)}</title>
<desc id="${idPrefix}-desc">${escapeXml(describe(layout))}</desc>
<style>
${styleSheet(idPrefix, theme)}
</style>
<defs>
<pattern id="${idPrefix}-hatching" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<line x1="0" y1="0" x2="0" y2="8" class="${idPrefix}-hatch"/>
</pattern>
</defs>
<rect width="${PICTURE_WIDTH}" height="${pictureHeight}" class="${idPrefix}-paper"/>
${pen.toString()}
</svg>
`;
}

function subtitle(layout: SlabLayout): string {
  return (
    `${formatBytes(layout.totalSlabBytes)} of address space, pages of ${formatBytes(layout.pageSize)}. ` +
    'Widths are not to scale.'
  );
}

/** The whole picture in words, for those who cannot see it. */
function describe(layout: SlabLayout): string {
  const { preSlabGuardBytes, postSlabGuardBytes, slotBytes, maxMemoryBytes, bytesToNextStripeSlot } = layout;
  return (
    `${headline(layout)}: ${formatBytes(layout.totalSlabBytes)} of address space. ` +
    `A guard of ${formatBytes(preSlabGuardBytes)} before the slots and of ${formatBytes(postSlabGuardBytes)} after them. ` +
    `Each slot has ${formatBytes(slotBytes)} and holds a memory of at most ${formatBytes(maxMemoryBytes)}. ` +
    `From a slot to the next of its stripe it is ${formatBytes(bytesToNextStripeSlot)}.`
  );
}

function shorten(title: string): string {
  return title.length <= MAX_TITLE_CHARS ? title : `${title.slice(0, MAX_TITLE_CHARS - 1)}…`;
}
