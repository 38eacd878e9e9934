/** The books of a pool, and the rules that hold between any two calls. Takes time in proportion to the slots: for tests. */
import type { ModuleAffinityIndexAllocator } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import { PoolCorruptedError } from '../errors.js';
import type { Counters } from '../slots/counters.js';
import type { DecommitQueue } from '../slots/decommit-queue.js';
import type { Images } from '../slots/image-table.js';
import type { SlotMemory } from '../slots/memory.js';
import type { SlotRecords } from '../slots/records.js';
import type { WithheldSlots } from './withheld-slots.js';

/** What is compared. */
export interface Books {
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly counters: Counters;
  readonly queue: DecommitQueue;
  readonly withheld: WithheldSlots;
  readonly memory: SlotMemory;
  readonly images: Images;
  /** One a stripe. */
  readonly allocators: readonly ModuleAffinityIndexAllocator[];
  /** Of the host. */
  readonly pageBytes: number;
}

/**
 * Checks that used + warm + cold = slots in each stripe, that a slot is used if and only if it is one of live, waiting in the
 * decommit queue, cooling and retired, that its record fits what it is and the slab, and that counters, mappings and images say the
 * same.
 *
 * @throws {@link PoolCorruptedError} naming the broken rule
 */
export function checkBooks(books: Books): void {
  const { layout, records, counters, queue, memory, images, allocators } = books;
  for (const allocator of allocators) allocator.checkConsistency();
  expect(allocators.length === layout.numStripes, 'there are not as many allocators as stripes');
  const queued = new Set(queue.slots.subarray(0, queue.length));
  expect(queued.size === queue.length, 'a slot is in the decommit queue twice');
  let live = 0;
  let mappings = 0;
  const imageIds = new Set<number>();
  for (let slot = 0; slot < layout.numSlots; slot++) {
    checkHolder(books, slot, queued.has(slot));
    checkRecord(books, slot);
    if (records.isLive(slot)) live++;
    mappings += memory.mappingsOf(slot);
    if (records.imageId(slot) !== 0) imageIds.add(records.imageId(slot));
  }
  const counted = counters.get('liveMemories');
  expect(live === counted, `${live} memories are live, and ${counted} are counted`);
  expect(
    mappings === memory.mappings,
    `the slots have ${mappings} mappings, and ${memory.mappings} are counted`,
  );
  let imageBytes = 0;
  for (const imageId of imageIds) imageBytes += images.get(imageId)!.partBytes;
  expect(
    imageBytes === images.byteLength,
    `the slots have ${imageBytes} bytes of images, and ${images.byteLength} are counted`,
  );
}

/** A slot has one holder, or it is free. */
function checkHolder(
  { layout, records, withheld, allocators }: Books,
  slot: number,
  isQueued: boolean,
): void {
  const isLive = records.isLive(slot);
  const allocator = allocators[layout.stripeOf(slot)];
  const isUsed = allocator?.isUsed(layout.indexInStripe(slot)) === true;
  const holders = [isLive, isQueued, withheld.cooling.has(slot), withheld.retired.has(slot)];
  const numHolders = holders.filter(Boolean).length;
  expect(numHolders <= 1, `slot ${slot} is in two of live, the decommit queue, cooling and retired`);
  expect(isUsed === (numHolders === 1), `slot ${slot} is ${isUsed ? 'lost' : 'held and free'}`);
  expect(records.isOwned(slot) === isLive, `slot ${slot} is on the wrong list`);
}

/** What a record says of a slot's pages is possible. */
export function checkRecord(
  { layout, records, withheld, pageBytes }: Omit<Books, 'allocators'>,
  slot: number,
): void {
  const accessibleBytes = records.accessiblePages(slot) * pageBytes;
  const byteLength = records.byteLength(slot);
  const imageEnd = (records.imageFirstPage(slot) + records.imagePages(slot)) * pageBytes;
  const isLive = records.isLive(slot);
  const isWithheld = withheld.cooling.has(slot) || withheld.retired.has(slot);
  expect(accessibleBytes <= layout.maxMemoryBytes, `slot ${slot} is open behind its end`);
  expect(byteLength <= accessibleBytes, `slot ${slot} has more bytes than are open`);
  expect(isLive || byteLength === 0, `slot ${slot} has bytes for nobody`);
  expect(imageEnd <= accessibleBytes || !isLive, `slot ${slot} has an image behind its end`);
  expect(
    records.imageId(slot) === 0 || accessibleBytes > 0,
    `slot ${slot} has an image, and nothing is open`,
  );
  expect(
    (records.imageId(slot) === 0) === (records.imagePages(slot) === 0),
    `slot ${slot} has half an image`,
  );
  // Unless the system refused: then it is laid over before its next use.
  expect(
    !isWithheld || records.isTainted(slot) || records.imageId(slot) === 0,
    `slot ${slot} cools with an image`,
  );
}

/** @throws {@link PoolCorruptedError} */
export function expect(holds: boolean, rule: string): void {
  if (!holds) throw new PoolCorruptedError(rule);
}
