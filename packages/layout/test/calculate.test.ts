import { shown, size } from '@guardstripe/common';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calculate, SlabTooLargeError, type SlabConstraints, type SlabLayout } from '../src/index.js';
import { assertLayoutInvariants } from './support/assert-layout-invariants.js';
import { figuresOf, GIB, MIB } from './support/figures.js';
import { modelLayout, type ModelLayout } from './support/model.js';

const WASM_PAGE_BYTES = 65_536;
const PAGE_SIZES = [4096, 16_384, 65_536];

/** The layout, or null where the slab is too large; anything else that is thrown fails the test. */
function layoutOrNull(constraints: SlabConstraints): SlabLayout | null {
  try {
    return calculate(constraints);
  } catch (error) {
    if (error instanceof SlabTooLargeError) return null;
    throw error;
  }
}

function expectModel(constraints: SlabConstraints, expected: ModelLayout | null): void {
  const layout = layoutOrNull(constraints);
  // The constraints on both sides, so that a failure shows them.
  expect({ constraints, layout: layout && figuresOf(layout) }).toEqual({ constraints, layout: expected });
  if (layout !== null) assertLayoutInvariants(constraints, layout);
}

describe('calculate(): recorded layouts', () => {
  interface Row {
    readonly pageSize: number;
    readonly constraints: SlabConstraints;
    readonly layout: ModelLayout | null;
  }
  const file = new URL('vectors/slab-layouts.json', import.meta.url);
  const rows = JSON.parse(readFileSync(file, 'utf8')) as Row[];

  it('has rows of each page size, with and without a layout', () => {
    for (const pageSize of PAGE_SIZES) {
      const ofSize = rows.filter((row) => row.pageSize === pageSize);
      expect(ofSize).toHaveLength(700);
      expect(new Set(ofSize.map((row) => row.layout === null)).size).toBe(2);
    }
  });

  it.each(PAGE_SIZES)('gives every recorded layout at pages of %i bytes', (pageSize) => {
    for (const row of rows.filter((each) => each.pageSize === pageSize)) {
      expectModel({ ...row.constraints, pageSize }, row.layout);
    }
  });
});

describe('calculate(): grid of known cases', () => {
  function* grid(pageSize: number): Generator<SlabConstraints> {
    for (let numPkeysAvailable = 0; numPkeysAvailable <= 15; numPkeysAvailable += 1)
      for (const numSlots of [0, 1, 10, 64])
        for (const expectedSlotBytes of [0, GIB, 4 * GIB])
          for (const memoryPages of [0, 1, 10])
            for (const guardBytes of [0, 2 * GIB])
              for (const guardBeforeSlots of [true, false])
                yield {
                  expectedSlotBytes,
                  maxMemoryBytes: memoryPages * WASM_PAGE_BYTES,
                  numSlots,
                  numPkeysAvailable,
                  guardBytes,
                  guardBeforeSlots,
                  pageSize,
                };
  }

  it.each(PAGE_SIZES)('keeps all rules at pages of %i bytes', (pageSize) => {
    let cases = 0;
    for (const constraints of grid(pageSize)) {
      expectModel(constraints, modelLayout(constraints));
      cases += 1;
    }
    expect(cases).toBe(16 * 4 * 3 * 3 * 2 * 2);
  });

  it('stripes the usual settings of 15 keys', () => {
    const layout = calculate({
      expectedSlotBytes: 4 * GIB,
      maxMemoryBytes: 256 * MIB,
      numSlots: 1000,
      numPkeysAvailable: 15,
      guardBytes: 32 * MIB,
      guardBeforeSlots: true,
    });
    expect(layout).toMatchObject({
      numSlots: 1000,
      slotBytes: 0x11334000,
      preSlabGuardBytes: 0x2000000,
      postSlabGuardBytes: 0xf0ccc000,
      numStripes: 15,
      pageSize: 4096,
    });
    expect(layout.bytesToNextStripeSlot).toBe(0x11334000 * 15);
  });

  it('gives each stripe its page where there are more stripes than bytes in a page', () => {
    const constraints: SlabConstraints = {
      expectedSlotBytes: 5000 * 4096,
      maxMemoryBytes: 4096,
      numSlots: 6000,
      numPkeysAvailable: 5000,
      guardBytes: 4096,
      guardBeforeSlots: false,
    };
    const layout = calculate(constraints);
    expect(layout.numStripes).toBe(5000);
    assertLayoutInvariants(constraints, layout);
  });
});

describe('calculate(): properties', () => {
  /** Whole pages up to the end of the safe integers, with small, middling and huge ones equally likely. */
  function alignedBytes(pageSize: number): fc.Arbitrary<number> {
    const maxPages = Math.floor(Number.MAX_SAFE_INTEGER / pageSize);
    return fc
      .tuple(fc.integer({ min: 0, max: 53 }), fc.maxSafeNat())
      .map(([bits, random]) => Math.min(random % 2 ** bits, maxPages) * pageSize);
  }

  const count = fc
    .tuple(fc.integer({ min: 0, max: 53 }), fc.maxSafeNat())
    .map(([bits, random]) => random % 2 ** bits);

  const anyConstraints: fc.Arbitrary<SlabConstraints> = fc
    .constantFrom(...PAGE_SIZES, 2 ** 21, 2 ** 30)
    .chain((pageSize) =>
      fc.record({
        expectedSlotBytes: alignedBytes(pageSize),
        maxMemoryBytes: alignedBytes(pageSize),
        numSlots: count,
        numPkeysAvailable: fc.oneof(fc.integer({ min: 0, max: 16 }), count),
        guardBytes: alignedBytes(pageSize),
        guardBeforeSlots: fc.boolean(),
        pageSize: fc.constant(pageSize),
      }),
    );

  it('agrees with exact arithmetic over the whole safe range', () => {
    fc.assert(
      fc.property(anyConstraints, (constraints) => {
        expectModel(constraints, modelLayout(constraints));
      }),
      { numRuns: 20_000 },
    );
  });

  it('takes the largest slab that fits and refuses one page more', () => {
    const pageSize = 4096;
    const maxPages = Math.floor(Number.MAX_SAFE_INTEGER / pageSize);
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 1000 }), fc.integer({ min: 0, max: 15 }), (numSlots, keys) => {
        const slotPages = Math.floor(maxPages / numSlots);
        const constraints: SlabConstraints = {
          expectedSlotBytes: slotPages * pageSize,
          maxMemoryBytes: 0,
          numSlots,
          numPkeysAvailable: keys,
          guardBytes: 0,
          guardBeforeSlots: false,
        };
        expect(calculate(constraints).totalSlabBytes).toBe(slotPages * pageSize * numSlots);
        const larger = { ...constraints, expectedSlotBytes: (slotPages + 1) * pageSize };
        expectModel(larger, modelLayout(larger));
        const more = { ...constraints, numSlots: numSlots + Math.floor(maxPages / slotPages) };
        expect(() => calculate(more)).toThrow(SlabTooLargeError);
      }),
    );
  });
});

describe('calculate(): too large', () => {
  const base: SlabConstraints = {
    expectedSlotBytes: 2 ** 40,
    maxMemoryBytes: 2 ** 20,
    numSlots: 3,
    numPkeysAvailable: 0,
    guardBytes: 4096,
    guardBeforeSlots: true,
  };

  it('names the operands in the message', () => {
    expect(() => calculate({ ...base, numSlots: 10_000 })).toThrow(
      'The slab exceeds addressable memory: slotBytes 0x10000001000 (1 TiB) * numSlots 10000 is more than ' +
        '0x1fffffffffffff bytes',
    );
    expect(() => calculate({ ...base, expectedSlotBytes: 2 ** 53 - 4096 })).toThrow(
      'The slab exceeds addressable memory: max(expectedSlotBytes, maxMemoryBytes) 0x1ffffffffff000 (8 PiB) + ' +
        'guardBytes 0x1000 (4 KiB) is more than 0x1fffffffffffff bytes',
    );
  });

  it('is a RangeError with a code of its own', () => {
    let caught: unknown;
    try {
      calculate({ ...base, numSlots: Number.MAX_SAFE_INTEGER });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(RangeError);
    expect(caught).toMatchObject({ code: 'ERR_SLAB_TOO_LARGE', name: 'SlabTooLargeError' });
  });

  it('refuses the pre-guard and the post-guard that do not fit any more', () => {
    const pages = (count: number): number => count * 4096;
    const most = Math.floor(Number.MAX_SAFE_INTEGER / 4096);
    const slots = { ...base, numSlots: 1, guardBytes: pages(1), expectedSlotBytes: pages(most - 1) };
    expect(calculate({ ...slots, guardBeforeSlots: false }).totalSlabBytes).toBe(pages(most));
    expect(() => calculate(slots)).toThrow(/preSlabGuardBytes .* \+ slotBytes \* numSlots/);

    // Two stripes: three slots take three quarters of twice a half, and the post-guard another quarter of it.
    const half = Math.floor(most / 2);
    const striped: SlabConstraints = {
      expectedSlotBytes: pages(half + 1),
      maxMemoryBytes: pages(1000),
      numSlots: 3,
      numPkeysAvailable: 2,
      guardBytes: pages(1),
      guardBeforeSlots: false,
    };
    expect(() => calculate(striped)).toThrow(/\+ postSlabGuardBytes/);
  });
});

describe('calculate(): bad input', () => {
  const good: SlabConstraints = {
    expectedSlotBytes: 2 ** 20,
    maxMemoryBytes: 65_536,
    numSlots: 3,
    numPkeysAvailable: 3,
    guardBytes: 4096,
    guardBeforeSlots: true,
    pageSize: 4096,
  };
  const numbers = [
    'expectedSlotBytes',
    'maxMemoryBytes',
    'numSlots',
    'numPkeysAvailable',
    'guardBytes',
    'pageSize',
  ];
  const badNumbers: [unknown, ErrorConstructor, string][] = [
    [-4096, RangeError, '-4096'],
    [4096.5, RangeError, '4096.5'],
    [Number.NaN, RangeError, 'NaN'],
    [Infinity, RangeError, 'Infinity'],
    [2 ** 53, RangeError, '9007199254740992'],
    [4096n, TypeError, 'type bigint (4096n)'],
    ['4096', TypeError, "type string ('4096')"],
    [null, TypeError, 'null'],
    [{}, TypeError, 'an instance of Object'],
    [true, TypeError, 'type boolean (true)'],
    [Symbol('x'), TypeError, 'type symbol (Symbol(x))'],
  ];

  it.each(numbers)('refuses a bad %s with its name and value', (field) => {
    for (const [value, type, text] of badNumbers) {
      const act = (): SlabLayout => calculate({ ...good, [field]: value });
      expect(act, text).toThrow(type);
      expect(act).toThrow(`"${field}"`);
      expect(act).toThrow(`Received ${text}`);
      const code = type === TypeError ? 'ERR_INVALID_ARG_TYPE' : 'ERR_OUT_OF_RANGE';
      expect(act).toThrow(expect.objectContaining({ code }));
    }
  });

  it.each(numbers.filter((field) => field !== 'pageSize'))('refuses a missing %s', (field) => {
    const act = (): SlabLayout => calculate({ ...good, [field]: undefined });
    expect(act).toThrow(TypeError);
    expect(act).toThrow(field);
  });

  it.each(['expectedSlotBytes', 'maxMemoryBytes', 'guardBytes'])('refuses an unaligned %s', (field) => {
    for (const pageSize of PAGE_SIZES) {
      for (const bytes of [1, 2048, pageSize - 1, pageSize + 1, Number.MAX_SAFE_INTEGER]) {
        const act = (): SlabLayout => calculate({ ...good, pageSize, maxMemoryBytes: 0, [field]: bytes });
        expect(act).toThrow(RangeError);
        expect(act).toThrow(/multiple of the page size/);
        expect(act).toThrow(/(?:Slot|Memory|guard)Bytes/);
        expect(act).toThrow(`Received ${shown(bytes)} = ${size(bytes)}`);
      }
    }
  });

  it('refuses page sizes that no host has', () => {
    for (const pageSize of [0, 1, 2048, 4095, 4097, 12_288, 2 ** 31, 2 ** 32]) {
      expect(() => calculate({ ...good, pageSize }), String(pageSize)).toThrow(/"pageSize"/);
    }
  });

  it('refuses a guardBeforeSlots that is not a boolean, and constraints that are not an object', () => {
    for (const value of [0, 1, 'true', null, undefined]) {
      expect(() => calculate({ ...good, guardBeforeSlots: value as unknown as boolean })).toThrow(
        /"guardBeforeSlots"/,
      );
    }
    for (const value of [null, undefined, 4096, 'x', [], () => 0]) {
      expect(() => calculate(value as unknown as SlabConstraints)).toThrow(/"constraints"/);
    }
  });
});

it('names both operands of the sum that is too large, down to the guard after the slots', () => {
  const constraints = {
    expectedSlotBytes: 7 * 2 ** 50,
    maxMemoryBytes: 2 ** 50,
    guardBytes: 4096,
    numSlots: 2,
    numPkeysAvailable: 2,
    guardBeforeSlots: true,
  };
  expect(() => calculate(constraints)).toThrow(
    /preSlabGuardBytes \+ slotBytes \* numSlots 0x[\da-f]+ .* \+ postSlabGuardBytes 0x[\da-f]+ /,
  );
});
