import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { KIND_DESCRIPTOR, KIND_MAPPING, Ledger, NOWHERE, WHAT } from '../../src/process/ledger.js';

/** As small as makes sense: room for `entries`. */
function ledgerOf(entries: number): Ledger {
  return new Ledger(new ArrayBuffer((6 + 3 * entries) * 8));
}

function written(ledger: Ledger): string[] {
  const found: string[] = [];
  ledger.settle((kind, what, howMuch) => {
    found.push(`${kind} ${what} ${howMuch}`);
    return false;
  });
  return found.toSorted();
}

describe('a ledger', () => {
  it('shows what was filled in, and nothing that was only claimed', () => {
    const ledger = ledgerOf(3);
    const map = ledger.claim(KIND_MAPPING, 4096);
    const file = ledger.claim(KIND_DESCRIPTOR);
    ledger.claim(KIND_MAPPING, 1);
    expect(written(ledger)).toEqual([]);
    ledger.values[map + WHAT] = 0x7f00_0000_0000;
    ledger.values[file + WHAT] = 6;
    expect(written(ledger)).toEqual([`1 139637976727552 4096`, '2 6 0']);
  });

  it('that is full takes more without showing it, and shows again once there is room', () => {
    const ledger = ledgerOf(3);
    const entries = [1, 2, 3, 4, 5].map((what) => {
      const entry = ledger.claim(KIND_MAPPING, 1);
      ledger.values[entry + WHAT] = what;
      return entry;
    });
    expect(entries.slice(3)).toEqual([NOWHERE, NOWHERE]);
    expect(written(ledger)).toEqual(['1 1 1', '1 2 1', '1 3 1']);
    ledger.release(NOWHERE);
    ledger.release(entries[1]!);
    ledger.values[ledger.claim(KIND_DESCRIPTOR) + WHAT] = 9;
    expect(written(ledger)).toEqual(['1 1 1', '1 3 1', '2 9 0']);
  });

  it('strikes out what was given back and keeps the rest', () => {
    const ledger = ledgerOf(5);
    for (const what of [1, 2, 3]) ledger.values[ledger.claim(KIND_MAPPING, 1) + WHAT] = what;
    expect(ledger.settle((_, what) => what !== 2)).toBe(false);
    expect(written(ledger)).toEqual(['1 2 1']);
    expect(ledger.settle(() => true)).toBe(true);
    expect(written(ledger)).toEqual([]);
  });

  it('with any bytes at all is read without leaving it', () => {
    const values = fc.float64Array({ minLength: 8, maxLength: 40 });
    fc.assert(
      fc.property(values, (bytes) => {
        const ledger = new Ledger(bytes.slice().buffer);
        let seen = 0;
        ledger.settle(() => ++seen > 0);
        expect(seen).toBeLessThanOrEqual(bytes.length / 3);
      }),
    );
  });

  it('does what a map does, in whatever order, seen by two copies', () => {
    const capacity = 7;
    const step = fc.record({
      release: fc.boolean(),
      which: fc.nat(100),
      what: fc.integer({ min: 1, max: 2 ** 46 }),
      copy: fc.nat(1),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pages = new ArrayBuffer((6 + 3 * capacity) * 8);
        const copies = [new Ledger(pages), new Ledger(pages)];
        const model = new Map<number, number>();
        for (const { release, which, what, copy } of steps) {
          const ledger = copies[copy]!;
          const entries = [...model.keys()];
          if (release) {
            const entry = entries[which % Math.max(entries.length, 1)];
            if (entry === undefined) continue;
            ledger.release(entry);
            model.delete(entry);
            continue;
          }
          const entry = ledger.claim(KIND_MAPPING, 1);
          ledger.values[entry + WHAT] = what;
          if (model.size === capacity) expect(entry).toBe(NOWHERE);
          else {
            expect(model.has(entry) || entry === NOWHERE).toBe(false);
            model.set(entry, what);
          }
          expect(written(ledger)).toEqual([...model.values()].map((each) => `1 ${each} 1`).toSorted());
        }
      }),
    );
  });
});
