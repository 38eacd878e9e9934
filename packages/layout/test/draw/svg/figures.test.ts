import { describe, expect, it } from 'vitest';
import { drawCards, drawLegend } from '../../../src/draw/svg/figures.js';
import { SvgPen } from '../../../src/draw/svg/pen.js';
import { stripeFill } from '../../../src/draw/svg/style.js';
import { calculate, slabConstraints, type SlabLayout } from '../../../src/index.js';
import { PLAIN, STRIPED, THREE } from '../../support/layouts.js';
import { isWithin, overlap, readPicture, textIn, type Picture } from '../../support/picture.js';

const ROOM = { x: 100, y: 50, width: 1000 };

type Draw = typeof drawCards;

function drawn(draw: Draw, layout: SlabLayout): Picture & { readonly endY: number } {
  const pen = new SvgPen('slab');
  const endY = draw(pen, layout, ROOM);
  return { ...readPicture(String(pen)), endY };
}

/** What each card says, from top to bottom. */
function cardsOf(layout: SlabLayout): string[][] {
  const { rects, texts } = drawn(drawCards, layout);
  return rects.map((card) => texts.filter((text) => isWithin(text, card)).map(({ text }) => text));
}

describe('the cards', () => {
  it('stand in two rows of four, that fill the room, apart from each other', () => {
    const { rects, endY } = drawn(drawCards, THREE);
    expect(rects).toHaveLength(8);
    for (const [index, card] of rects.entries()) {
      expect(card.classes).toEqual(['card']);
      expect(rects.slice(index + 1).some((other) => overlap(card, other))).toBe(false);
    }
    expect(rects.map(({ left }) => left)).toEqual([100, 353, 606, 859, 100, 353, 606, 859]);
    expect([rects[3]!.right, rects[7]!.right]).toEqual([1100, 1100]);
    expect(rects.map(({ top }) => top)).toEqual([50, 50, 50, 50, 140, 140, 140, 140]);
    expect(rects[1]!.left - rects[0]!.right).toBe(rects[4]!.top - rects[0]!.bottom);
    expect(endY).toBe(rects[7]!.bottom);
  });

  it('hold name, figure and note, one below the other, the figure large', () => {
    const { rects, texts } = drawn(drawCards, THREE);
    for (const card of rects) {
      const lines = texts.filter((text) => isWithin(text, card));
      expect(lines.map(({ classes }) => classes)).toEqual([
        ['text', 'small', 'muted'],
        ['text', 'value', 'ink'],
        ['text', 'small', 'muted'],
      ]);
      expect(new Set(lines.map(({ left }) => Math.round(left - card.left)))).toEqual(new Set([14]));
      expect(lines[1]!.top).toBeGreaterThan(lines[0]!.bottom);
      expect(lines[2]!.top).toBeGreaterThan(lines[1]!.bottom);
    }
  });

  it('say every figure of the layout', () => {
    expect(cardsOf(STRIPED)).toEqual([
      ['slots', '1,000', '66 or 67 in each stripe'],
      ['each slot', '275.2 MiB', '0x11334000 bytes'],
      ['memory, at most', '256 MiB', '0x10000000 bytes'],
      ['whole slab', '272.55 GiB', '0x4422fec000 bytes'],
      ['stripes', '15', 'one protection key each'],
      ['to the next slot of a stripe', '4.03 GiB', '0x10200c000 bytes'],
      ['guard before the slots', '32 MiB', '0x2000000 bytes'],
      ['guard after the slots', '3.76 GiB', '0xf0ccc000 bytes'],
    ]);
  });

  it('say how the slots are shared among the stripes', () => {
    expect(cardsOf(PLAIN)[0]).toEqual(['slots', '1,000', 'in one stripe']);
    expect(cardsOf(PLAIN)[4]).toEqual(['stripes', '1', 'no protection keys needed']);
    expect(cardsOf(THREE)[0]).toEqual(['slots', '3', '1 in each stripe']);
    const many = { totalMemories: 15_001, maxMemorySize: 2 ** 28 };
    expect(cardsOf(calculate(slabConstraints(many, {}, 15)))[0]?.[2]).toBe('1,000 or 1,001 in each stripe');
  });
});

describe('the legend', () => {
  it.each([
    ['striped', THREE, 3],
    ['not striped', PLAIN, 2],
  ])(
    'of a slab that is %s is one line, each text behind its swatches, none on another',
    (_, layout, count) => {
      const { rects, texts, endY } = drawn(drawLegend, layout);
      expect(texts).toHaveLength(count);
      for (const { top, bottom } of rects) expect([top, bottom]).toEqual([ROOM.y, endY]);
      const grounds = rects.filter(({ classes }) => classes.includes('closed'));
      expect(grounds).toHaveLength(count);
      expect(grounds[0]!.left).toBe(ROOM.x);
      for (const [index, text] of texts.entries()) {
        expect(text.left - grounds[index]!.right).toBeCloseTo(8, 0);
        expect(text.classes).toEqual(['text', 'muted']);
        expect(text.top).toBeGreaterThan(ROOM.y);
        expect(text.bottom).toBeLessThan(endY);
        const next = grounds[index + 1];
        if (next !== undefined) expect(next.left - text.right).toBeCloseTo(20, 0);
      }
    },
  );

  it('shows what each sort of ground looks like', () => {
    const { rects, texts } = drawn(drawLegend, THREE);
    const starts = rects.filter(({ classes }) => classes.includes('closed'));
    const looksLike = (index: number) =>
      rects
        .filter((rect) => isWithin(rect, starts[index]!))
        .map(({ classes, fill, left, right }) => [...classes, fill, Math.round(right - left)]);
    expect(texts.map(({ text }) => text)).toEqual([
      'memory, in the colour of its stripe',
      'slot of another stripe: its key is closed',
      'guard, or rest of a slot: no access',
    ]);
    expect(looksLike(0)).toEqual([
      ['closed', undefined, 48],
      ...[0, 1, 2].map((stripe) => [stripeFill(stripe), 16]),
    ]);
    expect(looksLike(1)).toEqual([
      ['closed', undefined, 32],
      ['veil', stripeFill(1), 16],
      ['veil', stripeFill(2), 16],
      ['url(#slab-hatching)', 32],
    ]);
    expect(looksLike(2)).toEqual([
      ['closed', undefined, 16],
      ['url(#slab-hatching)', 16],
    ]);
    const [one, two] = rects.filter(({ fill }) => fill === stripeFill(1));
    expect(one!.left - ROOM.x).toBe(16);
    expect(two!.left).toBeGreaterThan(textIn(drawn(drawLegend, THREE), texts[0]!.text).right);
  });

  it('of a slab that is not striped speaks of no stripes', () => {
    const { texts, rects } = drawn(drawLegend, PLAIN);
    expect(texts.map(({ text }) => text)).toEqual(['memory', 'guard, or rest of a slot: no access']);
    expect(rects.filter(({ fill }) => fill?.startsWith('#')).map(({ fill }) => fill)).toEqual([
      stripeFill(0),
    ]);
  });
});
