/** An SVG picture as its reader sees it: what stands where. */
import { textWidth } from '../../src/draw/svg/pen.js';
import { readXml, type XmlElement } from './xml.js';

export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface DrawnRect extends Area {
  readonly classes: readonly string[];
  readonly fill: string | undefined;
}

export interface DrawnText extends Area {
  readonly text: string;
  readonly classes: readonly string[];
  readonly anchor: string;
  readonly x: number;
  /** The baseline. */
  readonly y: number;
}

export interface DrawnPath {
  readonly classes: readonly string[];
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Picture {
  readonly rects: readonly DrawnRect[];
  readonly texts: readonly DrawnText[];
  readonly paths: readonly DrawnPath[];
}

/** Reads a picture, or the elements of one, whose classes begin with `prefix-`. */
export function readPicture(svg: string, prefix = 'slab'): Picture {
  const elements = readXml(svg.startsWith('<svg') ? svg : `<svg>${svg}</svg>`);
  const named = (name: string): XmlElement[] => elements.filter((element) => element.name === name);
  const classesOf = ({ attributes }: XmlElement): string[] =>
    (attributes['class'] ?? '')
      .split(' ')
      .filter(Boolean)
      .map((each) => each.slice(prefix.length + 1));
  return {
    rects: named('rect').map((rect) => {
      const [left, top, width, height] = numbers(rect, ['x', 'y', 'width', 'height']);
      const area = { left: left!, top: top!, right: left! + width!, bottom: top! + height! };
      return { ...area, classes: classesOf(rect), fill: rect.attributes['fill'] };
    }),
    texts: named('text').map((text) => readText(text, classesOf(text))),
    paths: named('path').map((path) => ({
      classes: classesOf(path),
      points: pointsOf(path.attributes['d'] ?? ''),
    })),
  };
}

/** The text that reads so; there must be one. */
export function textIn({ texts }: Picture, text: string): DrawnText {
  const found = texts.filter((each) => each.text === text);
  if (found.length !== 1) throw new Error(`"${text}" is written ${found.length} times`);
  return found[0]!;
}

/** What a path stretches over. */
export function extentOf({ points }: DrawnPath): Area {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

/** Whether one area lies in another; coordinates are written to a tenth. */
export function isWithin(inner: Area, outer: Area): boolean {
  return (
    inner.left >= outer.left - 0.1 &&
    inner.right <= outer.right + 0.1 &&
    inner.top >= outer.top - 0.1 &&
    inner.bottom <= outer.bottom + 0.1
  );
}

/** Whether two areas share more than an edge. */
export function overlap(one: Area, other: Area): boolean {
  return (
    one.left < other.right - 0.1 &&
    other.left < one.right - 0.1 &&
    one.top < other.bottom - 0.1 &&
    other.top < one.bottom - 0.1
  );
}

function readText(element: XmlElement, classes: readonly string[]): DrawnText {
  const { text, attributes } = element;
  const [x, y] = numbers(element, ['x', 'y']);
  const anchor = attributes['text-anchor'] ?? 'start';
  const fontPx = classes.includes('head') ? 22 : classes.includes('value') ? 18 : 13;
  const width = textWidth(text, fontPx);
  const left = anchor === 'middle' ? x! - width / 2 : x!;
  return {
    text,
    classes,
    anchor,
    x: x!,
    y: y!,
    left,
    right: left + width,
    top: y! - 0.8 * fontPx,
    bottom: y!,
  };
}

function numbers({ attributes }: XmlElement, names: readonly string[]): number[] {
  return names.map((name) => Number(attributes[name] ?? 0));
}

/** Where the pen goes: `M`, `L`, `H` to a place, `v` by a way, `Z` back to the start. */
function pointsOf(data: string): [number, number][] {
  const points: [number, number][] = [];
  for (const [, command, rest] of data.matchAll(/([MLHvZ])([^MLHvZ]*)/g)) {
    const [first = 0, second = 0] = rest!.trim().split(' ').map(Number);
    const [x, y] = points.at(-1) ?? [0, 0];
    if (command === 'M' || command === 'L') points.push([first, second]);
    if (command === 'H') points.push([first, y]);
    if (command === 'v') points.push([x, y + first]);
    if (command === 'Z') points.push(points[0]!);
  }
  return points;
}
