/** The last comparison before the system: a mistake of the pool's own must not reach the neighbours' pages. */
import { calculate, slabConstraints, type SlabLayout } from '@guardstripe/layout';
import { Mmap } from '@guardstripe/mmap';
import type { ProtectionKey } from '@guardstripe/mpk';
import { afterEach, describe, expect, it } from 'vitest';
import { SlotPages } from '../../src/slots/pages.js';
import { faultyMemory } from '../support/fault-injection.js';
import { HOST_PAGE, PAGE } from '../support/memories.js';

const NUM_SLOTS = 4;
const settings = {
  totalMemories: NUM_SLOTS,
  maxMemorySize: 2 * PAGE,
  memoryReservation: 2 * PAGE,
  memoryGuardSize: PAGE,
};
const layout = calculate(slabConstraints(settings, settings, 0, HOST_PAGE));
const { virtualMemory, calls } = (({ virtualMemory: memory, calls: log }) => ({
  virtualMemory: memory,
  calls: log,
}))(faultyMemory());
const slabs: Mmap[] = [];
afterEach(() => slabs.splice(0).forEach((slab) => slab.close()));

const CORRUPTED = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });

function reserve(byteLength: number = layout.totalSlabBytes): Mmap {
  const slab = Mmap.reserve(byteLength, { virtualMemory });
  slabs.push(slab);
  return slab;
}

/** Keys with these numbers, which nobody has taken. */
const keysOf = (...ids: number[]) =>
  ids.map((id) => ({ id, protect: () => undefined }) as unknown as ProtectionKey);

describe('SlotPages', () => {
  it('tells where a slot lies to nobody who goes on into the next', () => {
    const pages = new SlotPages(reserve(), layout, [], virtualMemory);
    for (const byteLength of [0, HOST_PAGE, 2 * PAGE])
      expect(pages.addressFor(1, byteLength)).toBe(pages.addressOf(1));
    for (const [slot, byteLength] of [
      [1, -1],
      [1, 2 * PAGE + 1],
      [1, Number.NaN],
      [NUM_SLOTS, 0],
    ] as const)
      expect(() => pages.addressFor(slot, byteLength)).toThrow(CORRUPTED);
  });

  it('has nothing to do with a slab whose slots do not begin at pages, or end behind it', () => {
    const slab = reserve();
    const wrong: [slab: { address?: number }, layout: Partial<Record<keyof SlabLayout, number>>][] = [
      [{ address: 0 }, {}],
      [{ address: slab.address + 1 }, {}],
      [{ address: Number.NaN }, {}],
      [{}, { preSlabGuardBytes: 1 }],
      [{}, { slotBytes: layout.slotBytes + 1 }],
      [{}, { maxMemoryBytes: layout.maxMemoryBytes - 1 }],
      [{}, { numSlots: NUM_SLOTS + 1 }],
      [{}, { numSlots: Number.NaN }],
    ];
    for (const [place, change] of wrong) {
      const { address, byteLength } = slab;
      const pages = { address, byteLength, close: () => undefined, ...place };
      const { totalSlabBytes } = layout;
      const changed = Object.assign({}, layout, { totalSlabBytes }, change) as unknown as SlabLayout;
      expect(() => new SlotPages(pages, changed, [], virtualMemory)).toThrow(CORRUPTED);
    }
  });

  it('calls nobody for pages that are not the slot’s', () => {
    const pages = new SlotPages(reserve(), layout, [], virtualMemory);
    pages.open(1, 0, 2 * PAGE);
    calls.length = 0;
    const wrong: [slot: number, offset: number, byteLength: number][] = [
      [-1, 0, HOST_PAGE],
      [NUM_SLOTS, 0, HOST_PAGE],
      [Number.NaN, 0, HOST_PAGE],
      [1, -HOST_PAGE, HOST_PAGE],
      [1, 0, 2 * PAGE + HOST_PAGE],
      [1, 2 * PAGE, HOST_PAGE],
      [1, 0, 0],
      [1, 0, Number.NaN],
      [1, 1, HOST_PAGE],
      [1, 0, HOST_PAGE - 1],
    ];
    for (const [slot, offset, byteLength] of wrong) {
      expect(() => pages.open(slot, offset, byteLength)).toThrow(CORRUPTED);
      expect(() => pages.shut(slot, offset, byteLength)).toThrow(CORRUPTED);
      expect(() => pages.zero(slot, offset, byteLength)).toThrow(CORRUPTED);
      expect(() => pages.drop(slot, offset, byteLength)).toThrow(CORRUPTED);
    }
    for (const slot of [-1, NUM_SLOTS, Number.NaN]) {
      expect(() => pages.addressOf(slot)).toThrow(CORRUPTED);
      expect(() => pages.blank(slot)).toThrow(CORRUPTED);
    }
    expect(calls).toEqual([]);
  });

  it('takes no slab and no keys that do not fit the layout', () => {
    const short = reserve(layout.totalSlabBytes - HOST_PAGE);
    expect(() => new SlotPages(short, layout, [], virtualMemory)).toThrow(CORRUPTED);
    const slab = reserve();
    expect(() => new SlotPages(slab, layout, keysOf(1), virtualMemory)).toThrow(CORRUPTED);
    const wide = { ...settings, memoryReservation: 8 * PAGE };
    const striped = calculate(slabConstraints(wide, wide, 3, HOST_PAGE));
    expect(striped.numStripes).toBeGreaterThan(1);
    const ids = Array.from({ length: striped.numStripes }, (_, stripe) => stripe + 1);
    const large = reserve(striped.totalSlabBytes);
    expect(() => new SlotPages(large, striped, keysOf(...ids.slice(1)), virtualMemory)).toThrow(CORRUPTED);
    expect(() => new SlotPages(large, striped, keysOf(...ids.slice(1), 0), virtualMemory)).toThrow(CORRUPTED);
    expect(() => new SlotPages(large, striped, keysOf(...ids.slice(1), 2), virtualMemory)).toThrow(CORRUPTED);
    expect(new SlotPages(large, striped, keysOf(...ids), virtualMemory).addressOf(1)).toBe(
      large.address + striped.preSlabGuardBytes + striped.slotBytes,
    );
  });
});
