/** What makes a pool one that threads share: put in the place of what a pool of one thread makes for itself. */
import type { SharedIndexAllocator } from '@guardstripe/index-allocator';
import type { RecoverEvent } from '../diagnostics.js';
import type { SharedPoolMetrics } from '../metrics.js';
import type { ImageHolder } from '../module/image.js';
import { SlotRecords } from '../slots/records.js';
import type { SlotMemoryParts } from '../slots/memory.js';
import { sharedMappingBudget, type MappingBudget } from '../slots/mapping-budget.js';
import { Attachments } from './attachments.js';
import { SharedCounters } from './counters.js';
import { SharedFreeSlots } from './free-slots.js';
import { SharedImageTable } from './image-table.js';
import { SharedSlotMemory } from './memory.js';
import { MAPPINGS_WORD, STORES_WORD, type SharedPoolHandle, type SharedState } from './state.js';
import { StripeAllocator, type SlotAllocator } from './stripe-allocator.js';
import type { SharedSlab } from './slab.js';
import { Flights } from '../moving/flights.js';
import { Mover, type MoverParts } from '../moving/mover.js';
import type { SharedModules } from '../threads/shared-modules.js';
import type { ThisThread } from './thread.js';

/** Of allocators, what other threads attach with. */
export function buffersOf(allocators: readonly SharedIndexAllocator[]): readonly SharedArrayBuffer[] {
  return allocators.map((allocator) => allocator.share().indexAllocator);
}

/** One thread's side of a shared pool. */
export class SharedSide {
  readonly handle: SharedPoolHandle;
  readonly attachments: Attachments;
  readonly records: SlotRecords;
  readonly counters: SharedCounters;
  readonly budget: MappingBudget;
  readonly modules: SharedModules;
  readonly slab: SharedSlab;
  /** The calling thread, as the index allocator knows it. */
  readonly thread: number;
  readonly guards: Uint8Array;
  /** Stores on their way between threads. */
  readonly flights: Flights;
  readonly #state: SharedState;
  readonly #allocators: readonly SharedIndexAllocator[];
  /** The same, spoken to by the slab's slots. */
  readonly #byStripe: readonly SlotAllocator[];
  readonly #seat: number;

  constructor(
    state: SharedState,
    allocators: readonly SharedIndexAllocator[],
    modules: SharedModules,
    slab: SharedSlab,
    seat: number,
    { threads, state: of }: ThisThread,
  ) {
    this.#state = state;
    this.#allocators = allocators;
    const numStripes = allocators.length;
    this.#byStripe =
      numStripes === 1
        ? allocators
        : allocators.map((each, stripe) => new StripeAllocator(each, stripe, numStripes));
    this.#seat = seat;
    this.modules = modules;
    this.slab = slab;
    this.handle = {
      memoryPool: state.buffer,
      modules: modules.buffer,
      indexAllocators: buffersOf(allocators),
    };
    this.attachments = new Attachments(state, threads);
    this.records = new SlotRecords(state.numSlots, state.buffer, state.recordsOffset);
    this.flights = new Flights(state.flights, threads);
    this.counters = new SharedCounters(state.counters, seat, this.attachments, this.flights);
    this.budget = sharedMappingBudget(of, slab);
    this.thread = threads.self;
    this.guards = state.guards;
  }

  images(holder: ImageHolder, pageBytes: number): SharedImageTable {
    return new SharedImageTable(holder, () => this.#imageBytes(pageBytes));
  }

  memory(parts: SlotMemoryParts, pageBytes: number): SharedSlotMemory {
    return new SharedSlotMemory(parts, pageBytes, this.#state);
  }

  free(withhold: (slot: number) => void): SharedFreeSlots {
    const { resident } = this.#state;
    const { records, counters, thread } = this;
    const allocators = this.#byStripe;
    return new SharedFreeSlots({ allocators, records, thread, counters, resident, withhold });
  }

  /**
   * A safe view of a slot is handed out. Whoever has it may move it to a thread that has not the pool: so if all that have it end without
   * closing it, its addresses stay taken.
   */
  noteView(slot: number): void {
    this.records.setViewed(slot);
    this.slab.keepForGood();
  }

  /** Counts a store that is opened; returns how many were before, in all threads. */
  countStore(): number {
    return Atomics.add(this.#state.words, STORES_WORD, 1) >>> 0;
  }

  mover(parts: Omit<MoverParts, 'flights' | 'allocator' | 'modules' | 'thread'>): Mover {
    const { flights, modules, thread } = this;
    const byStripe = this.#byStripe;
    const allocator: MoverParts['allocator'] = {
      adopt: (slot, from) => byStripe[slot % byStripe.length]!.adopt(slot, from),
    };
    return new Mover({ ...parts, flights, allocator, modules, thread });
  }

  /** Memories that each thread has, by Node's number for the thread; threads that have none are left out. */
  liveByThread(): Map<number, number> {
    const live = this.attachments
      .living()
      .map(({ seat, threadId }) => [threadId, this.counters.of(seat, 'liveMemories')] as const);
    return new Map(live.filter(([, memories]) => memories > 0));
  }

  /** What of the pool is the threads' own. */
  metrics(): SharedPoolMetrics {
    const { attachments, counters } = this;
    const locks = this.#allocators.map(({ lockCounts }) => lockCounts);
    const threads = attachments.living().map(({ seat, threadId }) => ({
      threadId,
      liveMemories: counters.of(seat, 'liveMemories'),
      waitingAllocations: counters.of(seat, 'waitingAllocations'),
    }));
    return {
      threads,
      waitingAllocations: counters.get('waitingAllocations'),
      endedThreads: attachments.ended,
      recoveredMemories: counters.get('recoveredMemories'),
      lockWaits: locks.reduce((sum, { waits }) => sum + waits, 0),
      lockTakeovers: locks.reduce((sum, { takeovers }) => sum + takeovers, 0),
    };
  }

  /** Threads that ended without leaving, each told of once, with the memories that they had. */
  bury(): RecoverEvent[] {
    return this.attachments.bury(({ seat, threadId }) => ({
      threadId,
      liveMemories: this.counters.of(seat, 'liveMemories'),
    }));
  }

  /** Gives up the thread's seat; returns whether it was the last. */
  leave(): boolean {
    return this.attachments.leave(this.#seat);
  }

  /** The slab is gone: no slot of the pool has a mapping any more. */
  forgetMappings(): void {
    this.budget.add(-Atomics.exchange(this.#state.words, MAPPINGS_WORD, 0));
  }

  /** Bytes of the images that slots have mapped, as their records say, each image counted once. */
  #imageBytes(pageBytes: number): number {
    const { records } = this;
    const images = new Map<number, number>();
    for (let slot = 0; slot < this.#state.numSlots; slot++) {
      const imageId = records.imageId(slot);
      if (imageId !== 0) images.set(imageId, Math.max(images.get(imageId) ?? 0, records.imagePages(slot)));
    }
    return [...images.values()].reduce((sum, pages) => sum + pages, 0) * pageBytes;
  }
}
