/** Mappings that the pools of one thread hold. */
import { expect, it } from 'vitest';
import { OwnCounts } from '../../src/slots/process-mappings.js';

it('that were never made do not go', () => {
  const counts = new OwnCounts();
  counts.add(3);
  for (const wrong of [-4, Number.NaN])
    expect(() => counts.add(wrong)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  expect(counts.held).toBe(3);
  counts.add(-3);
  expect(counts.held).toBe(0);
});
