/**
 * Who holds which slot: from a free slot to a tenant, and back.
 *
 *     free ──take──▶ live ──release──▶ recycled, free            no view was handed out
 *                      ├──────────────▶ cooling ──collected──▶ recycled, free
 *                      └──────────────▶ retired                  a view was stolen
 *
 * Every change ends with {@link Tenancies} settling: those who hear of failures, and those who wait, may do anything, so they
 * come last.
 */
import type { AbortSignalLike } from '@guardstripe/common';
import { onAllocate, onFree, reportFailure, type AllocateEvent } from '../diagnostics.js';
import {
  forEachDespiteErrors,
  PoolClosedError,
  PoolCorruptedError,
  StoreDisposedError,
  StoreReleasedError,
  type PoolConcurrencyLimitError,
} from '../errors.js';
import type { MemoryTemplate } from '../module/template.js';
import type { ViewsLeft } from '@guardstripe/mmap';
import { explainRefusal } from '../slab/host-bounds.js';
import type { Counters } from '../slots/counters.js';
import type { HostBytes } from '../slots/host-bytes.js';
import type { SlotMemory } from '../slots/memory.js';
import type { SlotRecords } from '../slots/records.js';
import { sayGoodbye } from './farewell.js';
import type { FreeSlots } from './free-slots.js';
import { ChangeOfHands, Step, type HandParts } from './hand/change-of-hands.js';
import type { SlotRecycler } from './recycler.js';
import type { Shortage } from './nets/shortage.js';
import type { Lease, Tenancy } from './tenancy.js';
import { NEXT_TURN } from './waiting/waiters.js';

/** An allocation that waits its turn. */
export interface Turn {
  readonly signal: AbortSignalLike | undefined;
  /** Set when it has got a memory, whatever becomes of that. */
  isServed: boolean;
}

/** What is worked on. */
export interface TenanciesParts extends HandParts {
  readonly memory: SlotMemory;
  readonly bytes: HostBytes;
  readonly shortage: Shortage;
}

/** Gives slots to tenants and takes them back. Whether a lease still holds is in the records. */
export class Tenancies {
  /** Whether the pool's closing began: nothing can be had any more, even if the system would not take the slab back. */
  closed = false;
  /** Whether all have ended since. */
  ended = false;
  /** Those whose limiters want to hear of the end, and that hold something. */
  readonly limited = new Set<Tenancy>();
  /** What is in hand now. */
  readonly change: ChangeOfHands;
  readonly #records: SlotRecords;
  readonly #counters: Counters;
  readonly #memory: SlotMemory;
  readonly #bytes: HostBytes;
  readonly #free: FreeSlots;
  readonly #recycler: SlotRecycler;
  readonly #shortage: Shortage;

  constructor(parts: TenanciesParts) {
    this.change = new ChangeOfHands(parts, this.limited);
    this.#records = parts.records;
    this.#counters = parts.counters;
    this.#memory = parts.memory;
    this.#bytes = parts.bytes;
    this.#free = parts.free;
    this.#recycler = parts.recycler;
    this.#shortage = parts.shortage;
  }

  /** Takes a slot of the tenant's stripe and makes it the memory that the template describes; nothing if the stripe is full. */
  tryAllocate(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    try {
      const lease = this.#take(tenancy, template);
      if (lease !== undefined) return lease;
      this.#reportFull(tenancy.stripe);
      // Who heard of it may have given something back.
      return this.#take(tenancy, template);
    } finally {
      this.settle();
    }
  }

  /** The same as {@link Tenancies.tryAllocate}, but nobody who waits is overtaken, and a full stripe is not told of. */
  allocateIfFirst(tenancy: Tenancy, template: MemoryTemplate): Lease | undefined {
    let lease: Lease | undefined;
    let isTold = false;
    do {
      if (this.#free.queue(tenancy.stripe).length > 0) return undefined;
      try {
        lease = this.#take(tenancy, template);
      } finally {
        isTold = this.settle();
      }
      // Who was told of a failed reset may have given something back, and there was nobody in line who would get it.
    } while (lease === undefined && isTold);
    return lease;
  }

  /** Waits for a slot, behind everybody else who does. Rejects at once where none will ever come. */
  allocateInTurn(tenancy: Tenancy, template: MemoryTemplate, turn: Turn): Promise<Lease> {
    const { stripe } = tenancy;
    const attempt = () => {
      const lease = this.#take(tenancy, template, true);
      if (lease !== undefined) turn.isServed = true;
      return lease;
    };
    const giveUp = (lease: Lease) => this.release(lease);
    const refusal = () => {
      if (tenancy.state !== 'open' || this.closed) return overError(tenancy, 'allocate a memory');
      return this.#isHopeless(stripe) ? this.exhausted(stripe) : undefined;
    };
    const { signal } = turn;
    const queue = this.#free.queue(stripe);
    const lease = queue.wait({ attempt, giveUp, refusal, signal, key: template.key });
    // In line first: who hears of it may give a slot back, abort, dispose and close, and all of that is heard in the line.
    this.#reportFull(stripe);
    if (this.#isHopeless(stripe)) queue.recheck();
    return lease;
  }

  /** The error for a stripe that is full. */
  exhausted(stripe: number): PoolConcurrencyLimitError {
    return this.#shortage.error(stripe, this.#free.capacity(stripe));
  }

  /** A store of the stripe is about to end: its waiters are rejected on the next turn. */
  recheckWaiting(stripe: number): void {
    this.#free.queue(stripe).recheck();
  }

  /**
   * Ends a tenancy, if it has not ended: the view first, then the pages, and only then may somebody else have the slot.
   * Returns whether it did.
   */
  release(lease: Lease): boolean {
    // First: cut short, it is finished for those who wait.
    if (this.#free.waiting > 0) this.#finishSoon();
    this.change.finish();
    const { tenancy, slot } = lease;
    if (!this.#records.isCurrent(slot, lease.generation)) return false;
    const { stripe } = tenancy;
    const byteLength = this.#records.byteLength(slot);
    let left: ViewsLeft | undefined;
    try {
      left = this.change.end(lease);
    } finally {
      if (onFree.hasSubscribers || tenancy.limiter !== undefined) {
        sayGoodbye({ tenancy, slot, stripe, byteLength });
      }
      if (left === 'stolen' && this.#isHopeless(stripe)) this.#free.queue(stripe).recheck();
      this.settle();
    }
    return true;
  }

  /** Ends all tenancies of a store. */
  releaseAll(tenancy: Tenancy): void {
    const slot = tenancy.head - 1;
    // Most stores have one memory.
    if (tenancy.length === 1 && slot >= 0 && this.#records.nextOwned(slot) === 0)
      this.release({ tenancy, slot, generation: this.#records.generation(slot) });
    else forEachDespiteErrors(this.leasesOf(tenancy), (lease) => this.release(lease));
  }

  /** What a store holds now. */
  leasesOf(tenancy: Tenancy): Lease[] {
    const leases: Lease[] = [];
    let link = this.closed ? 0 : tenancy.head;
    while (link !== 0) {
      const slot = link - 1;
      // A circle, or a way into another store's list.
      if (leases.length === tenancy.length)
        throw new PoolCorruptedError(`slot ${slot} is behind the end of its store's list`);
      leases.push({ tenancy, slot, generation: this.#records.generation(slot) });
      link = this.#records.nextOwned(slot);
    }
    // The others would be live for good: nobody knows of them any more.
    if (!this.closed && leases.length !== tenancy.length)
      throw new PoolCorruptedError(`a store has ${tenancy.length} memories and lists ${leases.length}`);
    return leases;
  }

  /** The last view of a slot was collected, and its pool is open: nobody reaches its bytes any more. */
  takeBack(slot: number): void {
    if (this.closed || this.#records.isLive(slot))
      throw new PoolCorruptedError(`slot ${slot} comes back while it is in use`);
    this.change.keepHouse(() => this.#recycler.recycle(slot));
    this.settle();
  }

  /** Last in every operation that gives something back: who hears of it may do anything. Returns whether a failure was told of. */
  settle(): boolean {
    const isTold = this.#recycler.failures.length > 0;
    if (isTold) this.#recycler.reportFailures();
    return isTold;
  }

  /** Takes a slot if there is one; those in the decommit queue count. */
  #take(tenancy: Tenancy, template: MemoryTemplate, isTurn = false): Lease | undefined {
    // Who was told of something may have ended everything since.
    if (tenancy.state !== 'open' || this.closed) throw overError(tenancy, 'allocate a memory');
    this.change.finish();
    this.change.step = Step.TAKING;
    const slot =
      this.#free.take(tenancy.stripe, template.key, isTurn) ?? this.#takeFlushed(tenancy, template, isTurn);
    if (slot === undefined) {
      this.change.step = Step.NOTHING;
      return undefined;
    }
    this.change.slot = slot;
    this.change.step = Step.TAKEN;
    const { initialBytes, image, writes } = template;
    try {
      this.#memory.occupy(slot, initialBytes, image);
      for (const { offset, data } of writes) this.#bytes.write(slot, offset, data, data.byteLength);
    } catch (error) {
      // The record says UNKNOWN: whatever half was done is laid over before the slot's next use.
      this.#free.giveBack(slot, 0);
      this.change.step = Step.NOTHING;
      throw explainRefusal(`allocate a memory in slot ${slot}`, error);
    }
    const generation = this.#records.startTenancy(slot, initialBytes, tenancy);
    this.#counters.addLive(1);
    this.change.step = Step.NOTHING;
    if (tenancy.limiter !== undefined) this.limited.add(tenancy);
    if (onAllocate.hasSubscribers) {
      onAllocate.publish({
        slot,
        stripe: tenancy.stripe,
        byteLength: initialBytes,
      } satisfies AllocateEvent);
    }
    return { tenancy, slot, generation };
  }

  /** Takes one of those that wait for their pages to be dropped. */
  #takeFlushed(tenancy: Tenancy, { key }: MemoryTemplate, isTurn: boolean): number | undefined {
    if (this.#recycler.queue.length === 0) return undefined;
    this.#recycler.flush();
    return this.#free.take(tenancy.stripe, key, isTurn);
  }

  #reportFull(stripe: number): void {
    this.#shortage.report(stripe, this.#free.capacity(stripe));
  }

  /** Nobody waits for what cannot come. */
  #isHopeless(stripe: number): boolean {
    return this.#shortage.isForGood(stripe, this.#free.capacity(stripe));
  }

  /** On a turn of its own: whatever is cut short meanwhile. */
  #finishSoon(): void {
    const finish = (): void => {
      try {
        if (!this.closed) this.change.finish();
      } catch (error) {
        reportFailure(this.change.slot, error);
      }
    };
    void NEXT_TURN.then(finish);
    this.#free.answerSoon();
  }
}

/** Why nothing can be done with a store any more. */
export function overError({ state }: Tenancy, action: string): Error {
  switch (state) {
    case 'disposed':
      return new StoreDisposedError(action);
    case 'released':
      return new StoreReleasedError(action);
    case 'open':
      return new PoolClosedError(action);
  }
}
