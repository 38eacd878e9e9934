import { describe, expect, it } from 'vitest';
import { SvgPen } from '../../../src/draw/svg/pen.js';
import { drawReach } from '../../../src/draw/svg/reach.js';
import { stripeFill } from '../../../src/draw/svg/style.js';
import { calculate, slabConstraints, type SlabLayout } from '../../../src/index.js';
import { FULL, MANY_KEYS, PLAIN, STRIPED, THREE } from '../../support/layouts.js';
import { extentOf, isWithin, readPicture, textIn, type Picture } from '../../support/picture.js';

const ROOM = { x: 100, width: 1000 };
const END = ROOM.x + ROOM.width;
const BAND = { firstSlotX: 123.456, firstRoundEndX: 456.789, endY: 200 };
const TOP = 254;
const BOTTOM = 322;

function reachOf(layout: SlabLayout): Picture & { readonly endY: number } {
  const pen = new SvgPen('slab');
  const endY = drawReach(pen, layout, BAND, ROOM);
  return { ...readPicture(String(pen)), endY };
}

describe('what the guest in slot 0 meets', () => {
  it('is its memory in colour, the rest of its slot and other stripes hatched, one behind the other', () => {
    const picture = reachOf(THREE);
    const [memory, ...others] = picture.rects;
    expect(memory).toMatchObject({ left: ROOM.x, fill: stripeFill(0), classes: [] });
    const [rest, neighbours] = others.filter(({ classes }) => classes.includes('closed'));
    expect(rest!.left).toBeCloseTo(memory!.right, 1);
    expect(neighbours!.left).toBeCloseTo(rest!.right, 1);
    expect(neighbours!.right).toBeCloseTo(END, 1);
    // Sizes in proportion: 1 GiB, 1 GiB and 4 GiB, but that none is narrower than its label.
    expect(rest!.right - rest!.left).toBe(180);
    expect(memory!.right - memory!.left).toBe(180);
    const hatched = picture.rects.filter(({ fill }) => fill === 'url(#slab-hatching)');
    expect(hatched.map(({ left, right }) => [left, right])).toEqual([
      [rest!.left, rest!.right],
      [neighbours!.left, neighbours!.right],
    ]);
    for (const { top, bottom } of picture.rects) expect([top, bottom]).toEqual([TOP, BOTTOM]);
  });

  it('is in proportion where there is room', () => {
    const [memory, rest] = reachOf(
      calculate(
        slabConstraints(
          { maxMemorySize: 2 ** 30, totalMemories: 3 },
          { memoryReservation: 2 ** 31, memoryGuardSize: 0 },
        ),
      ),
    ).rects;
    expect(memory!.right - memory!.left).toBe(500);
    expect(rest!.right).toBe(END);
    const [large, small] = reachOf(PLAIN).rects;
    expect([large!.right - large!.left, small!.right - small!.left]).toEqual([820, 180]);
  });

  it('has the other stripes in their colours, under a veil, side by side', () => {
    const picture = reachOf(STRIPED);
    const stripes = picture.rects.filter(({ classes }) => classes.includes('veil'));
    expect(stripes.map(({ fill }) => fill)).toEqual(
      Array.from({ length: 14 }, (_, index) => stripeFill(index + 1)),
    );
    const whole = picture.rects.findLast(({ classes }) => classes.includes('closed'))!;
    expect(stripes[0]!.left).toBe(whole.left);
    for (const [index, { right }] of stripes.entries()) {
      expect(Math.abs(right - (stripes[index + 1]?.left ?? whole.right))).toBeLessThan(0.2);
    }
    // Of very many the first are enough.
    const many = calculate(slabConstraints({ totalMemories: 1000, maxMemorySize: 65_536 }, {}, 200));
    expect(many.numStripes).toBe(200);
    expect(reachOf(many).rects.filter(({ classes }) => classes.includes('veil'))).toHaveLength(32);
    expect(reachOf(MANY_KEYS).rects.filter(({ classes }) => classes.includes('veil'))).toHaveLength(32);
  });

  it('says in each part what it is and how large, in ink that reads there', () => {
    const picture = reachOf(THREE);
    const parts = [picture.rects[0]!, ...picture.rects.filter(({ classes }) => classes.includes('closed'))];
    for (const [index, ...labels] of [
      [0, 'memory', 'at most 1 GiB'],
      [1, 'rest of the slot', '1 GiB, no access'],
      [2, '2 slots of other stripes', '4 GiB, keys closed'],
    ] as const) {
      for (const label of labels) {
        expect(isWithin(textIn(picture, label), parts[index]!)).toBe(true);
        expect(textIn(picture, label).classes).toContain(index === 0 ? 'on-fill' : 'on-hatch');
      }
    }
  });

  it('leaves out what has no bytes, and measures what is there', () => {
    const full = reachOf(FULL);
    expect(full.rects).toMatchObject([{ left: ROOM.x, right: END, fill: stripeFill(0) }]);
    expect(textIn(full, 'slot 4 GiB').x).toBe((ROOM.x + END) / 2);
    expect(full.texts.some(({ text }) => text.startsWith('to the next'))).toBe(false);
  });

  it('is measured below: the slot, and further down all to the next of its stripe', () => {
    const picture = reachOf(THREE);
    const lines = picture.paths.filter(({ points }) => points[0]![1] > BOTTOM);
    const extents = lines.map((line) => [extentOf(line).left, extentOf(line).right]);
    expect(extents).toEqual([
      [ROOM.x, ROOM.x + 360],
      [ROOM.x, END],
    ]);
    const slot = textIn(picture, 'slot 2 GiB');
    const next = textIn(picture, 'to the next slot of its stripe 6 GiB');
    expect(slot.top).toBeGreaterThan(BOTTOM);
    expect(next.top).toBeGreaterThan(slot.bottom);
    expect(picture.endY).toBeGreaterThan(next.bottom);
    expect(picture.endY - next.bottom).toBeLessThan(10);
    const plain = reachOf(PLAIN);
    expect(plain.endY - textIn(plain, 'slot 4.03 GiB').bottom).toBeLessThan(10);
    expect(plain.endY).toBeGreaterThan(textIn(plain, 'slot 4.03 GiB').bottom);
  });

  it('stands under the band, drawn out from where the slots are there', () => {
    const picture = reachOf(THREE);
    const [veil, edges] = picture.paths;
    expect(veil).toEqual({
      classes: ['closed', 'veil'],
      points: [
        [123.5, BAND.endY],
        [456.8, BAND.endY],
        [END, TOP],
        [ROOM.x, TOP],
        [123.5, BAND.endY],
      ],
    });
    expect(edges).toEqual({
      classes: ['line'],
      points: [
        [123.5, BAND.endY],
        [ROOM.x, TOP],
        [456.8, BAND.endY],
        [END, TOP],
      ],
    });
    const heading = textIn(picture, 'What the guest in slot 0 meets');
    expect(heading).toMatchObject({ x: (ROOM.x + END) / 2, anchor: 'middle', classes: ['text', 'muted'] });
    expect(heading.top).toBeGreaterThan(BAND.endY);
    expect(heading.bottom).toBeLessThan(TOP);
  });
});
