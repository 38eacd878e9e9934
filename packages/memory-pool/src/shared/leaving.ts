/**
 * The end of a thread's part in a shared pool:
 *
 *     attached ──end──▶ leaving ──▶ left, or, as the last, left and the slab given back
 *                          └── buffers are out: leaves when they are collected
 *
 * From the end on nothing can be had here any more. Others go on.
 */
import { threadId } from 'node:worker_threads';
import { onLeave, type LeaveEvent } from '../diagnostics.js';
import { PoolCorruptedError } from '../errors.js';
import type { ClosingParts } from '../core/closing.js';
import type { Mover } from '../moving/mover.js';
import type { SharedFreeSlots } from './free-slots.js';
import type { SharedSide } from './shared-side.js';
import { thisThread } from './thread.js';

/** Slots that live in this thread. Takes time in proportion to all. */
export function ownSlots(
  { layout, records, counters }: ClosingParts,
  free: SharedFreeSlots,
  side: SharedSide,
): number[] {
  if (counters.own('liveMemories') === 0) return [];
  const slots = Array.from({ length: layout.numSlots }, (_, slot) => slot);
  return slots.filter((slot) => records.isLive(slot) && free.holder(slot) === side.thread);
}

/** Ends every tenancy of this thread, and all its waiting. Their slots are laid over before their next use. */
export function endOwn(parts: ClosingParts, own: readonly number[], reason: () => unknown): void {
  const { records, counters, withheld, recycler } = parts;
  if (parts.tenancies.ended) throw new PoolCorruptedError('the pool ends twice');
  parts.free.recheckAll();
  parts.tenancies.closed = true;
  parts.pending.endAll(reason);
  recycler.flush();
  parts.endingViews.end(own, parts, (slot, left) => {
    if (left === 'stolen') records.setRetired(slot);
    if (records.isLive(slot)) records.abandon(slot);
    if (left === 'held') withheld.cool(slot);
    else if (left === 'stolen') withheld.retire(slot);
  });
  counters.set('liveMemories', 0);
  parts.bytes.close();
  recycler.reportFailures();
  parts.tenancies.ended = true;
}

/** What threads share. */
export interface LeavingParts {
  readonly free: SharedFreeSlots;
  readonly side: SharedSide;
  readonly mover: Mover;
}

/** What is left to do. */
export class Leaving {
  #isLast: boolean | undefined;
  #isDone = false;

  /** Goes as far as it can. @throws `SystemError` if the system does not take the slab back; calling again tries again */
  goOn(parts: ClosingParts, { free, side, mover }: LeavingParts): void {
    const { withheld } = parts;
    // Pending operations of this thread may still write there: nobody else may have the slots.
    if (this.#isDone || withheld.cooling.size > 0) return;
    const live = parts.counters.own('liveMemories');
    // Unmapped under a tenant, the addresses may be somebody else's at once.
    if (!parts.tenancies.closed || live > 0)
      throw new PoolCorruptedError(`this thread leaves the pool while it has ${live} tenants`);
    if (this.#isLast === undefined) {
      parts.recycler.close();
      mover.close();
      parts.images.clear();
      free.close();
      this.#isLast = side.leave();
      parts.pages.close();
    }
    if (this.#isLast) {
      keepWithheld(parts);
      if (!withheld.isEmpty) withheld.layOver();
      // Nobody has a view any more, and the threads that ended have none.
      else side.slab.keepForGood(false);
      side.forgetMappings();
      // Those that ended have it, too, until they are cleared away.
      thisThread()?.state.reap();
    }
    side.slab.closeWith(parts.keys);
    this.#isDone = true;
    if (onLeave.hasSubscribers) onLeave.publish({ threadId, isLast: this.#isLast } satisfies LeaveEvent);
  }
}

/** Addresses that somebody may still reach stay taken, whichever thread they were withheld in. */
function keepWithheld({ layout, records, withheld }: ClosingParts): void {
  for (let slot = 0; slot < layout.numSlots; slot++) {
    if (records.isWithheld(slot) && !withheld.retired.has(slot)) withheld.keepRetired(slot);
  }
}
