/**
 * The pool without its public face: one slab and what is made of it, put together here, and the changes that concern all slots.
 * Who has which slot is in `tenancies.ts`, what may be done to a memory meanwhile in `live-memories.ts`, the end of all in
 * `closing.ts`.
 */
import type { MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import type { Mmap } from '@guardstripe/mmap';
import { ProtectionMask, type KeyLease } from '@guardstripe/mpk';
import { PoolCorruptedError } from '../errors.js';
import type { ImageHolder, PoolImage } from '../module/image.js';
import { enterStripe } from '../slab/stripes.js';
import { Counters } from '../slots/counters.js';
import { HostBytes } from '../slots/host-bytes.js';
import { ImageTable } from '../slots/image-table.js';
import { mappingBudget, type MappingHolder } from '../slots/mapping-budget.js';
import { SlotMemory } from '../slots/memory.js';
import { GuardedPages } from '../slots/guarded-pages.js';
import { SlotPages } from '../slots/pages.js';
import { SlotRecords } from '../slots/records.js';
import { SlotReset, type ResetOptions } from '../slots/reset.js';
import { SlotViews } from '../slots/views.js';
import { endAll, endingNow, giveSlabBack, giveSlabBackLate, type ClosingParts } from './closing.js';
import { checkBooks } from './consistency.js';
import { sayGoodbye } from './farewell.js';
import { FreeSlots } from './free-slots.js';
import { Housekeeping } from './housekeeping.js';
import { LiveMemories } from './live-memories.js';
import { Orphans } from './nets/orphans.js';
import { PendingAnswers } from './pending-answers.js';
import { SlotRecycler, type RecyclerOptions } from './recycler.js';
import { Shortage } from './shortage.js';
import { Tenancies } from './tenancies.js';
import { WithheldSlots } from './withheld-slots.js';

/** What a pool decides once. */
export interface PoolCoreOptions extends RecyclerOptions, Omit<ResetOptions, 'onRefusal'> {
  /** One a stripe, or none. The core gives them back when it closes. */
  readonly keys: KeyLease;
  readonly maxUnusedWarmSlots: number;
  /** Whether slots are closed by guard markers. */
  readonly guardPages: boolean;
  /** Most of the time that collections may take; 0 for none at all. */
  readonly maxCollectionShare: number;
}

/** The pool behind its faces. */
export class PoolCore implements MappingHolder, ImageHolder {
  readonly layout: SlabLayout;
  readonly slabAddress: number;
  readonly records: SlotRecords;
  readonly pages: SlotPages;
  readonly counters = new Counters();
  readonly tenancies: Tenancies;
  readonly live: LiveMemories;
  readonly free: FreeSlots;
  /** Slots whose bytes can still be reached. */
  readonly withheld: WithheldSlots;
  /** Memories of collected stores. */
  readonly orphans: Orphans;
  readonly shortage: Shortage;
  /** Limiters that are waited for. */
  readonly pending = new PendingAnswers();
  /** One a stripe: only that stripe's key open. */
  readonly #masks: readonly ProtectionMask[];
  readonly #images = new ImageTable(this);
  readonly #memory: SlotMemory;
  readonly #recycler: SlotRecycler;
  readonly #housekeeping: Housekeeping;
  readonly #closing: ClosingParts;
  readonly #pageBytes: number;

  constructor(slab: Mmap, layout: SlabLayout, options: PoolCoreOptions) {
    const { virtualMemory, keys, maxUnusedWarmSlots } = options;
    const { numStripes } = layout;
    const { counters, pending } = this;
    const images = this.#images;
    const records = new SlotRecords(layout.numSlots);
    const Pages = options.guardPages ? GuardedPages : SlotPages;
    const pages = new Pages(slab, layout, keys.keys, virtualMemory);
    const onRefusal = () => counters.add('refusedCalls', 1);
    const reset = new SlotReset(pages, records, images, { ...options, onRefusal });
    const budget = mappingBudget();
    const memory = new SlotMemory({ pages, records, images, reset, budget }, virtualMemory.pageSize);
    const free = new FreeSlots(layout, maxUnusedWarmSlots);
    const recycler = new SlotRecycler({ pages, layout, records, memory, reset, counters, free }, options);
    const views = new SlotViews(this, (slot) => this.#cooled(slot));
    const bytes = new HostBytes(pages, records, virtualMemory.pageSize, numStripes > 1);
    this.layout = layout;
    this.slabAddress = slab.address;
    this.records = records;
    this.pages = pages;
    this.free = free;
    this.withheld = new WithheldSlots({ slab, pages, records, memory, virtualMemory, numStripes });
    this.shortage = new Shortage(this, options.maxCollectionShare);
    const { withheld, shortage } = this;
    const shared = {
      layout,
      pages,
      records,
      counters,
      memory,
      bytes,
      views,
      free,
      recycler,
      withheld,
      pending,
    };
    this.tenancies = new Tenancies({ ...shared, shortage });
    this.live = new LiveMemories({ ...shared, virtualMemory });
    this.orphans = new Orphans(this.tenancies, records, views);
    this.#masks = keys.keys.map((key) => ProtectionMask.zero.or(key));
    this.#memory = memory;
    this.#recycler = recycler;
    this.#housekeeping = new Housekeeping({ free, memory, records, counters, numStripes });
    this.#closing = { ...shared, slab, keys, images, tenancies: this.tenancies };
    this.#pageBytes = virtualMemory.pageSize;
    budget.register(this);
  }

  /** Whether closing began. */
  get closed(): boolean {
    return this.tenancies.closed;
  }

  /** Bytes of the images that slots have mapped, each counted once. */
  get imageBytes(): number {
    return this.#images.byteLength;
  }

  /** Freed slots that wait for their pages to be dropped: not live, and not free yet. */
  get queued(): number {
    return this.#recycler.queue.length;
  }

  get waiting(): number {
    return this.free.waiting;
  }

  /** Mappings that the slots hold. */
  get mappings(): number {
    return this.#memory.mappings;
  }

  /** Runs `fn` such that of the pool's memory only the stripe's can be touched; in a slab without stripes, just runs it. */
  enter<T>(stripe: number, fn: () => T): T {
    const mask = this.#masks[stripe];
    // Run without a mask, `fn` would have every stripe open.
    if (mask === undefined && this.layout.numStripes > 1)
      throw new PoolCorruptedError(`there is no stripe ${stripe}`);
    return mask === undefined ? fn() : enterStripe(mask, fn);
  }

  /** Drops what the decommit queue holds and gives its slots back. */
  flush(): void {
    this.#recycler.flush();
    this.tenancies.settle();
  }

  /** Has free slots keep at most `maxBytes` in RAM, and at 0 neither mappings nor images. Returns how many bytes were given back. */
  trim(maxBytes: number): number {
    this.flush();
    const trimmed = this.#recycler.trim(maxBytes);
    if (maxBytes === 0) this.relieve(Infinity);
    return trimmed;
  }

  /** Forgets a module: slots that keep its image for it lose the image and become anybody's. Returns how many. */
  purge(key: MemoryKey): number {
    this.#recycler.flush();
    const purged = this.#housekeeping.purge(key);
    this.tenancies.settle();
    return purged;
  }

  relieve(mappings: number): number {
    return this.#housekeeping.relieve(mappings);
  }

  /** The image's module was closed: nobody will start from it, so no free slot keeps it. Live ones let go when they are freed. */
  letGo(image: PoolImage): void {
    if (!this.closed) this.purge(image.key);
  }

  /** Checks that no slot is lost, nor in two hands; {@link checkBooks}. */
  checkConsistency(): void {
    const { queue } = this.#recycler;
    const { allocators } = this.free;
    checkBooks({ ...this.#closing, queue, allocators, pageBytes: this.#pageBytes });
  }

  /**
   * Ends every tenancy without resetting anything, and gives the slab back. If the system refuses to take it, the pool is closed
   * all the same, and calling this again tries again.
   */
  close(reason: () => unknown): void {
    const ended = this.closed ? [] : endingNow(this.#closing);
    if (!this.closed) endAll(this.#closing, reason);
    try {
      giveSlabBack(this.#closing);
      mappingBudget().unregister(this);
    } finally {
      ended.forEach(sayGoodbye);
    }
  }

  /** The last view of a slot was collected: nobody reaches its bytes any more. */
  #cooled(slot: number): void {
    if (!this.withheld.cooled(slot)) return;
    this.counters.add('cooledMemories', 1);
    if (this.closed) giveSlabBackLate(this.#closing);
    else this.tenancies.takeBack(slot);
  }
}
