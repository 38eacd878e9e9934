/** Writes SVG elements: escapes what it is given, keeps coordinates short, and puts the prefix before every class. */

import { mistake } from '../../errors.js';

/** A class of the style sheet, without the prefix. */
export type SvgClass =
  | 'text'
  | 'head'
  | 'value'
  | 'small'
  | 'on-fill'
  | 'on-hatch'
  | 'veil'
  | 'paper'
  | 'ink'
  | 'muted'
  | 'line'
  | 'empty'
  | 'closed'
  | 'card';

/** Position and size in the picture's own units. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where a text's `x` is. */
export type TextAnchor = 'start' | 'middle' | 'end';

/** An average character is about this share of the font size wide, in all fonts of the style sheet. */
const CHAR_WIDTH_SHARE = 0.6;

/** A careful guess at how wide a text gets; SVG cannot be asked without a browser. */
export function textWidth(text: string, fontPx = 13): number {
  return text.length * fontPx * CHAR_WIDTH_SHARE;
}

/** Escapes a text for XML and drops what XML 1.0 cannot hold at all. */
export function escapeXml(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- these are the characters to be rid of
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
  );
}

/** Collects elements in drawing order. */
export class SvgPen {
  readonly prefix: string;
  readonly #elements: string[] = [];

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** A rectangle filled by its classes, or by `fill` where given. */
  rect(box: Box, classes: readonly SvgClass[], fill?: string, radius = 0): void {
    const paint = fill === undefined ? '' : ` fill="${fill}"`;
    const round = radius === 0 ? '' : ` rx="${radius}"`;
    this.#elements.push(
      `<rect x="${short(box.x)}" y="${short(box.y)}" width="${short(Math.max(0, box.width))}" ` +
        `height="${short(box.height)}"${this.#classes(classes)}${paint}${round}/>`,
    );
  }

  /** A box that nobody may touch: the closed ground and hatching over it. */
  hatched(box: Box): void {
    this.rect(box, ['closed']);
    this.hatching(box);
  }

  /** Hatching over what is there. */
  hatching(box: Box): void {
    this.rect(box, [], `url(#${this.prefix}-hatching)`);
  }

  /** One line of text; `y` is its baseline. */
  text(text: string, x: number, y: number, classes: readonly SvgClass[], anchor: TextAnchor = 'start'): void {
    const at = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
    this.#elements.push(
      `<text x="${short(x)}" y="${short(y)}"${at}${this.#classes(['text', ...classes])}>${escapeXml(text)}</text>`,
    );
  }

  /** Lines of text around the middle of a box. */
  label(lines: readonly string[], box: Box, classes: readonly SvgClass[]): void {
    const lineHeight = 18;
    const firstY = box.y + box.height / 2 - ((lines.length - 1) * lineHeight) / 2 + 4.5;
    for (const [index, line] of lines.entries()) {
      this.text(line, box.x + box.width / 2, firstY + index * lineHeight, classes, 'middle');
    }
  }

  /** An open or closed path of straight lines, its coordinates as {@link short} has them. */
  path(data: string, classes: readonly SvgClass[]): void {
    this.#elements.push(`<path d="${data}"${this.#classes(classes)}/>`);
  }

  /** A dimension: a line with a tick at either end and its text in the middle, on the paper's colour. */
  dimension(fromX: number, toX: number, y: number, text: string): void {
    const middleX = (fromX + toX) / 2;
    const gap = textWidth(text) + 12;
    const ends = `M${short(fromX)} ${y - 5}v10M${short(toX)} ${y - 5}v10`;
    if (toX - fromX > gap + 16) {
      const left = `M${short(fromX)} ${y}H${short(middleX - gap / 2)}`;
      this.path(`${ends}${left}M${short(middleX + gap / 2)} ${y}H${short(toX)}`, ['line']);
      this.text(text, middleX, y + 4.5, ['ink'], 'middle');
    } else {
      this.path(`${ends}M${short(fromX)} ${y}H${short(toX)}`, ['line']);
      this.text(text, toX + 8, y + 4.5, ['ink']);
    }
  }

  /** All elements, one a line. */
  toString(): string {
    return this.#elements.join('\n');
  }

  #classes(classes: readonly SvgClass[]): string {
    if (classes.length === 0) return '';
    return ` class="${classes.map((name) => `${this.prefix}-${name}`).join(' ')}"`;
  }
}

/** Coordinates to a tenth of a unit: finer than any screen, and half the file. A browser leaves out in silence what has no number. */
export function short(value: number): string {
  if (!Number.isFinite(value)) throw mistake(`a coordinate of a picture is ${value}`);
  return String(Math.round(value * 10) / 10);
}
