/** A program that tries to reach other maps' bytes, thousands of steps long, in a child: neither a byte nor a signal. */

import { sampled } from '@guardstripe/test-support';
import { expect, it } from 'vitest';

import { fixtureJson } from './support/child.js';

/** Fewer meet too little of what they try. */
const STEPS = 600;

it.each(sampled([1, 2, 3]))(
  'no step of the attack with seed %d reaches a byte of another map',
  { timeout: 110_000 },
  (seed) => {
    const found = fixtureJson('attack.mjs', [String(seed), String(STEPS)], ['--expose-gc']) as Record<
      string,
      number
    >;
    expect(found).toMatchObject({ seen: 0, damaged: 0, unexpected: [], ended: 2 });
    // It did try.
    for (const name of ['thefts', 'moves', 'cuts', 'checks', 'retiredRanges'])
      expect(found[name], name).toBeGreaterThan(2);
  },
);
