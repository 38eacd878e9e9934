/** What a pool is made of beneath its tenancies: each thing a thread's own, or what threads share. */
import type { SlabLayout } from '@guardstripe/layout';
import type { KeyLease } from '@guardstripe/mpk';
import type { ImageHolder } from '../module/image.js';
import type { SharedFreeSlots } from '../shared/free-slots.js';
import type { SharedSide } from '../shared/shared-side.js';
import { Counters } from '../slots/counters.js';
import { GuardedPages } from '../slots/guarded-pages.js';
import { ImageTable, type Images } from '../slots/image-table.js';
import { mappingBudget, type MappingBudget } from '../slots/mapping-budget.js';
import { SlotMemory } from '../slots/memory.js';
import { SlotPages, type SlabPages } from '../slots/pages.js';
import { SlotRecords } from '../slots/records.js';
import { SlotReset, type ResetOptions } from '../slots/reset.js';
import { OwnFreeSlots, type FreeSlots } from './free-slots.js';
import { SlotRecycler, type RecyclerOptions } from './recycler.js';

/** What a pool decides once. */
export interface PoolCoreOptions extends RecyclerOptions, Omit<ResetOptions, 'onRefusal'> {
  /** One a stripe, or none. The core gives them back when it closes. */
  readonly keys: KeyLease;
  readonly maxUnusedWarmSlots: number;
  /** Whether slots are closed by guard markers. */
  readonly guardPages: boolean;
  /** Most of the time that collections may take; 0 for none at all. */
  readonly maxCollectionShare: number;
  /** Of a pool that threads share, this thread's side of it. */
  readonly shared?: SharedSide;
}

/** Who is told of what. */
export interface PartsUser {
  readonly images: ImageHolder;
  /** Of a slot that this thread has taken, and that nobody may have. */
  readonly withhold: (slot: number) => void;
  /** Of a slot that waits for its pages to be dropped. */
  readonly whenQueued: (() => void) | undefined;
}

/** The parts. */
export interface PoolParts {
  readonly counters: Counters;
  readonly records: SlotRecords;
  readonly images: Images;
  readonly pages: SlotPages;
  readonly memory: SlotMemory;
  readonly budget: MappingBudget;
  readonly free: FreeSlots;
  readonly recycler: SlotRecycler;
  /** Of a pool that threads share. */
  readonly shared: { readonly side: SharedSide; readonly free: SharedFreeSlots } | undefined;
}

/** Makes them. */
export function makeParts(
  slab: SlabPages,
  layout: SlabLayout,
  options: PoolCoreOptions,
  { images: holder, withhold, whenQueued }: PartsUser,
): PoolParts {
  const { virtualMemory, keys, guardPages, shared: side } = options;
  const { pageSize } = virtualMemory;
  const counters = side?.counters ?? new Counters();
  const records = side?.records ?? new SlotRecords(layout.numSlots);
  const images = side?.images(holder, pageSize) ?? new ImageTable(holder);
  const pages = guardPages
    ? new GuardedPages(slab, layout, keys.keys, virtualMemory, side?.guards)
    : new SlotPages(slab, layout, keys.keys, virtualMemory);
  const onRefusal = () => counters.add('refusedCalls', 1);
  const reset = new SlotReset(pages, records, images, { ...options, onRefusal });
  const budget = side?.budget ?? mappingBudget();
  const memoryParts = { pages, records, images, reset, budget };
  const memory = side?.memory(memoryParts, pageSize) ?? new SlotMemory(memoryParts, pageSize);
  const shared = side && { side, free: side.free(withhold) };
  const free = shared?.free ?? new OwnFreeSlots(layout, options.maxUnusedWarmSlots);
  const recyclerParts = { pages, layout, records, memory, reset, counters, free, whenQueued };
  const recycler = new SlotRecycler(recyclerParts, options);
  return { counters, records, images, pages, memory, budget, free, recycler, shared };
}
