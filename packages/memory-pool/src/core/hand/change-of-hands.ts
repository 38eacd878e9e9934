/**
 * The change of hands that is under way. It may be cut short: the stack may end at any call, and `vm`'s timeout ends one without
 * running `catch` or `finally`, and the thread lives on. So each change says here what it has in hand before it does anything that
 * cannot be undone, step by step, and forgets it when the slot is somebody's again: what the next change finds here was cut
 * short, and is finished first.
 *
 *     take:      NOTHING ──▶ TAKING ──▶ TAKEN ──occupied, on the store's list, counted──▶ NOTHING
 *     release:   NOTHING ──▶ ENDING ──▶ VIEWS_ENDED ──▶ OFF_LIST ──▶ COUNTED ──recycled, cooling or retired──▶ NOTHING
 *     others:    NOTHING ──▶ BUSY ──free slots were taken, changed and put back──▶ NOTHING
 *
 * The engine stops a thread at a call or in a loop, and nowhere else: a step is noted in the statement behind the call that does it.
 */
import type { SlabLayout } from '@guardstripe/layout';
import type { ViewsLeft } from '@guardstripe/mmap';
import { MemoryFreedError, PoolCorruptedError } from '../../errors.js';
import type { Counters } from '../../slots/counters.js';
import type { SlotRecords } from '../../slots/records.js';
import type { SlotViews } from '../../slots/views.js';
import type { FreeSlots } from '../free-slots.js';
import type { PendingAnswers } from '../waiting/pending-answers.js';
import type { SlotRecycler } from '../recycler.js';
import type { Lease, Tenancy } from '../tenancy.js';
import type { WithheldSlots } from '../withheld-slots.js';

/** What is worked on. */
export interface HandParts {
  readonly layout: SlabLayout;
  readonly records: SlotRecords;
  readonly counters: Counters;
  readonly views: SlotViews;
  readonly free: FreeSlots;
  readonly recycler: SlotRecycler;
  readonly withheld: WithheldSlots;
  readonly pending: PendingAnswers;
}

/** How far the change has come. */
export const Step = {
  NOTHING: 0,
  BUSY: 1,
  TAKING: 2,
  TAKEN: 3,
  ENDING: 4,
  VIEWS_ENDED: 5,
  OFF_LIST: 6,
  COUNTED: 7,
} as const;
/** One of {@link Step}. */
export type Step = (typeof Step)[keyof typeof Step];

/** What a thread has in hand, and how that ends. */
export class ChangeOfHands {
  readonly #numSlots: number;
  readonly #records: SlotRecords;
  readonly #counters: Counters;
  readonly #views: SlotViews;
  readonly #free: FreeSlots;
  readonly #recycler: SlotRecycler;
  readonly #withheld: WithheldSlots;
  readonly #pending: PendingAnswers;
  readonly #limited: Set<Tenancy>;
  /** Set by whoever takes a slot, for a call that notes it may be cut short itself. */
  step: Step = Step.NOTHING;
  /** Taken for a tenant. */
  slot = 0;
  /** Ending. */
  #lease: Lease | undefined;
  /** What its views leave. */
  #left: ViewsLeft = 'none';

  /** @param limited - those whose limiters want to hear of the end, and that hold something */
  constructor(parts: HandParts, limited: Set<Tenancy>) {
    this.#numSlots = parts.layout.numSlots;
    this.#records = parts.records;
    this.#counters = parts.counters;
    this.#views = parts.views;
    this.#free = parts.free;
    this.#recycler = parts.recycler;
    this.#withheld = parts.withheld;
    this.#pending = parts.pending;
    this.#limited = limited;
  }

  /** Ends a tenancy that has not ended, and says what its views leave. */
  end(lease: Lease): ViewsLeft {
    this.#lease = lease;
    this.step = Step.ENDING;
    try {
      const left = this.#takeOff(lease);
      // Who was told of it may have done something with the pool, and finished this first.
      if (this.#lease === lease) {
        this.#putAway(lease.slot, left);
        this.#putDown(lease);
      }
      return left;
    } catch (error) {
      this.#giveUpIfCorrupted(lease, error);
      throw error;
    }
  }

  /** Runs what takes, changes and puts back free slots by itself; perhaps in the middle of an allocation, to make room. */
  keepHouse<T>(work: () => T): T {
    if (this.step !== Step.NOTHING) return work();
    this.step = Step.BUSY;
    const result = work();
    this.step = Step.NOTHING;
    return result;
  }

  /** Finishes what was cut short, if anything was: first in every operation. Takes time in proportion to the slots then. */
  finish(): void {
    if (this.step !== Step.NOTHING) this.#finish();
  }

  #finish(): void {
    const lease = this.#lease;
    const slot = this.slot;
    const step = this.step;
    // First: where views are out, the slot must not look free.
    if (lease !== undefined) this.#finishEnd(lease);
    this.#free.mend((each) => this.#records.isLive(each) || this.#isSomewhere(each));
    if (lease !== undefined) this.#giveBackLost(lease.slot);
    else if (step === Step.TAKEN) {
      // Its store has it on its list, though whoever asked was never told.
      if (this.#records.isLive(slot) && this.#free.isTaken(slot)) this.#counters.addLive(1);
      else this.#giveBackLost(slot);
    }
    this.#lease = undefined;
    this.step = Step.BUSY;
    for (let each = 0; each < this.#numSlots; each++) this.#giveBackLost(each);
    this.step = Step.NOTHING;
    if (this.#free.waiting > 0) this.#free.answerSoon();
  }

  #finishEnd(lease: Lease): void {
    try {
      const left = this.#takeOff(lease);
      if (left !== 'none' && !this.#isSomewhere(lease.slot)) this.#putAway(lease.slot, left);
    } catch (error) {
      this.#giveUpIfCorrupted(lease, error);
      throw error;
    }
  }

  /** Everything but where the slot goes, from where it stands. */
  #takeOff(lease: Lease): ViewsLeft {
    const { tenancy, slot } = lease;
    if (this.step === Step.ENDING) {
      this.#left = this.#views.end(slot);
      this.step = Step.VIEWS_ENDED;
    }
    const left = this.#left;
    if (this.step === Step.VIEWS_ENDED) {
      // Before the record forgets that there was a view: the thread may end at any call.
      if (left === 'stolen') this.#records.setRetired(slot);
      this.#records.endTenancy(slot, tenancy);
      this.step = Step.OFF_LIST;
    }
    if (this.step === Step.OFF_LIST) {
      this.#counters.addLive(-1);
      this.step = Step.COUNTED;
    }
    tenancy.notes?.delete(slot);
    if (tenancy.limiter !== undefined && tenancy.length === 0) this.#limited.delete(tenancy);
    if (this.#pending.size > 0) this.#pending.end(slot, () => new MemoryFreedError('grow the memory', slot));
    return left;
  }

  #putAway(slot: number, left: ViewsLeft): void {
    if (left === 'none') this.#recycler.recycle(slot);
    else if (left === 'held') this.#withheld.cool(slot);
    else this.#withheld.retire(slot);
  }

  #putDown(lease: Lease): void {
    if (this.#lease !== lease) return;
    this.#lease = undefined;
    this.step = Step.NOTHING;
  }

  /** That was not cut short: it would end like this each time. */
  #giveUpIfCorrupted(lease: Lease, error: unknown): void {
    if (error instanceof PoolCorruptedError) this.#putDown(lease);
  }

  /** Gives the slot back if nobody has it, and nobody will get it. It may be half reset. */
  #giveBackLost(slot: number): void {
    const isLost = !this.#records.isLive(slot) && !this.#isSomewhere(slot) && this.#free.isTaken(slot);
    if (isLost) this.#recycler.giveBackUnknown(slot);
  }

  #isSomewhere(slot: number): boolean {
    return (
      this.#withheld.cooling.has(slot) ||
      this.#withheld.retired.has(slot) ||
      this.#recycler.queue.has(slot) ||
      this.#free.isOnItsWay(slot)
    );
  }
}
