/** The pool's numbers. */
import { expect, it } from 'vitest';
import { Counters } from '../../src/slots/counters.js';

it.each([-1, Number.NaN])('become no number of anything: %d', (value) => {
  const counters = new Counters();
  counters.set('waitingAllocations', 2);
  for (const change of [
    () => counters.set('waitingAllocations', value),
    () => counters.add('waitingAllocations', value - 2),
  ])
    expect(change).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  expect(counters.get('waitingAllocations')).toBe(2);
});
