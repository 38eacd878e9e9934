/** The books of a pool that threads share, as one of them sees them while no call of another is on its way: for tests. */
import { checkRecord, expect, type Books } from '../core/consistency.js';
import type { SharedFreeSlots } from './free-slots.js';
import type { SharedSide } from './shared-side.js';

/**
 * Checks the allocator; that what this thread holds is one of live, waiting in the decommit queue, cooling and retired; that a slot that
 * nobody holds has no tenant, unless its holder ended; and the numbers of this thread.
 *
 * @param inFlight - memories that this thread has released, and that nobody has adopted
 * @throws {@link PoolCorruptedError} naming the broken rule
 */
export function checkSharedBooks(
  books: Omit<Books, 'allocators'>,
  free: SharedFreeSlots,
  side: SharedSide,
  inFlight: number,
): void {
  const { layout, records, counters, queue, withheld } = books;
  free.checkConsistency();
  const queued = new Set(queue.slots.subarray(0, queue.length));
  let live = 0;
  for (let slot = 0; slot < layout.numSlots; slot++) {
    const holder = free.holder(slot);
    const isWithheld = withheld.cooling.has(slot) || withheld.retired.has(slot);
    if (holder === side.thread) {
      const holders = [records.isLive(slot), queued.has(slot), isWithheld].filter(Boolean).length;
      expect(holders === 1, `slot ${slot} of this thread is in ${holders} hands`);
      if (records.isLive(slot)) live++;
      checkRecord(books, slot);
    } else {
      expect(!queued.has(slot) && !isWithheld, `slot ${slot} is withheld and not held`);
      if (holder !== undefined || free.isUnknown(slot)) continue;
      expect(!records.isLive(slot) && !records.isOwned(slot), `slot ${slot} is free and has a tenant`);
      checkRecord(books, slot);
    }
  }
  const counted = counters.own('liveMemories');
  expect(
    live === counted + inFlight,
    `${live} memories are live in this thread, and ${counted} are counted, ${inFlight} in flight`,
  );
}
