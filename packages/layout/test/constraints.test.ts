import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  calculate,
  DEFAULT_SLAB_SETTINGS,
  slabConstraints,
  SlabTooLargeError,
  type SlabLimits,
  type SlabTunables,
} from '../src/index.js';
import { assertLayoutInvariants } from './support/assert-layout-invariants.js';
import { GIB, MIB } from './support/figures.js';

describe('slabConstraints()', () => {
  it('fills in the defaults of the pool', () => {
    const expected = {
      expectedSlotBytes: 4 * GIB,
      maxMemoryBytes: 4 * GIB,
      numSlots: 1000,
      numPkeysAvailable: 0,
      guardBytes: 32 * MIB,
      guardBeforeSlots: true,
      pageSize: 4096,
    };
    expect(slabConstraints()).toEqual(expected);
    expect(slabConstraints({ totalMemories: undefined }, { memoryGuardSize: undefined })).toEqual(expected);
    expect(Object.isFrozen(DEFAULT_SLAB_SETTINGS)).toBe(true);
  });

  it('rounds every size up to pages of 4, 16 and 64 KiB', () => {
    for (const pageSize of [4096, 16_384, 65_536]) {
      const constraints = slabConstraints(
        { totalMemories: 3, maxMemorySize: 1 },
        { memoryReservation: pageSize + 1, memoryGuardSize: pageSize, guardBeforeLinearMemory: false },
        5,
        pageSize,
      );
      expect(constraints).toEqual({
        expectedSlotBytes: 2 * pageSize,
        maxMemoryBytes: pageSize,
        numSlots: 3,
        numPkeysAvailable: 5,
        guardBytes: pageSize,
        guardBeforeSlots: false,
        pageSize,
      });
    }
  });

  it('keeps every promise for any settings that it takes', () => {
    // 300 slots of twice 2^43 bytes, and their guards, are below 2^53: none is refused as too large.
    const size = fc.tuple(fc.integer({ min: 0, max: 43 }), fc.maxSafeNat()).map(([bits, n]) => n % 2 ** bits);
    const page = fc.constantFrom(4096, 16_384, 65_536);
    fc.assert(
      fc.property(size, size, size, fc.nat(300), fc.nat(16), page, (a, b, guard, slots, keys, pageSize) => {
        const constraints = slabConstraints(
          { totalMemories: slots, maxMemorySize: Math.min(a, b) },
          { memoryReservation: Math.max(a, b), memoryGuardSize: guard },
          keys,
          pageSize,
        );
        const layout = calculate(constraints);
        assertLayoutInvariants(constraints, layout);
        expect(layout.maxMemoryBytes - Math.min(a, b)).toBeLessThan(pageSize);
        expect(layout.bytesToNextStripeSlot).toBeGreaterThanOrEqual(Math.max(a, b) + guard);
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses a memory larger than its reservation, with both names and values', () => {
    const act = (): unknown => slabConstraints({ maxMemorySize: 5 * GIB }, { memoryReservation: 4 * GIB });
    expect(act).toThrow(RangeError);
    expect(act).toThrow(
      'The value of "maxMemorySize" is out of range. It must be at most memoryReservation, 0x100000000 (4 GiB). ' +
        'Received 5_368_709_120 = 0x140000000 (5 GiB)',
    );
    // One byte counts, even where both round up to the same page.
    expect(() => slabConstraints({ maxMemorySize: 2 }, { memoryReservation: 1 })).toThrow(
      'memoryReservation',
    );
    expect(slabConstraints({ maxMemorySize: 2 }, { memoryReservation: 2 }).maxMemoryBytes).toBe(4096);
  });

  it('refuses a size that cannot be rounded up', () => {
    const act = (): unknown => slabConstraints({}, { memoryReservation: Number.MAX_SAFE_INTEGER });
    expect(act).toThrow(SlabTooLargeError);
    expect(act).toThrow(/memoryReservation 0x1fffffffffffff \(8 PiB\) rounded up to whole pages/);
  });

  it.each(['totalMemories', 'maxMemorySize', 'memoryReservation', 'memoryGuardSize'])(
    'refuses a bad %s with its name and value',
    (field) => {
      for (const value of [-1, 0.5, Number.NaN, 2 ** 53, Infinity]) {
        const settings = { [field]: value } as SlabLimits & SlabTunables;
        expect(() => slabConstraints(settings, settings)).toThrow(RangeError);
        expect(() => slabConstraints(settings, settings)).toThrow(`"${field}"`);
        expect(() => slabConstraints(settings, settings)).toThrow(`Received ${value}`);
      }
      for (const value of ['1 MB', 1n, null, {}]) {
        const settings = { [field]: value } as unknown as SlabLimits & SlabTunables;
        expect(() => slabConstraints(settings, settings)).toThrow(TypeError);
      }
    },
  );

  it('reads sizes as text', () => {
    const limits = { totalMemories: 3, maxMemorySize: '1MiB' };
    const tunables = { memoryReservation: '0x200000', memoryGuardSize: '64 KiB' };
    expect(slabConstraints(limits, tunables)).toStrictEqual(
      slabConstraints(
        { ...limits, maxMemorySize: 2 ** 20 },
        { memoryReservation: 2 ** 21, memoryGuardSize: 2 ** 16 },
      ),
    );
  });

  it('refuses bad keys, page sizes, booleans and objects', () => {
    expect(() => slabConstraints({}, {}, -1)).toThrow(/"numPkeysAvailable"/);
    expect(() => slabConstraints({}, {}, 0, 4097)).toThrow(/"pageSize"/);
    expect(() => slabConstraints({}, { guardBeforeLinearMemory: 1 as unknown as boolean })).toThrow(
      /"guardBeforeLinearMemory"/,
    );
    expect(() => slabConstraints(null as unknown as SlabLimits)).toThrow(/"limits"/);
    expect(() => slabConstraints({}, 3 as unknown as SlabTunables)).toThrow(/"tunables"/);
  });
});

it('names the size that cannot be rounded up to a page', () => {
  expect(() => slabConstraints({ maxMemorySize: Number.MAX_SAFE_INTEGER })).toThrow(/maxMemorySize/);
  expect(() => slabConstraints({}, { memoryGuardSize: Number.MAX_SAFE_INTEGER })).toThrow(/memoryGuardSize/);
  expect(() => slabConstraints({}, { memoryReservation: Number.MAX_SAFE_INTEGER })).toThrow(
    /memoryReservation/,
  );
});
