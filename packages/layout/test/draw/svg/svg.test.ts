import { describe, expect, it } from 'vitest';
import { draw } from '../../../src/index.js';
import { ALL, EMPTY, NO_BYTES, STRIPED, THREE } from '../../support/layouts.js';
import { overlap, readPicture, textIn } from '../../support/picture.js';
import { readXml } from '../../support/xml.js';

function pictureOf(layout: (typeof ALL)[keyof typeof ALL], title?: string) {
  return readPicture(draw(layout, { format: 'svg', title }));
}

describe.each(Object.entries(ALL))('the picture %s', (_, layout) => {
  it('has no text on another, nor one in the margin', () => {
    const { texts } = pictureOf(layout);
    for (const [index, text] of texts.entries()) {
      expect(text.left).toBeGreaterThanOrEqual(32);
      expect(text.right).toBeLessThanOrEqual(1168);
      for (const other of texts.slice(index + 1)) {
        // The careful guess at their width is too careful for numbers side by side.
        if (other.y !== text.y && overlap(text, other)) expect([text.text, other.text]).toEqual([]);
      }
    }
  });

  it('has heading, band, reach, cards and legend below each other, on its paper', () => {
    const { rects, texts } = pictureOf(layout);
    const [paper, ...others] = rects;
    expect(paper).toMatchObject({ left: 0, top: 0, right: 1200, classes: ['paper'] });
    const cards = others.filter(({ classes }) => classes.includes('card'));
    const first = others.indexOf(cards[0]!);
    const [above, below] = [others.slice(0, first), others.slice(first + cards.length)];
    const highest = (areas: readonly { readonly top: number }[]) => Math.min(...areas.map(({ top }) => top));
    const lowest = (areas: readonly { readonly bottom: number }[]) =>
      Math.max(...areas.map(({ bottom }) => bottom));
    expect(highest(above)).toBeGreaterThan(texts[1]!.bottom);
    const textsAbove = texts.filter(({ top }) => top < highest(cards));
    const space = highest(cards) - lowest([...above, ...textsAbove]);
    expect(space).toBeGreaterThanOrEqual(32);
    expect(space).toBeLessThan(40);
    expect(highest(below) - lowest(cards)).toBe(28);
    expect(paper!.bottom - lowest(below)).toBe(24);
  });
});

describe('the head of a picture', () => {
  it('is its title, large, and below it what all of it is', () => {
    const { texts } = pictureOf(THREE);
    expect(texts[0]).toMatchObject({
      text: 'Slab of 3 slots in 3 stripes',
      classes: ['text', 'head', 'ink'],
      x: 32,
    });
    expect(texts[1]).toMatchObject({
      text: '12 GiB of address space, pages of 4 KiB. Widths are not to scale.',
      classes: ['text', 'muted'],
      x: 32,
    });
    expect(texts[1]!.top).toBeGreaterThan(texts[0]!.bottom);
  });

  it('shortens a long title there, and keeps it whole for whoever does not see it', () => {
    const fits = 'x'.repeat(85);
    expect(pictureOf(THREE, fits).texts[0]?.text).toBe(fits);
    const long = `${'x'.repeat(84)}yz`;
    const svg = draw(THREE, { format: 'svg', title: long });
    expect(readPicture(svg).texts[0]?.text).toBe(`${'x'.repeat(84)}…`);
    expect(readXml(svg).find(({ name }) => name === 'title')?.text).toBe(long);
  });
});

it('fifteen stripes, the first one’s return and the last slot are drawn, and no more', () => {
  const { rects } = pictureOf(STRIPED);
  const memories = rects.filter(
    ({ fill, classes }) => fill?.startsWith('#') === true && classes.length === 0,
  );
  // In the band, the guest's own below it, and three in the legend.
  expect(memories).toHaveLength(17 + 1 + 3);
});

it('what a guest meets is not drawn where there is none', () => {
  for (const layout of [EMPTY, NO_BYTES]) {
    expect(pictureOf(layout).texts.some(({ text }) => text.startsWith('What the guest'))).toBe(false);
  }
  expect(textIn(pictureOf(THREE), 'What the guest in slot 0 meets').anchor).toBe('middle');
});

it('the hatching that the picture refers to is there, of lines across a tile', () => {
  const elements = readXml(draw(THREE, { format: 'svg', idPrefix: 'p' }));
  const pattern = elements.find(({ name }) => name === 'pattern');
  expect(pattern?.attributes).toMatchObject({ id: 'p-hatching', width: '8', height: '8' });
  expect(elements.find(({ name }) => name === 'line')?.attributes['class']).toBe('p-hatch');
  const used = new Set(
    elements.map(({ attributes }) => attributes['fill']).filter((fill) => fill?.startsWith('url')),
  );
  expect(used).toEqual(new Set(['url(#p-hatching)']));
});

it('is as high as its width asks for, and says so to the reader', () => {
  const root = readXml(draw(STRIPED, { format: 'svg', width: 300 }))[0]!;
  const [left, top, width, height] = root.attributes['viewBox']!.split(' ').map(Number);
  expect([left, top, width]).toEqual([0, 0, 1200]);
  expect(root.attributes['height']).toBe(String(Math.round(height! / 4)));
});
