/** The slab as a picture: the one entry, with the checks, to the text and the SVG. */
import { checkInteger, checkObject, invalidArgType, invalidArgValue } from '@guardstripe/common';
import { drawSvg } from './svg/svg.js';
import { drawText } from './text.js';
import { checkLayout, type SlabLayout } from '../slab-layout.js';
import type { SvgTheme } from './svg/style.js';

/** Options of the picture in text. */
export interface DrawTextOptions {
  /** Tells the pictures apart. */
  readonly format: 'text';
  /** Characters a line has at most; from 40 to 1000. Default 80. */
  readonly width?: number | undefined;
}

/** Options of the picture in SVG. */
export interface DrawSvgOptions {
  /** Tells the pictures apart. */
  readonly format: 'svg';
  /** The picture's own width in CSS pixels, from 200 to 10,000; it scales to any other. Default 1200. */
  readonly width?: number | undefined;
  /** The heading. Default: how many slots and stripes. */
  readonly title?: string | undefined;
  /** `'auto'` follows the reader's colour scheme; the others are fixed. Default `'auto'`. */
  readonly theme?: SvgTheme | undefined;
  /**
   * What the ids and class names in the picture begin with: a letter, then letters, digits, `-` or `_`. Give each
   * picture its own where several stand inline in one HTML page. Default `'slab'`.
   */
  readonly idPrefix?: string | undefined;
}

/** Options of {@link draw}. */
export type DrawOptions = DrawTextOptions | DrawSvgOptions;

/**
 * Draws a slab. Slots in the middle are left out where there are many; both pictures show every stripe up to fifteen.
 *
 * - `'text'`: ASCII lines for a terminal or a log, each ended by a newline
 * - `'svg'`: a complete SVG document without any outside reference, with a title and a description for screen readers
 *
 * @throws `TypeError` if the layout is not from {@link calculate}, or for an unknown format or theme or a bad prefix;
 *   `RangeError` for a width out of range
 */
export function draw(layout: SlabLayout, options: DrawOptions): string {
  checkLayout(layout);
  checkObject(options, 'options');
  switch (options.format) {
    case 'text': {
      const { width = 80 } = options;
      checkInteger(width, 'options.width', 40, 1000);
      return drawText(layout, width);
    }
    case 'svg':
      return drawCheckedSvg(layout, options);
    default:
      throw invalidArgValue(
        'options.format',
        "must be one of: 'text', 'svg'",
        (options as { format?: unknown }).format,
      );
  }
}

function drawCheckedSvg(layout: SlabLayout, options: DrawSvgOptions): string {
  const { width = 1200, title, theme = 'auto', idPrefix = 'slab' } = options;
  checkInteger(width, 'options.width', 200, 10_000);
  if (title !== undefined && typeof title !== 'string')
    throw invalidArgType('options.title', 'of type string', title);
  if (!['auto', 'light', 'dark'].includes(theme)) {
    throw invalidArgValue('options.theme', "must be one of: 'auto', 'light', 'dark'", theme);
  }
  if (typeof idPrefix !== 'string' || !/^[A-Za-z][\w-]*$/.test(idPrefix)) {
    throw invalidArgValue('options.idPrefix', 'must be a letter, then letters, digits, "-" or "_"', idPrefix);
  }
  return drawSvg(layout, { widthPx: width, title, theme, idPrefix });
}
