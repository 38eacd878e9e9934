import { describe, expect, it } from 'vitest';
import { mappingsForPools, mappingsOfSlot, MAPPINGS_LEFT_TO_NODE } from '../src/index.js';
import { MAX_MAPPINGS_OF_SLOT } from '../src/process-bounds.js';

describe('mappingsOfSlot()', () => {
  it.each([
    [0, 0, 0, 0],
    [4, 0, 0, 2],
    [4, 0, 4, 2],
    [4, 0, 3, 3],
    [4, 1, 3, 3],
    [4, 1, 2, 4],
  ])(
    '%i accessible pages with an image at %i of %i: %i',
    (accessiblePages, imageFirstPage, imagePages, mappings) => {
      expect(mappingsOfSlot(accessiblePages, imageFirstPage, imagePages)).toBe(mappings);
      expect(mappings).toBeLessThanOrEqual(MAX_MAPPINGS_OF_SLOT);
    },
  );
});

describe('mappingsForPools()', () => {
  it('leaves to Node what it needs', () => {
    expect([0, MAPPINGS_LEFT_TO_NODE, 65_530, Infinity].map((count) => mappingsForPools(count))).toEqual([
      0,
      0,
      65_530 - 2048 - 512,
      Infinity,
    ]);
    expect(mappingsForPools(65_530, 0)).toBe(65_530 - 2048);
  });
});
