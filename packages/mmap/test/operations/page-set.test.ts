import fc from 'fast-check';
import { expect, it } from 'vitest';

import { PageSet } from '../../src/operations/page-set.js';

const LENGTH = 24;
const step = fc.record({
  adds: fc.boolean(),
  start: fc.nat(LENGTH - 1),
  length: fc.integer({ min: 1, max: LENGTH }),
});

it('has the gaps that an array of booleans has', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const set = new PageSet();
      const model = Array.from({ length: LENGTH }, () => false);
      for (const { adds, start, length } of steps) {
        const end = Math.min(LENGTH, start + length);
        model.fill(adds, start, end);
        if (adds) set.add(start, end);
        else set.delete(start, end);
        const gaps = set.gaps(0, LENGTH);
        const inGap = model.map((_, at) => gaps.some((gap) => gap.start <= at && at < gap.end));
        expect(inGap).toEqual(model.map((there) => !there));
        // Apart and not empty.
        gaps.forEach((gap, i) => expect(gap.start).toBeGreaterThan(gaps[i - 1]?.end ?? -1));
        expect(gaps.every((gap) => gap.start < gap.end)).toBe(true);
      }
    }),
  );
});
