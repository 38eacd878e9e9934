/**
 * The pool without its public face: one slab and what is made of it, put together here, and the changes that concern all slots.
 * Who has which slot is in `tenancies.ts`, what may be done to a memory meanwhile in `live-memories.ts`, the end of all in
 * `closing.ts`.
 */
import type { MemoryKey } from '@guardstripe/index-allocator';
import type { SlabLayout } from '@guardstripe/layout';
import { ProtectionMask } from '@guardstripe/mpk';
import { onRecover, reportFailure } from '../diagnostics.js';
import { PoolCorruptedError } from '../errors.js';
import type { SharedPoolMetrics } from '../metrics.js';
import type { ImageHolder, PoolImage } from '../module/image.js';
import type { PoolModule } from '../module/module.js';
import type { MemoryTemplate } from '../module/template.js';
import { enterStripe } from '../slab/stripes.js';
import { Attendance } from '../shared/attendance.js';
import { Leaving, endOwn, ownSlots } from '../shared/leaving.js';
import type { SharedFreeSlots } from '../shared/free-slots.js';
import type { SharedSide } from '../shared/shared-side.js';
import { checkSharedBooks } from '../shared/consistency.js';
import type { Counters } from '../slots/counters.js';
import { hostBytes } from '../slots/host-bytes.js';
import type { Images } from '../slots/image-table.js';
import { mappingBudget, type MappingBudget, type MappingHolder } from '../slots/mapping-budget.js';
import type { SlotMemory } from '../slots/memory.js';
import type { SlabPages, SlotPages } from '../slots/pages.js';
import type { SlotRecords } from '../slots/records.js';
import { SlotViews } from '../slots/views.js';
import { endAll, endingNow, giveSlabBack, giveSlabBackLate, type ClosingParts } from './closing.js';
import { checkBooks } from './consistency.js';
import { EndingViews } from './ending-views.js';
import { sayGoodbye, type Ended } from './farewell.js';
import { OwnFreeSlots, type FreeSlots } from './free-slots.js';
import { Housekeeping } from './housekeeping.js';
import type { Mover } from '../moving/mover.js';
import { LiveMemories } from './live-memories.js';
import { Orphans } from './nets/orphans.js';
import { makeParts, type PoolCoreOptions } from './parts.js';
import { PendingAnswers } from './waiting/pending-answers.js';
import type { SlotRecycler } from './recycler.js';
import { Shortage } from './nets/shortage.js';
import { Tenancies } from './tenancies.js';
import { WithheldSlots } from './withheld-slots.js';

/** The pool behind its faces. */
export class PoolCore implements MappingHolder, ImageHolder {
  readonly layout: SlabLayout;
  readonly slabAddress: number;
  readonly records: SlotRecords;
  readonly pages: SlotPages;
  readonly counters: Counters;
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
  readonly #images: Images;
  readonly #memory: SlotMemory;
  readonly #recycler: SlotRecycler;
  readonly #housekeeping: Housekeeping;
  readonly #closing: ClosingParts;
  readonly #pageBytes: number;
  readonly #budget: MappingBudget;
  #storesOpened = 0;
  /** What ends with the pool, as far as it was not told of yet. */
  #farewells: Ended[] | undefined;
  readonly #shared:
    | {
        readonly side: SharedSide;
        readonly free: SharedFreeSlots;
        readonly mover: Mover;
        readonly leaving: Leaving;
      }
    | undefined;

  constructor(slab: SlabPages, layout: SlabLayout, options: PoolCoreOptions) {
    const { virtualMemory, keys, shared: side } = options;
    const { numStripes } = layout;
    const { pending } = this;
    const attendance = side && new Attendance(() => this.#attend());
    const made = makeParts(slab, layout, options, {
      images: this,
      withhold: (slot) => this.withheld.keepRetired(slot),
      whenQueued: attendance && (() => attendance.begin()),
    });
    const { records, pages, memory, counters, images, free, recycler, budget } = made;
    const views = new SlotViews(this, (slot) => this.#cooled(slot));
    const bytes = hostBytes({ pages, records, virtualMemory, numStripes });
    this.layout = layout;
    this.slabAddress = slab.address;
    this.records = records;
    this.counters = counters;
    this.pages = pages;
    this.free = free;
    const whenCooling = attendance && (() => attendance.begin());
    const withheldParts = { slab, pages, records, memory, virtualMemory, numStripes, whenCooling };
    this.withheld = new WithheldSlots(withheldParts);
    this.shortage = new Shortage(this, options.maxCollectionShare);
    const { withheld, shortage } = this;
    const shared = { ...made, layout, bytes, views, withheld, pending };
    this.tenancies = new Tenancies({ ...shared, shortage });
    this.live = new LiveMemories({
      ...shared,
      virtualMemory,
      whenViewed: side && ((slot) => side.noteView(slot)),
    });
    this.orphans = new Orphans(this.tenancies, records, views);
    this.#masks = keys.keys.map((key) => ProtectionMask.zero.or(key));
    this.#memory = memory;
    this.#recycler = recycler;
    this.#housekeeping = new Housekeeping({ free, memory, records, counters, numStripes });
    const endingViews = new EndingViews();
    this.#closing = { ...shared, shortage, slab, keys, images, endingViews, tenancies: this.tenancies };
    this.#images = images;
    this.#budget = budget;
    this.#shared = made.shared && {
      ...made.shared,
      leaving: new Leaving(),
      mover: made.shared.side.mover({
        ...shared,
        free: made.shared.free,
        tenancies: this.tenancies,
        maxMemoryBytes: layout.maxMemoryBytes,
        numStripes,
        whenDeparted: () => attendance?.begin(),
      }),
    };
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

  get isWaitedFor(): boolean {
    return this.free.isWaitedFor;
  }

  /** Mappings that the slots hold. */
  get mappings(): number {
    return this.#memory.mappings;
  }

  /** The stripe of the next store: they take them in turn. */
  nextStripe(): number {
    const turn = this.#shared === undefined ? this.#storesOpened++ : this.#shared.side.countStore();
    return turn % this.layout.numStripes;
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
    this.tenancies.change.finish();
    this.tenancies.change.keepHouse(() => this.#recycler.flush());
    this.tenancies.settle();
  }

  /** Has free slots keep at most `maxBytes` in RAM, and at 0 neither mappings nor images. Returns how many bytes were given back. */
  trim(maxBytes: number): number {
    this.flush();
    const trimmed = this.tenancies.change.keepHouse(() => this.#recycler.trim(maxBytes));
    if (maxBytes === 0) this.relieve(Infinity);
    return trimmed;
  }

  /** Forgets a module: slots that keep its image for it lose the image and become anybody's. Returns how many. */
  purge(key: MemoryKey): number {
    this.flush();
    const purged = this.tenancies.change.keepHouse(() => this.#housekeeping.purge(key));
    this.tenancies.settle();
    return purged;
  }

  relieve(mappings: number): number {
    return this.tenancies.change.keepHouse(() => this.#housekeeping.relieve(mappings));
  }

  /** The image's module was closed: nobody will start from it, so no free slot keeps it. Live ones let go when they are freed. */
  letGo(image: PoolImage): void {
    if (!this.closed) this.purge(image.key);
  }

  /** Checks that no slot is lost, nor in two hands; {@link checkBooks}. */
  checkConsistency(): void {
    this.tenancies.change.finish();
    const { queue } = this.#recycler;
    const books = { ...this.#closing, queue, pageBytes: this.#pageBytes };
    const { free } = this;
    if (this.#shared !== undefined) {
      const { side, mover } = this.#shared;
      checkSharedBooks(books, this.#shared.free, side, mover.countDeparted());
    } else if (free instanceof OwnFreeSlots) checkBooks({ ...books, allocators: free.allocators });
  }

  /**
   * Ends every tenancy without resetting anything, and gives the slab back. If the system refuses to take it, the pool is closed
   * all the same, and calling this again tries again; likewise if it is cut short.
   */
  close(reason: () => unknown): void {
    if (!this.closed) this.tenancies.change.finish();
    if (this.#shared !== undefined) {
      this.#leave(reason);
      return;
    }
    if (!this.closed) this.#farewells = endingNow(this.#closing);
    if (!this.tenancies.ended) endAll(this.#closing, reason);
    try {
      giveSlabBack(this.#closing);
      mappingBudget().unregister(this);
    } finally {
      this.#sayGoodbyes();
    }
  }

  /** Takes back what ended threads held of a pool that threads share, and tells of them. */
  reclaim(): void {
    if (this.#shared === undefined) return;
    const ended = this.#shared.side.bury();
    this.#shared.free.reclaim();
    this.#shared.mover.settle();
    if (onRecover.hasSubscribers) ended.forEach((event) => onRecover.publish(event));
  }

  /** Moves stores to other threads, in a pool that they share. */
  get mover(): Mover | undefined {
    return this.#shared?.mover;
  }

  /** Lets go of what it can for those who wait in other threads; returns whether it still holds something back. */
  #attend(): boolean {
    if (this.closed) return false;
    if (this.free.isWaitedFor) {
      this.flush();
      this.shortage.collector.request();
    }
    this.mover?.settle();
    return this.withheld.cooling.size > 0 || this.queued > 0 || this.mover?.isAwaiting === true;
  }

  /** What a memory of a module is made of here; see {@link PoolModule.template}. */
  template(module: PoolModule, memoryIndex: number | undefined): MemoryTemplate {
    return this.#shared === undefined
      ? module.template(memoryIndex)
      : this.#shared.side.modules.template(module, memoryIndex);
  }

  /** The module half of the keys of a module's memories here. */
  moduleId(module: PoolModule): number {
    return this.#shared === undefined ? module.id : this.#shared.side.modules.idOf(module);
  }

  /** What there is to say of the threads that share the pool. */
  sharedMetrics(): SharedPoolMetrics | undefined {
    return this.#shared?.side.metrics();
  }

  /** Memories that each thread has of a pool that threads share, by Node's number for the thread. */
  liveByThread(): ReadonlyMap<number, number> {
    return this.#shared?.side.liveByThread() ?? new Map();
  }

  /** Ends this thread's part in a shared pool. */
  #leave(reason: () => unknown): void {
    const { side, free, mover, leaving } = this.#shared!;
    if (!this.tenancies.ended) mover.settle(true);
    // Whoever was told of that may have closed the pool.
    if (!this.tenancies.ended) {
      const own = ownSlots(this.#closing, free, side);
      if (!this.closed) this.#farewells = endingNow(this.#closing, own);
      endOwn(this.#closing, own, reason);
    }
    try {
      leaving.goOn(this.#closing, this.#shared!);
      this.#budget.unregister(this);
    } finally {
      this.#sayGoodbyes();
    }
  }

  #sayGoodbyes(): void {
    for (let ended = this.#farewells?.shift(); ended !== undefined; ended = this.#farewells?.shift())
      sayGoodbye(ended);
  }

  /** The last view of a slot was collected: nobody reaches its bytes any more. */
  #cooled(slot: number): void {
    // While it still cools: a change that was cut short would put it there again.
    if (!this.closed) this.tenancies.change.finish();
    if (!this.withheld.cooled(slot)) return;
    this.counters.add('cooledMemories', 1);
    if (this.closed && this.#shared !== undefined) this.#leaveLate();
    else if (this.closed) giveSlabBackLate(this.#closing);
    else this.tenancies.takeBack(slot);
  }

  /** Nobody is there to be told but who listens. Closing the pool again tries again. */
  #leaveLate(): void {
    const shared = this.#shared!;
    try {
      shared.leaving.goOn(this.#closing, shared);
    } catch (error) {
      reportFailure(0, error);
    }
  }
}
