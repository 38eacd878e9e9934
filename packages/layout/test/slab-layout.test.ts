import { describe, expect, it } from 'vitest';
import { calculate, type SlabLayout } from '../src/index.js';

/** Ten slots in three stripes; a slot is 4 pages, its memory 3, the pre-guard 3. */
function threeStripes(numSlots = 10): SlabLayout {
  return calculate({
    expectedSlotBytes: 9 * 4096,
    maxMemoryBytes: 3 * 4096,
    numSlots,
    numPkeysAvailable: 3,
    guardBytes: 3 * 4096,
    guardBeforeSlots: true,
  });
}

describe('SlabLayout', () => {
  it('places slots behind the pre-guard', () => {
    const layout = threeStripes();
    expect(layout).toMatchObject({ numStripes: 3, slotBytes: 4 * 4096, postSlabGuardBytes: 8 * 4096 });
    expect(layout.slotOffset(0)).toBe(3 * 4096);
    expect(layout.slotOffset(9)).toBe((3 + 36) * 4096);
    expect(layout.totalSlabBytes).toBe((3 + 40 + 8) * 4096);
    expect(layout.bytesToNextStripeSlot).toBe(12 * 4096);
  });

  it('numbers stripes and the slots in them', () => {
    const layout = threeStripes();
    const slots = Array.from({ length: 10 }, (_, slot) => slot);
    expect(slots.map((slot) => layout.stripeOf(slot))).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
    expect(slots.map((slot) => layout.indexInStripe(slot))).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
    expect([0, 1, 2].map((stripe) => layout.slotsInStripe(stripe))).toEqual([4, 3, 3]);
    for (const slot of slots) {
      expect(layout.slotIndex(layout.stripeOf(slot), layout.indexInStripe(slot))).toBe(slot);
    }
    const eleven = threeStripes(11);
    expect([0, 1, 2].map((stripe) => eleven.slotsInStripe(stripe))).toEqual([4, 4, 3]);
  });

  it('refuses slots, stripes and indices that it has not', () => {
    const layout = threeStripes();
    for (const slot of [-1, 10, 0.5, Number.NaN]) {
      expect(() => layout.slotOffset(slot)).toThrow(RangeError);
      expect(() => layout.stripeOf(slot)).toThrow(/"slot"/);
      expect(() => layout.indexInStripe(slot)).toThrow(/"slot"/);
    }
    expect(() => layout.slotOffset('1' as unknown as number)).toThrow(TypeError);
    for (const stripe of [-1, 3, 1.5]) {
      expect(() => layout.slotsInStripe(stripe)).toThrow(/"stripe"/);
      expect(() => layout.slotIndex(stripe, 0)).toThrow(/"stripe"/);
    }
    expect(layout.slotIndex(0, 3)).toBe(9);
    expect(() => layout.slotIndex(1, 3)).toThrow(/"indexInStripe"/);
    expect(() => threeStripes(0).slotOffset(0)).toThrow(RangeError);
    expect(threeStripes(0).slotsInStripe(0)).toBe(0);
  });

  it('cannot be changed, and its figures survive JSON', () => {
    const layout = threeStripes();
    expect(() => {
      (layout as { numSlots: number }).numSlots = 3;
    }).toThrow(TypeError);
    expect(JSON.parse(JSON.stringify(layout))).toEqual({
      numSlots: 10,
      slotBytes: 16_384,
      maxMemoryBytes: 12_288,
      preSlabGuardBytes: 12_288,
      postSlabGuardBytes: 32_768,
      numStripes: 3,
      pageSize: 4096,
    });
  });
});
