import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  calculate,
  describeLocation,
  locate,
  type LocateOptions,
  type SlabConstraints,
  type SlabLayout,
  type SlabLocation,
} from '../src/index.js';

const PAGE = 4096;

function pages(
  numSlots: number,
  numPkeysAvailable: number,
  extra: Partial<SlabConstraints> = {},
): SlabLayout {
  return calculate({
    expectedSlotBytes: 9 * PAGE,
    maxMemoryBytes: 3 * PAGE,
    numSlots,
    numPkeysAvailable,
    guardBytes: 3 * PAGE,
    guardBeforeSlots: true,
    ...extra,
  });
}

/** Pre-guard 3 pages; slots of 4, memories of 3, stripes 0 1 2 0 1; post-guard 8. */
const STRIPED = pages(5, 3);

/** Every page of the slab as one sign each, found by a walk that knows no arithmetic but adding pages. */
function pageMap(layout: SlabLayout): { kind: SlabLocation['kind']; slot: number; pageInSlot: number }[] {
  const map: { kind: SlabLocation['kind']; slot: number; pageInSlot: number }[] = [];
  const push = (kind: SlabLocation['kind'], count: number, slot: number, first: number): void => {
    for (let page = 0; page < count; page += 1) map.push({ kind, slot, pageInSlot: first + page });
  };
  const slotPages = layout.slotBytes / PAGE;
  const memoryPages = layout.maxMemoryBytes / PAGE;
  push('pre-guard', layout.preSlabGuardBytes / PAGE, -1, 0);
  for (let slot = 0; slot < layout.numSlots; slot += 1) {
    push('memory', memoryPages, slot, 0);
    push('slot-guard', slotPages - memoryPages, slot, memoryPages);
  }
  push('post-guard', layout.postSlabGuardBytes / PAGE, layout.numSlots - 1, slotPages);
  return map;
}

describe('locate()', () => {
  it.each([
    ['five slots in three stripes', STRIPED],
    ['five slots without stripes', pages(5, 0)],
    ['no slots', pages(0, 3)],
    ['no guards', pages(4, 3, { guardBytes: 0 })],
    ['no pre-guard', pages(4, 3, { guardBeforeSlots: false })],
    ['no memory', pages(4, 3, { maxMemoryBytes: 0 })],
    ['nothing at all', pages(3, 3, { maxMemoryBytes: 0, guardBytes: 0, expectedSlotBytes: 0 })],
  ])('is right on every page boundary and one byte around it: %s', (_, layout) => {
    const map = pageMap(layout);
    expect(map).toHaveLength(layout.totalSlabBytes / PAGE);
    for (let page = 0; page <= map.length; page += 1) {
      for (const offset of [page * PAGE - 1, page * PAGE, page * PAGE + 1]) {
        const location = locate(layout, offset);
        const expected = map[Math.floor(offset / PAGE)];
        expect(location.offset).toBe(offset);
        expect([offset, location.kind]).toEqual([offset, expected?.kind ?? 'outside']);
        if (expected === undefined || !('slot' in location)) continue;
        const bytesIntoSlot = expected.pageInSlot * PAGE + (offset % PAGE);
        expect(location).toMatchObject({
          slot: expected.slot,
          stripe: expected.slot % layout.numStripes,
          memoryBytes: layout.maxMemoryBytes,
          ...(location.kind === 'memory'
            ? { memoryOffset: bytesIntoSlot }
            : { bytesPastEnd: bytesIntoSlot - layout.maxMemoryBytes }),
        });
      }
    }
  });

  it('says how far outside the slab, and before the slots', () => {
    const total = STRIPED.totalSlabBytes;
    expect(locate(STRIPED, -1)).toEqual({ kind: 'outside', offset: -1, side: 'before', distanceBytes: 1 });
    expect(locate(STRIPED, total)).toEqual({
      kind: 'outside',
      offset: total,
      side: 'after',
      distanceBytes: 1,
    });
    expect(locate(STRIPED, 0)).toEqual({ kind: 'pre-guard', offset: 0, bytesBeforeSlots: 3 * PAGE });
    expect(locate(STRIPED, 3 * PAGE - 1)).toMatchObject({ bytesBeforeSlots: 1 });
  });

  it('counts from the current size where it is known', () => {
    const sizes = [100, 0, 3 * PAGE, undefined, PAGE];
    const options: LocateOptions = { memoryBytes: (slot) => sizes[slot] };
    const at = (slot: number, byte: number): SlabLocation =>
      locate(STRIPED, STRIPED.slotOffset(slot) + byte, options);
    expect(at(0, 99)).toMatchObject({ kind: 'memory', memoryOffset: 99, memoryBytes: 100 });
    expect(at(0, 100)).toMatchObject({ kind: 'ungrown', bytesPastEnd: 0, memoryBytes: 100 });
    expect(at(0, 3 * PAGE - 1)).toMatchObject({ kind: 'ungrown', bytesPastEnd: 3 * PAGE - 101 });
    expect(at(0, 3 * PAGE)).toMatchObject({ kind: 'slot-guard', bytesPastEnd: 3 * PAGE - 100 });
    expect(at(1, 0)).toMatchObject({ kind: 'ungrown', slot: 1, bytesPastEnd: 0 });
    expect(at(2, 3 * PAGE - 1)).toMatchObject({ kind: 'memory', slot: 2 });
    expect(at(2, 3 * PAGE)).toMatchObject({ kind: 'slot-guard', slot: 2, bytesPastEnd: 0 });
    expect(at(3, 2 * PAGE)).toMatchObject({ kind: 'memory', slot: 3, memoryBytes: 3 * PAGE });
    expect(at(4, 4 * PAGE)).toMatchObject({ kind: 'post-guard', slot: 4, bytesPastEnd: 3 * PAGE });
    expect(locate(STRIPED, STRIPED.slotOffset(2) + 50, { memoryBytes: 50 })).toMatchObject({
      kind: 'ungrown',
    });
  });

  it('charges a byte to the memory of the guest that touched it', () => {
    const inSlot3 = STRIPED.slotOffset(3) + 10;
    expect(locate(STRIPED, inSlot3, { stripe: 0 })).toMatchObject({
      kind: 'memory',
      slot: 3,
      memoryOffset: 10,
    });
    expect(locate(STRIPED, inSlot3, { stripe: 2, memoryBytes: 5 })).toEqual({
      kind: 'neighbour',
      offset: inSlot3,
      slot: 2,
      stripe: 2,
      memoryBytes: 5,
      bytesPastEnd: 4 * PAGE + 5,
      neighbourSlot: 3,
      neighbourStripe: 0,
    });
    expect(locate(STRIPED, inSlot3, { stripe: 1 })).toMatchObject({ kind: 'neighbour', slot: 1, stripe: 1 });
  });

  it('charges the post-guard to the last memory of the stripe', () => {
    const firstAfter = STRIPED.totalSlabBytes - STRIPED.postSlabGuardBytes;
    const owners = [0, 1, 2].map((stripe) => locate(STRIPED, firstAfter, { stripe }));
    expect(owners).toMatchObject([
      { kind: 'post-guard', slot: 3, stripe: 0, bytesPastEnd: 5 * PAGE },
      { kind: 'post-guard', slot: 4, stripe: 1, bytesPastEnd: PAGE },
      { kind: 'post-guard', slot: 2, stripe: 2, bytesPastEnd: 9 * PAGE },
    ]);
  });

  it('lets the holder stand where no memory of the stripe lies before', () => {
    const inSlot1 = STRIPED.slotOffset(1);
    expect(locate(STRIPED, inSlot1, { stripe: 2 })).toMatchObject({ kind: 'memory', slot: 1, stripe: 1 });
  });

  it('never charges a memory for a byte that it cannot reach', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 15 }),
        fc.nat(),
        fc.nat(),
        (slots, keys, randomOffset, randomStripe) => {
          const layout = pages(slots, keys);
          const offset = randomOffset % layout.totalSlabBytes;
          const stripe = randomStripe % layout.numStripes;
          const location = locate(layout, offset, { stripe });
          if (!('slot' in location)) return;
          const bytesIntoSlot = offset - layout.slotOffset(location.slot);
          expect(bytesIntoSlot).toBeGreaterThanOrEqual(0);
          // Behind the last slot there is none of the stripe to end its reach.
          const reachBytes = location.kind === 'post-guard' ? Infinity : layout.bytesToNextStripeSlot;
          expect(bytesIntoSlot).toBeLessThan(reachBytes);
          const isNeighbour = location.kind === 'neighbour';
          expect(!isNeighbour || (location.stripe === stripe && location.neighbourStripe !== stripe)).toBe(
            true,
          );
        },
      ),
    );
  });

  it('refuses bad arguments with their names', () => {
    for (const offset of [0.5, Number.NaN, 2 ** 53, -(2 ** 53)]) {
      expect(() => locate(STRIPED, offset)).toThrow(/"offset"/);
    }
    expect(() => locate(STRIPED, 1n as unknown as number)).toThrow(TypeError);
    expect(() => locate(structuredClone(STRIPED), 0)).toThrow(/"layout"/);
    for (const stripe of [-1, 3, 0.5])
      expect(() => locate(STRIPED, 0, { stripe })).toThrow(/"options.stripe"/);
    const inSlot = STRIPED.slotOffset(2);
    for (const memoryBytes of [-1, 3 * PAGE + 1, 0.5, '1' as unknown as number]) {
      expect(() => locate(STRIPED, inSlot, { memoryBytes })).toThrow(/"options.memoryBytes"/);
      expect(() => locate(STRIPED, inSlot, { memoryBytes: () => memoryBytes })).toThrow(
        /"options.memoryBytes"/,
      );
    }
    expect(() => locate(STRIPED, 0, null as unknown as LocateOptions)).toThrow(/"options"/);
  });
});

/** What is said of an offset of the striped slab. */
function say(offset: number, options?: LocateOptions): string {
  return describeLocation(locate(STRIPED, offset, options));
}

describe('describeLocation()', () => {
  it.each([
    ['outside', ['offset', 'distanceBytes']],
    ['pre-guard', ['offset', 'bytesBeforeSlots']],
    ['memory', ['offset', 'slot', 'stripe', 'memoryOffset']],
    ['ungrown', ['offset', 'slot', 'stripe', 'bytesPastEnd']],
    ['slot-guard', ['offset', 'slot', 'stripe', 'bytesPastEnd']],
    ['neighbour', ['offset', 'slot', 'stripe', 'bytesPastEnd', 'neighbourSlot', 'neighbourStripe']],
    ['post-guard', ['offset', 'slot', 'stripe', 'bytesPastEnd']],
  ])('names the number that is none: %s', (kind, names) => {
    const right = { kind, side: 'before', ...Object.fromEntries(names.map((name) => [name, 1])) };
    expect(describeLocation(right as unknown as SlabLocation)).toMatch(/^offset 0x1 is /);
    for (const name of names) {
      for (const value of [undefined, '1', 0.5, Number.NaN]) {
        const wrong = { ...right, [name]: value } as unknown as SlabLocation;
        expect(() => describeLocation(wrong)).toThrow(`"location.${name}"`);
      }
    }
  });

  it('gives one sentence for each kind', () => {
    const slot1 = STRIPED.slotOffset(1);
    expect(say(-1)).toBe('offset -0x1 is outside the slab, 1 byte before its first byte');
    expect(say(STRIPED.totalSlabBytes + 4999)).toBe(
      'offset 0x20387 is outside the slab, 5,000 bytes after its last byte',
    );
    expect(say(0x10)).toBe(
      'offset 0x10 is in the guard before the slots, 12,272 bytes before the end of that guard',
    );
    expect(say(slot1 + 255)).toBe('offset 0x70ff is byte 0xff of the memory in slot 1 (stripe 1)');
    expect(say(slot1 + 17, { memoryBytes: 0 })).toBe(
      'offset 0x7011 is 17 bytes past the end of the memory in slot 1 (stripe 1), where it has not grown to',
    );
    expect(say(slot1 + 3 * PAGE)).toBe(
      'offset 0xa000 is the first byte past the end of the memory in slot 1 (stripe 1), in the guard of its slot',
    );
    expect(say(slot1 + 1, { stripe: 0 })).toBe(
      'offset 0x7001 is 4,097 bytes past the end of the memory in slot 0 (stripe 0), in its neighbour, slot 1 (stripe 1)',
    );
    expect(say(STRIPED.totalSlabBytes - 1)).toBe(
      'offset 0x1efff is 36,863 bytes past the end of the memory in slot 4 (stripe 1), in the guard after the slots',
    );
  });

  it('refuses what is not a location', () => {
    expect(() => describeLocation({ kind: 'moon', offset: 0 } as unknown as SlabLocation)).toThrow(
      '"location" argument must be a location from locate()',
    );
    const forged = Object.create(Object.getPrototypeOf(STRIPED) as object) as SlabLayout;
    expect(() => locate(forged, 0)).toThrow('"layout" argument must be a SlabLayout from calculate()');
    expect(() => describeLocation(null as unknown as SlabLocation)).toThrow('"location" argument');
    expect(() => locate({} as SlabLayout, 0)).toThrow(
      '"layout" argument must be a SlabLayout from calculate()',
    );
    expect(() => locate(STRIPED, STRIPED.slotOffset(0), { memoryBytes: '1' as never })).toThrow(
      '"options.memoryBytes" property must be of type number, or a function of the slot',
    );
  });
});
