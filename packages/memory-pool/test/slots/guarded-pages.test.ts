/** How slots are closed, noted where all threads of a pool can write. */
import { calculate, slabConstraints } from '@guardstripe/layout';
import { Mmap } from '@guardstripe/mmap';
import { expect, it } from 'vitest';
import { GuardedPages } from '../../src/slots/guarded-pages.js';
import { faultyMemory } from '../support/fault-injection.js';
import { HOST_PAGE, PAGE } from '../support/memories.js';

const settings = {
  totalMemories: 3,
  maxMemorySize: 2 * PAGE,
  memoryReservation: 2 * PAGE,
  memoryGuardSize: PAGE,
};

it('a slot that is closed in no way that there is stays as it is', () => {
  const { virtualMemory, calls } = faultyMemory();
  const layout = calculate(slabConstraints(settings, settings, 0, HOST_PAGE));
  using slab = Mmap.reserve(layout.totalSlabBytes, { virtualMemory });
  const pages = new GuardedPages(slab, layout, [], virtualMemory, Uint8Array.of(0, 7, 0));
  calls.length = 0;
  const corrupted = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' });
  expect(() => pages.open(1, 0, PAGE)).toThrow(corrupted);
  expect(() => pages.shut(1, 0, PAGE)).toThrow(corrupted);
  expect(calls).toEqual([]);
});
