import { describe, expect, it } from 'vitest';
import { calculate, slabConstraints } from '../src/index.js';
import type { PageAlignedBytes } from '../src/page-aligned-bytes.js';
import { assertPromises } from '../src/promises.js';
import { SlabLayout } from '../src/slab-layout.js';
import { GIB, MIB } from './support/figures.js';

const constraints = slabConstraints({ totalMemories: 100, maxMemorySize: 256 * MIB }, {}, 15);
const good = calculate(constraints);
const reachBytes = constraints.expectedSlotBytes + constraints.guardBytes;
const bytes = (value: number) => value as PageAlignedBytes;

/** The good layout with some parts changed. */
function changed(parts: Partial<SlabLayout>): SlabLayout {
  const own = Object.fromEntries(Object.entries(good));
  return new SlabLayout(Object.assign(own, parts) as unknown as SlabLayout);
}

describe('the promises of a layout', () => {
  it('are kept by what calculate() makes, to the byte', () => {
    expect(() => assertPromises(good, reachBytes)).not.toThrow();
    const exactBytes = good.bytesToNextStripeSlot;
    const exact = changed({ postSlabGuardBytes: bytes(exactBytes - good.slotBytes) });
    expect(() => assertPromises(exact, exactBytes)).not.toThrow();
    expect(() => assertPromises(exact, exactBytes + 1)).toThrow(/ERR|promise/);
  });

  it.each<[string, Partial<SlabLayout>]>([
    ['slots can be counted', { numSlots: 99.5 }],
    ['slots can be counted', { numSlots: -1 }],
    ['every size is whole pages', { slotBytes: bytes(good.slotBytes + 1) }],
    ['every size is whole pages', { maxMemoryBytes: bytes(4095) }],
    ['every size is whole pages', { preSlabGuardBytes: bytes(-4096) }],
    ['every size is whole pages', { preSlabGuardBytes: bytes(4097) }],
    ['every size is whole pages', { postSlabGuardBytes: bytes(good.postSlabGuardBytes + 2048) }],
    ['every size is whole pages', { pageSize: Number.NaN }],
    ['there is a stripe', { numStripes: 0 }],
    ['each stripe has a slot', { numSlots: 14 }],
    ['a slot holds its memory', { maxMemoryBytes: bytes(good.slotBytes + 4096) }],
    ["a stripe's next slot is out of reach", { numStripes: 14 }],
    [
      'nothing behind the slab is in reach',
      { postSlabGuardBytes: bytes(reachBytes - good.slotBytes - 4096) },
    ],
    ['the slab can be counted', { numSlots: 2 ** 52 }],
  ])('%s: a layout that breaks it does not leave', (promise, parts) => {
    expect(() => assertPromises(changed(parts), reachBytes)).toThrow(
      expect.objectContaining({
        code: 'ERR_LAYOUT_BROKEN',
        message: expect.stringContaining(promise) as string,
      }),
    );
  });

  it('one stripe needs no slot: a slab may be empty', () => {
    expect(() => assertPromises(calculate(slabConstraints({ totalMemories: 0 })), 4 * GIB)).not.toThrow();
  });
});
