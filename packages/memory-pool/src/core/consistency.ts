/** The books of a pool, and the rules that hold between any two calls. Takes time in proportion to the slots: for tests. */
import type { ModuleAffinityIndexAllocator } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Counters } from '../slots/counters.js';
import { PoolCorruptedError } from '../errors.js';
import type { DecommitQueue } from '../slots/decommit-queue.js';
import type { WithheldSlots } from './withheld-slots.js';
import type { SlotRecords } from '../slots/records.js';

/** What is compared. */
export interface Books {
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly counters: Counters;
  readonly queue: DecommitQueue;
  readonly withheld: WithheldSlots;
  /** One a stripe. */
  readonly allocators: readonly ModuleAffinityIndexAllocator[];
}

/**
 * Checks that used + warm + cold = slots in each stripe, that a slot is used if and only if it is one of live, waiting in the
 * decommit queue, cooling and retired, and that the counters say the same.
 *
 * @throws {@link PoolCorruptedError} naming the broken rule
 */
export function checkBooks({ layout, records, counters, queue, withheld, allocators }: Books): void {
  for (const allocator of allocators) allocator.checkConsistency();
  const queued = new Set(queue.slots.subarray(0, queue.length));
  expect(queued.size === queue.length, 'a slot is in the decommit queue twice');
  let live = 0;
  for (let slot = 0; slot < layout.numSlots; slot++) {
    const isLive = records.isLive(slot);
    const allocator = allocators[layout.stripeOf(slot)];
    const isUsed = allocator?.isUsed(layout.indexInStripe(slot)) === true;
    if (isLive) live++;
    const holders = [isLive, queued.has(slot), withheld.cooling.has(slot), withheld.retired.has(slot)];
    const numHolders = holders.filter(Boolean).length;
    expect(numHolders <= 1, `slot ${slot} is in two of live, the decommit queue, cooling and retired`);
    expect(isUsed === (numHolders === 1), `slot ${slot} is ${isUsed ? 'lost' : 'held and free'}`);
    expect(records.isOwned(slot) === isLive, `slot ${slot} is on the wrong list`);
  }
  const counted = counters.get('liveMemories');
  expect(live === counted, `${live} memories are live, and ${counted} are counted`);
}

function expect(holds: boolean, rule: string): void {
  if (!holds) throw new PoolCorruptedError(rule);
}
