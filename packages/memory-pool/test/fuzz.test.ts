/** The fuzzer on fixed seeds; `fuzz/main.ts` goes on for hours. */
import { laps } from '@guardstripe/test-support';
import { encodeModule } from '@guardstripe/wasm-builder';
import { describe, expect, it } from 'vitest';
import { Comparison, OUTCOMES } from '../fuzz/compare.js';
import { beyondModule } from '../fuzz/beyond.js';
import { digestOf, Fnv1a64 } from '../fuzz/digest.js';
import { Random } from '../fuzz/random.js';
import { fuzz, makeCase, type Tally } from '../fuzz/run.js';

const FIRST_SEED = 11;
const NUM_MODULES = laps(3000, 400);

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
  }, 120_000);

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

/** The vectors of the authors, http://www.isthe.com/chongo/src/fnv/test_fnv.c. */
describe('the digest for another engine', () => {
  it.each([
    ['', 'cbf29ce484222325'],
    ['a', 'af63dc4c8601ec8c'],
    ['foobar', '85944171f73967e8'],
  ])('of "%s" is FNV-1a', (text, digest) => {
    expect(new Fnv1a64().take(Buffer.from(text)).toString()).toBe(digest);
  });

  it('depends on each byte and its place, not on pages of zeros', () => {
    const memory = new Uint8Array(300_000);
    const digests = new Set([digestOf(memory)]);
    expect(digestOf(memory.subarray(0, 9))).toBe(digestOf(memory));
    for (const at of [0, 4095, 4096, 70_000, 299_999]) {
      memory[at] = 1;
      digests.add(digestOf(memory));
      memory[at] = 0;
    }
    expect(digests.size).toBe(6);
  });

  it('is asked for modules that are the same for the same seed', () => {
    expect(beyondModule(new Random(7))).toEqual(beyondModule(new Random(7)));
    expect(beyondModule(new Random(7))).not.toEqual(beyondModule(new Random(8)));
  });
});
