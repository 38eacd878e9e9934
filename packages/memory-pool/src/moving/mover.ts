/**
 * Moves stores between the threads of a pool: a store's memories stay where they are, and what changes is who holds their slots, first
 * said by a flight and then by the index allocator. Whatever can fail comes before the flight is launched, or claimed.
 */
import type { SharedIndexAllocator } from '@guardstripe/index-allocator';
import { invalidArgType } from '@guardstripe/common';
import { PoolClosedError, PoolCorruptedError, StoreNotMovableError, StoreTokenError } from '../errors.js';
import { askNow, tellFailed, tellFreed, type Growth, type MemoryLimiter } from '../limiter.js';
import { sayGoodbye } from '../core/farewell.js';
import type { PendingAnswers } from '../core/waiting/pending-answers.js';
import type { Tenancies } from '../core/tenancies.js';
import type { Lease, Tenancy } from '../core/tenancy.js';
import type { ModuleHandle } from '../module/handle.js';
import type { MemoryTemplate } from '../module/template.js';
import type { SharedFreeSlots } from '../shared/free-slots.js';
import type { Counters } from '../slots/counters.js';
import type { Images } from '../slots/image-table.js';
import type { SlotRecords } from '../slots/records.js';
import type { SlotViews } from '../slots/views.js';
import type { SharedModules } from '../threads/shared-modules.js';
import { AdoptedModules } from './adopted-modules.js';
import type { Departed, Flights } from './flights.js';
import type { ModuleUse } from './slot-notes.js';
import { makeToken, readToken, type MovingMemory, type Parcel, type StoreToken } from './token.js';

/** What is worked on. */
export interface MoverParts {
  readonly flights: Flights;
  readonly allocator: Pick<SharedIndexAllocator, 'adopt'>;
  readonly free: SharedFreeSlots;
  readonly modules: SharedModules;
  readonly records: SlotRecords;
  readonly counters: Counters;
  readonly images: Images;
  readonly views: SlotViews;
  readonly pending: PendingAnswers;
  readonly tenancies: Tenancies;
  readonly maxMemoryBytes: number;
  readonly numStripes: number;
  /** The calling thread, as the allocator knows it. */
  readonly thread: number;
  /** Told when a store has departed. */
  readonly whenDeparted: () => void;
}

/** A memory that came, or is about to come. */
export interface Arrived {
  readonly lease: Lease;
  readonly template: MemoryTemplate;
}

/** How a store is taken up. */
export interface AdoptOptions {
  readonly limiter: MemoryLimiter | undefined;
  readonly notes: Tenancy['notes'];
}

interface Prepared {
  readonly template: MemoryTemplate;
  readonly use: ModuleUse | undefined;
}

/** One thread's part in moving stores. */
export class Mover {
  readonly #parts: MoverParts;
  readonly #adopted = new AdoptedModules();

  constructor(parts: MoverParts) {
    this.#parts = parts;
  }

  /** Memories in flight, of all threads. */
  get inFlightMemories(): number {
    return this.#parts.flights.memories;
  }

  /** Whether stores of this thread may be in flight. */
  get isAwaiting(): boolean {
    return this.#parts.flights.departures > 0;
  }

  /**
   * Ends an open store here and lets it fly.
   *
   * @throws {@link StoreNotMovableError}, {@link ModuleNotSharedError} for memories of a snapshot; a `SystemError` if the system refuses a
   * module's memory file. The store is as it was then
   */
  release(tenancy: Tenancy): StoreToken {
    const { flights, tenancies } = this.#parts;
    const leases = tenancies.leasesOf(tenancy);
    for (const { slot } of leases) this.#assertMovable(slot);
    const parcel = this.#pack(tenancy, leases);
    for (const { slot } of leases) {
      // One that was stolen before a grow is found only now.
      if (!this.#parts.views.revokeUnsafe(slot)) throw new StoreNotMovableError('viewed', slot);
    }
    const flight = flights.begin();
    if (flight === -1) throw new StoreNotMovableError('crowded');
    let made: ReturnType<typeof makeToken>;
    try {
      made = makeToken(flight, parcel);
    } catch (error) {
      flights.cancel(flight);
      throw error;
    }
    flights.describe(flight, leases.length, made.hash);
    const byteLengths = this.#depart(tenancy, leases);
    // Before it flies: then another thread may free its slots, and this one take them.
    const uses = leases.map(({ slot }) => tenancy.notes?.remove(slot));
    flights.launch(flight, parcel.memories);
    this.#parts.whenDeparted();
    // Last: they may do anything.
    for (const use of uses) use?.end();
    const limiter = tenancy.limiter?.deref();
    if (limiter !== undefined) for (const byteLength of byteLengths) tellFreed(limiter, byteLength);
    return made.token;
  }

  /**
   * Takes up a store that flies, in a tenancy of its own.
   *
   * @throws {@link StoreTokenError}; `TypeError` `ERR_INVALID_ARG_TYPE` for what is no token, or without a limiter for a store that had
   * one; {@link MemoryLimitError} if the limiter says no; a `SystemError` if a module cannot be opened. But for the first, the token
   * stays good
   */
  adopt(token: StoreToken, options: AdoptOptions): { tenancy: Tenancy; memories: Arrived[] } {
    const { flight, hash, parcel: read } = readToken(token);
    if (!this.#parts.flights.isFlying(flight, hash)) throw new StoreTokenError();
    const parcel = read();
    const { limiter } = options;
    if (parcel.wasLimited && limiter === undefined) {
      const hint = 'The store had a limiter, which cannot move: pass one of this thread';
      throw invalidArgType('options.limiter', 'of type object', limiter, hint);
    }
    const prepared: Prepared[] = [];
    const granted: Growth[] = [];
    try {
      for (const memory of parcel.memories) prepared.push(this.#prepare(memory, parcel.modules));
      if (limiter !== undefined) this.#ask(limiter, parcel, granted);
      return this.#take(flight, hash, parcel, prepared, options);
    } catch (error) {
      for (const { use } of prepared) use?.end();
      if (limiter !== undefined) for (const growth of granted) tellFailed(limiter, growth, error);
      throw error;
    }
  }

  /**
   * Looks after stores that this thread has released; what whoever took them did not live to make its own comes back.
   *
   * @param isEnding - takes back all that nobody has adopted: the thread leaves the pool
   */
  settle(isEnding = false): void {
    const ended = this.#parts.flights.settle(isEnding).filter((departed) => this.#isOurs(departed));
    const goodbyes = ended.map(({ slot }) => {
      const byteLength = this.#parts.records.byteLength(slot);
      this.#giveUp(slot);
      return { tenancy: undefined, slot, stripe: slot % this.#parts.numStripes, byteLength };
    });
    goodbyes.forEach(sayGoodbye);
  }

  /** Memories of this thread's that are in flight: those that it still holds. */
  countDeparted(): number {
    return [...this.#parts.flights.departedSlots()].filter((departed) => this.#isOurs(departed)).length;
  }

  /** Closes what was opened for memories of other threads. */
  close(): void {
    this.#adopted.close();
  }

  #assertMovable(slot: number): void {
    const { pending, views } = this.#parts;
    if (pending.has(slot)) throw new StoreNotMovableError('growing', slot);
    const ledger = views.inUse(slot);
    // Whether what uses a safe view is done, only a collection tells; and a thread cannot ask another one's collector.
    if (ledger !== undefined && (ledger.isSafe || views.isStolen(slot)))
      throw new StoreNotMovableError('viewed', slot);
  }

  #pack(tenancy: Tenancy, leases: readonly Lease[]): Parcel {
    const { records, modules, numStripes } = this.#parts;
    const handles: ModuleHandle[] = [];
    const places = new Map<number, number>();
    const memories = leases.map(({ slot }): MovingMemory => {
      // Whoever adopts it opens the store's stripe alone: its own memory would fault, and another tenant's would not.
      if (slot % numStripes !== tenancy.stripe)
        throw new PoolCorruptedError(`slot ${slot} is of another stripe than its store, ${tenancy.stripe}`);
      const template = tenancy.notes?.template(slot);
      // Somebody was told of a memory whose allocation is not done.
      if (template === undefined) throw new StoreNotMovableError('allocating', slot);
      const { moduleId } = template.key;
      let place = places.get(moduleId);
      if (place === undefined) {
        const handle = modules.handleOf(template);
        place = handle === undefined ? -1 : handles.push(handle) - 1;
        places.set(moduleId, place);
      }
      const plain = { ...template, image: undefined };
      return { slot, generation: records.nextGeneration(slot), template: plain, module: place };
    });
    const wasLimited = tenancy.limiter !== undefined;
    return { stripe: tenancy.stripe, wasLimited, memories, modules: handles };
  }

  /** From here on no handle of this thread holds, and nothing can fail. Returns how large the memories are. */
  #depart(tenancy: Tenancy, leases: readonly Lease[]): number[] {
    const { records, counters, tenancies } = this.#parts;
    tenancy.state = 'released';
    tenancies.limited.delete(tenancy);
    const byteLengths = leases.map(({ slot }) => records.byteLength(slot));
    for (const { slot } of leases) {
      records.passOn(slot);
      counters.addLive(-1);
    }
    tenancy.head = 0;
    tenancy.length = 0;
    return byteLengths;
  }

  /** Opens the memory's module. */
  #prepare({ template, module: place }: MovingMemory, handles: readonly ModuleHandle[]): Prepared {
    const { modules } = this.#parts;
    const handle = handles[place];
    const opened = handle && this.#adopted.use(template.key.moduleId, handle);
    if (opened === undefined) {
      modules.noteGone(template.key);
      return { template: { ...template, image: undefined }, use: undefined };
    }
    try {
      return { template: modules.template(opened.module, template.key.memoryIndex), use: opened.use };
    } catch (error) {
      opened.use.end();
      throw error;
    }
  }

  /** Asks for each memory as if it were new. */
  #ask(limiter: MemoryLimiter, { memories }: Parcel, granted: Growth[]): void {
    const { records, maxMemoryBytes } = this.#parts;
    for (const { slot, generation, template } of memories) {
      const maximumBytes = Math.min(template.maximumBytes, maxMemoryBytes);
      const desiredBytes = records.byteLength(slot);
      // Read before: it may have been adopted meanwhile, freed, and be another memory by now.
      if (!records.isCurrent(slot, generation)) throw new StoreTokenError();
      if (!(desiredBytes >= 0 && desiredBytes <= maximumBytes))
        throw new PoolCorruptedError(`slot ${slot} comes with ${desiredBytes} bytes, of ${maximumBytes}`);
      const growth = { currentBytes: 0, desiredBytes, maximumBytes };
      askNow(limiter, growth);
      granted.push(growth);
    }
  }

  #take(
    flight: number,
    hash: Int32Array,
    { stripe, memories }: Parcel,
    prepared: readonly Prepared[],
    { limiter, notes }: AdoptOptions,
  ): { tenancy: Tenancy; memories: Arrived[] } {
    const { flights, records, counters, images, tenancies } = this.#parts;
    // The limiter may have done anything.
    if (tenancies.closed) throw new PoolClosedError('adopt a store');
    const slots = memories.map(({ slot }) => slot);
    const generations = new Map(memories.map(({ slot, generation }) => [slot, generation]));
    const isTaken = flights.take(flight, hash, {
      slots,
      adopt: (slot, from) => records.isCurrent(slot, generations.get(slot)!) && this.#adoptSlot(slot, from),
      giveUp: (slot) => this.#giveUp(slot),
    });
    if (!isTaken) throw new StoreTokenError();
    const tenancy: Tenancy = {
      stripe,
      head: slots.length === 0 ? 0 : slots[0]! + 1,
      length: slots.length,
      state: 'open',
      limiter: limiter === undefined ? undefined : new WeakRef(limiter),
      watched: false,
      notes,
    };
    if (limiter !== undefined && slots.length > 0) tenancies.limited.add(tenancy);
    // Also where this thread has released it: nobody is to take what was in flight for what is in flight.
    const generationsHere = slots.map((slot) => records.passOn(slot));
    counters.addLive(slots.length);
    const arrived = memories.map(({ slot }, index): Arrived => {
      const { template, use } = prepared[index]!;
      const generation = generationsHere[index]!;
      if (template.image !== undefined) images.retain(template.image);
      notes?.add(slot, template, use);
      return { lease: { tenancy, slot, generation }, template };
    });
    // In the order in which they were allocated.
    return { tenancy, memories: arrived.toReversed() };
  }

  #adoptSlot(slot: number, from: number): boolean {
    try {
      this.#parts.allocator.adopt(slot, from);
      return true;
    } catch (error) {
      const { code } = error as { code?: unknown };
      // Its thread has ended, and it came back.
      if (code === 'ERR_SLOT_NOT_IN_USE' || code === 'ERR_SLOT_OF_OTHER_THREAD') return false;
      throw error;
    }
  }

  #isOurs({ slot, generation }: Departed): boolean {
    const { free, records, thread } = this.#parts;
    return free.holder(slot) === thread && records.isCurrent(slot, generation);
  }

  /** Ends a memory that is no store's. */
  #giveUp(slot: number): void {
    const { records, free } = this.#parts;
    records.abandon(slot);
    records.putUnknown(slot);
    free.giveBack(slot, 0);
  }
}
