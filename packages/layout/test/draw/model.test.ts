import { describe, expect, it } from 'vitest';
import { assertSeamless, plural, slabPieces, slotsWorthDrawing } from '../../src/draw/model.js';
import { calculate, slabConstraints } from '../../src/index.js';
import { MIB } from '../support/figures.js';

const layout = calculate(slabConstraints({ totalMemories: 100, maxMemorySize: 256 * MIB }, {}, 15));

describe('the pieces of a slab', () => {
  it('are its guards and slots in order, and those left out as one', () => {
    const pieces = slabPieces(layout, 6);
    expect(pieces.map(({ kind }) => kind)).toEqual([
      'pre-guard',
      ...Array.from({ length: 5 }, () => 'slot'),
      'elided',
      'slot',
      'post-guard',
    ]);
    expect(pieces[6]).toMatchObject({ firstSlot: 5, numSlots: 94, bytes: 94 * layout.slotBytes });
    expect(pieces[7]).toMatchObject({ slot: 99, stripe: 99 % layout.numStripes });
  });

  it('leave none out where all of them fit', () => {
    expect(slabPieces(layout, 100).filter(({ kind }) => kind === 'slot')).toHaveLength(100);
    expect(slabPieces(layout, 100).some(({ kind }) => kind === 'elided')).toBe(false);
    expect(slabPieces(layout, 99).find(({ kind }) => kind === 'elided')).toMatchObject({ numSlots: 1 });
  });

  it('make up the slab: a picture with a piece missing, twice or out of place is not drawn', () => {
    const pieces = slabPieces(layout, 6);
    const { totalSlabBytes } = layout;
    expect(() => assertSeamless(pieces, totalSlabBytes)).not.toThrow();
    const [guard, slot, next] = pieces;
    const gapAt = (offset: number): string => `a picture has a gap before its slot at ${offset}`;
    for (const [wrong, words] of [
      [pieces.slice(1), gapAt(slot!.offset)],
      [pieces.slice(0, -1), `a picture ends at ${pieces.at(-1)!.offset} of ${totalSlabBytes} bytes`],
      [pieces.toSpliced(1, 1), gapAt(next!.offset)],
      [pieces.toSpliced(1, 0, slot!), gapAt(slot!.offset)],
      [pieces.with(1, { ...slot!, bytes: slot!.bytes - 1 }), gapAt(next!.offset)],
      // The sum is right, and yet there is a gap.
      [pieces.with(1, { ...slot!, offset: slot!.offset + guard!.bytes }), gapAt(slot!.offset + guard!.bytes)],
    ] as const) {
      expect(() => assertSeamless(wrong, totalSlabBytes)).toThrow(
        expect.objectContaining({ code: 'ERR_LAYOUT_BROKEN', message: expect.stringContaining(words) }),
      );
    }
  });
});

it('as many slots are worth drawing as show all stripes and the first one’s return, within the limit', () => {
  const plain = calculate(slabConstraints({ totalMemories: 100 }));
  expect(slotsWorthDrawing(plain, 18)).toBe(4);
  expect(slotsWorthDrawing(layout, 18)).toBe(layout.numStripes + 2);
  expect(slotsWorthDrawing(layout, 10)).toBe(10);
});

it('counts in words', () => {
  expect([0, 1, 2, 1000].map((count) => plural(count, 'slot'))).toEqual([
    '0 slots',
    '1 slot',
    '2 slots',
    '1,000 slots',
  ]);
});
