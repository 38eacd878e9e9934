/** The fuzzer on fixed seeds; `fuzz/main.ts` goes on for hours. */
import { encodeModule } from '@guardstripe/wasm-builder';
import { describe, expect, it } from 'vitest';
import { Comparison, OUTCOMES } from '../fuzz/compare.js';
import { fuzz, makeCase, type Tally } from '../fuzz/run.js';

const FIRST_SEED = 11;
const NUM_MODULES = 3000;

describe('modules that are generated, damaged and adversarial', () => {
  it('start as in V8, or are refused by both', () => {
    const tally = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Tally;
    const finding = fuzz(FIRST_SEED, tally, (count) => count < NUM_MODULES);
    expect(finding).toBeUndefined();
    expect(Object.values(tally).reduce((sum, number) => sum + number)).toBe(NUM_MODULES);
    // None of it is idle: each of these had its share.
    expect(tally['same bytes']).toBeGreaterThan(NUM_MODULES / 5);
    expect(tally['invalid to both']).toBeGreaterThan(NUM_MODULES / 5);
    expect(tally['traps in both']).toBeGreaterThan(NUM_MODULES / 100);
    expect(tally['not poolable']).toBeGreaterThan(NUM_MODULES / 100);
  });

  it('are the same for the same seed', () => {
    expect(makeCase(7)).toEqual(makeCase(7));
    expect(makeCase(7)).not.toEqual(makeCase(8));
  });
});

describe('the comparison', () => {
  const bytes = encodeModule({
    memories: [{ minimum: 1 }, { minimum: 2 }],
    segments: [{ memoryIndex: 1, offset: 9, data: [1, 2, 3] }],
  });

  it('finds all of these right', () => {
    using comparison = new Comparison(0);
    const customPages = encodeModule({ memories: [{ minimum: 5000, pageSizeLog2: 0 }] });
    const empty = encodeModule({ memories: [] });
    const cut = bytes.subarray(0, -1);
    expect([bytes, customPages, empty, cut].map((module) => comparison.compare(module))).toEqual([
      'same bytes',
      'same bytes',
      'no memory of its own',
      'invalid to both',
    ]);
  });
});
