import { describe, expect, it } from 'vitest';
import { drawBand, type DrawnBand } from '../../../src/draw/svg/band.js';
import { SvgPen } from '../../../src/draw/svg/pen.js';
import { stripeFill } from '../../../src/draw/svg/style.js';
import { slabPieces, slotsWorthDrawing } from '../../../src/draw/model.js';
import { calculate, slabConstraints, type SlabLayout } from '../../../src/index.js';
import { EMPTY, FULL, MANY_KEYS, NO_BYTES, NOTHING, PLAIN, STRIPED, THREE } from '../../support/layouts.js';
import {
  extentOf,
  isWithin,
  readPicture,
  textIn,
  type Area,
  type DrawnRect,
  type Picture,
} from '../../support/picture.js';

const ROOM = { x: 100, y: 50, width: 1000 };
const END = ROOM.x + ROOM.width;

function bandOf(layout: SlabLayout, maxSlots = 17): Picture & DrawnBand {
  const pen = new SvgPen('slab');
  const pieces = slabPieces(layout, slotsWorthDrawing(layout, maxSlots));
  const band = drawBand(pen, layout, pieces, ROOM);
  return { ...readPicture(String(pen)), ...band };
}

/** What nobody may touch, if no memory lies on it: guards and whole slots. */
function closedOf({ rects }: Picture): DrawnRect[] {
  return rects.filter(({ classes }) => classes.includes('closed'));
}

/** Where slots are left out. */
function gapOf({ paths }: Picture): Area | undefined {
  const path = paths.find(({ classes }) => classes.includes('empty'));
  return path && extentOf(path);
}

function memoriesOf({ rects }: Picture): DrawnRect[] {
  return rects.filter(({ fill }) => fill?.startsWith('#'));
}

function withMemory(maxMemorySize: number, tunables = {}): Picture & DrawnBand {
  return bandOf(calculate(slabConstraints({ totalMemories: 3, maxMemorySize }, tunables)));
}

describe('the band', () => {
  it.each([
    ['guards at both ends', THREE, ['guard', 'slot', 'slot', 'slot', 'guard']],
    ['slots left out', PLAIN, ['guard', 'slot', 'slot', 'slot', 'gap', 'slot']],
    ['no guards', FULL, ['slot', 'slot', 'slot', 'slot']],
  ])('fills its room from end to end with %s', (_, layout, kinds) => {
    const picture = bandOf(layout);
    const gap = gapOf(picture);
    const closed = closedOf(picture);
    let x = ROOM.x;
    const widths: Record<string, number[]> = { guard: [], slot: [], gap: [] };
    for (const kind of kinds) {
      if (kind === 'gap') {
        expect(gap!.left).toBeCloseTo(x, 0);
        widths['gap']!.push(Math.round(gap!.right - gap!.left));
        x = gap!.right;
        continue;
      }
      const rect = closed.shift()!;
      // Between slots there is a unit to either side.
      const edge = kind === 'slot' ? 1 : 0;
      expect(Math.abs(rect.left - edge - x)).toBeLessThan(0.3);
      x = rect.right + edge;
      widths[kind]!.push(Math.round(x - rect.left + edge));
      expect([rect.top, rect.bottom]).toEqual([ROOM.y + 44, picture.endY]);
    }
    expect(closed).toEqual([]);
    expect(Math.abs(x - END)).toBeLessThan(0.3);
    for (const each of Object.values(widths)) expect(new Set(each).size).toBeLessThanOrEqual(1);
    expect(new Set(widths['guard'])).toEqual(kinds.includes('guard') ? new Set([92]) : new Set());
    expect(new Set(widths['gap'])).toEqual(kinds.includes('gap') ? new Set([110]) : new Set());
  });

  it('is measured above, from one end to the other', () => {
    const picture = bandOf(THREE);
    expect(extentOf(picture.paths[0]!)).toMatchObject({ left: ROOM.x, right: END });
    expect(picture.paths[0]!.classes).toEqual(['line']);
    const total = textIn(picture, 'whole slab 12 GiB');
    expect(total.bottom).toBeLessThan(textIn(picture, 'slot 0').top);
    expect(Math.abs(total.y - ROOM.y)).toBeLessThan(6);
  });

  it('says where the first slot is, and where the first round of stripes ends', () => {
    const three = bandOf(THREE);
    const slots = closedOf(three).slice(1, 4);
    expect(three.firstSlotX).toBeCloseTo(slots[0]!.left - 1, 1);
    expect(three.firstRoundEndX).toBeCloseTo(slots[2]!.right + 1, 1);
    expect(bandOf(FULL)).toMatchObject({ firstSlotX: ROOM.x, firstRoundEndX: ROOM.x + ROOM.width / 4 });
    const plain = bandOf(PLAIN);
    expect(plain.firstRoundEndX).toBeCloseTo(closedOf(plain)[1]!.right + 1, 1);
  });

  it('ends the first round where the slots are left out, if its last slot is one of those', () => {
    const picture = bandOf(MANY_KEYS);
    expect(MANY_KEYS.numStripes).toBe(40);
    expect(picture.firstRoundEndX).toBeCloseTo(gapOf(picture)!.right, 0);
    // The last slot that is drawn, and the first and the last that are not.
    const endsAt = (maxSlots: number): number => {
      const cut = bandOf(MANY_KEYS, maxSlots);
      return Math.abs(cut.firstRoundEndX - gapOf(cut)!.right);
    };
    expect(endsAt(40)).toBeLessThan(0.3);
    expect(endsAt(41)).toBeGreaterThan(100);
    // Nor does the last slot of all, if it is the one.
    const five = calculate(slabConstraints({ totalMemories: 41, maxMemorySize: 2 ** 20 }, {}, 41));
    expect(five.numStripes).toBe(41);
    const cut = bandOf(five, 10);
    expect(cut.firstRoundEndX).toBeGreaterThan(gapOf(cut)!.right + 10);
  });

  it('says how many slots are left out, between two lines', () => {
    const picture = bandOf(STRIPED);
    const gap = gapOf(picture)!;
    expect([gap.top, gap.bottom]).toEqual([ROOM.y + 44, picture.endY]);
    for (const text of ['983 more', 'slots']) {
      expect(isWithin(textIn(picture, text), gap)).toBe(true);
      expect(textIn(picture, text).classes).toContain('muted');
    }
    const five = bandOf(calculate(slabConstraints({ totalMemories: 5 })));
    expect(textIn(five, '1 more').y).toBeLessThan(textIn(five, 'slot').y);
    expect(five.paths.every(({ classes }) => classes.length === 1)).toBe(true);
  });

  it('labels its guards with their sizes, within them', () => {
    const picture = bandOf(THREE);
    const [before, , , , after] = closedOf(picture);
    expect(isWithin(textIn(picture, '2 GiB'), before!)).toBe(true);
    expect(isWithin(textIn(picture, '4 GiB'), after!)).toBe(true);
    const guards = picture.texts.filter(({ text }) => text === 'guard');
    expect(guards.map((text) => [before, after].findIndex((guard) => isWithin(text, guard!)))).toEqual([
      0, 1,
    ]);
    for (const { classes } of guards) expect(classes).toContain('on-hatch');
  });

  it('consists of the guard alone where there is no slot, and of a frame where there is nothing', () => {
    const [guard, ...others] = closedOf(bandOf(EMPTY));
    expect([guard!.left, guard!.right]).toEqual([ROOM.x, END]);
    expect(others).toEqual([]);
    const nothing = bandOf(NOTHING);
    expect(nothing.rects).toMatchObject([{ left: ROOM.x, right: END, classes: ['empty'] }]);
    expect(isWithin(textIn(nothing, 'no bytes at all'), nothing.rects[0]!)).toBe(true);
    expect(textIn(nothing, 'no bytes at all').classes).toContain('muted');
    expect(nothing).toMatchObject({ firstSlotX: ROOM.x, firstRoundEndX: END });
    expect(nothing.rects[0]).toMatchObject({ top: ROOM.y + 44, bottom: nothing.endY });
    expect(bandOf(THREE).texts.some(({ text }) => text === 'no bytes at all')).toBe(false);
  });
});

describe('a slot of the band', () => {
  it('has its number above it, in words if there is room; the first always', () => {
    const roomy = bandOf(THREE);
    for (const [index, slot] of closedOf(roomy).slice(1, 4).entries()) {
      const caption = textIn(roomy, `slot ${index}`);
      expect(caption.x).toBeCloseTo((slot.left + slot.right) / 2, 0);
      expect(caption.bottom).toBeLessThan(slot.top);
      expect(caption.bottom).toBeGreaterThan(slot.top - 15);
      expect(caption).toMatchObject({ classes: ['text', 'small', 'muted'], anchor: 'middle' });
    }
    const captions = bandOf(STRIPED)
      .texts.filter(({ classes }) => classes.includes('small'))
      .map(({ text }) => text);
    expect(captions).toEqual(['slot 0', ...Array.from({ length: 15 }, (_, slot) => `${slot + 1}`), '999']);
  });

  it('shows its memory at its left, in the colour of its stripe, on ground that is closed', () => {
    const picture = bandOf(THREE);
    const memories = memoriesOf(picture);
    expect(memories.map(({ fill }) => fill)).toEqual([0, 1, 2].map(stripeFill));
    for (const [index, slot] of closedOf(picture).slice(1, 4).entries()) {
      expect(memories[index]!.left).toBe(slot.left);
      expect((memories[index]!.right - slot.left) / (slot.right - slot.left)).toBeCloseTo(0.5, 2);
    }
  });

  it.each([
    ['no memory', 0, {}, 0],
    ['a small one, of which a third is shown', 65_536, {}, 1 / 3],
    ['one of which nearly all is memory, with some of the rest', 2 ** 32, {}, 0.9],
    ['one that is all memory', 2 ** 32, { memoryGuardSize: 0 }, 1],
  ])('with %s', (_, maxMemorySize, tunables, share) => {
    const picture = withMemory(maxMemorySize, tunables);
    const slot = closedOf(picture).at(-1)!;
    const memory = memoriesOf(picture).at(-1)!;
    expect((memory.right - memory.left) / (slot.right - slot.left)).toBeCloseTo(share, 2);
  });

  it('of no bytes shows no memory', () => {
    for (const { left, right } of memoriesOf(bandOf(NO_BYTES))) expect(right).toBe(left);
  });

  it('names in its memory what fits there: its stripe, the number of it, or nothing', () => {
    const labelsOf = (picture: Picture) =>
      picture.texts.filter(({ classes }) => classes.includes('on-fill')).map(({ text }) => text);
    expect(labelsOf(bandOf(THREE))).toEqual(['stripe 0', 'stripe 1', 'stripe 2']);
    expect(labelsOf(bandOf(FULL))).toEqual(Array.from({ length: 4 }, () => 'memory'));
    expect(labelsOf(bandOf(STRIPED))).toEqual([
      ...Array.from({ length: 15 }, (_, stripe) => `${stripe}`),
      '0',
      '9',
    ]);
    expect(labelsOf(withMemory(0))).toEqual([]);
    for (const picture of [THREE, FULL, STRIPED].map((layout) => bandOf(layout))) {
      const labels = picture.texts.filter(({ classes }) => classes.includes('on-fill'));
      const memories = memoriesOf(picture);
      expect(labels.map((label, index) => isWithin(label, memories[index]!))).toEqual(labels.map(() => true));
    }
  });
});
