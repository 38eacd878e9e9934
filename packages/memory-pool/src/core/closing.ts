/**
 * The end of a pool:
 *
 *     open ──end──▶ closing ──giveBack──▶ closed     the slab is gone, or, where views are out, laid over until they are
 *                      └── refused, or cut short: again, from where it was
 *
 * From the end on nothing can be had any more; only the slab may still be there.
 */
import type { KeyLease } from '@guardstripe/mpk';
import { onFree, reportFailure } from '../diagnostics.js';
import { PoolCorruptedError } from '../errors.js';
import type { Images } from '../slots/image-table.js';
import type { SlabPages, SlotPages } from '../slots/pages.js';
import type { EndingViews } from './ending-views.js';
import type { Ended } from './farewell.js';
import type { Tenancies, TenanciesParts } from './tenancies.js';
import type { Tenancy } from './tenancy.js';
import { NEXT_TURN } from './waiting/waiters.js';

/** All that ends: what the tenancies are made of, and what they lie in. */
export interface ClosingParts extends TenanciesParts {
  readonly slab: SlabPages;
  readonly keys: KeyLease;
  readonly pages: SlotPages;
  readonly images: Images;
  readonly tenancies: Tenancies;
  readonly endingViews: EndingViews;
}

/**
 * What ends with the pool, as far as somebody wants to hear of it.
 *
 * @param own - all that lives, where that is known
 */
export function endingNow(
  { layout, records, counters, tenancies }: ClosingParts,
  own?: readonly number[],
): Ended[] {
  const owners = new Map<number, Tenancy>();
  for (const tenancy of tenancies.limited) {
    for (const { slot } of tenancies.leasesOf(tenancy)) owners.set(slot, tenancy);
  }
  const wanted = onFree.hasSubscribers && counters.own('liveMemories') > 0 ? layout.numSlots : 0;
  const all = () => own ?? Array.from({ length: wanted }, (_, slot) => slot);
  const slots = wanted === 0 ? [...owners.keys()] : all();
  return slots
    .filter((slot) => records.isLive(slot))
    .map((slot) => ({
      tenancy: owners.get(slot),
      slot,
      stripe: slot % layout.numStripes,
      byteLength: records.byteLength(slot),
    }));
}

/** Ends every tenancy and all waiting without resetting anything. From here on every call of the pool says that it is closed. */
export function endAll(parts: ClosingParts, reason: () => unknown): void {
  const { layout, records, counters, views, withheld } = parts;
  if (parts.tenancies.ended) throw new PoolCorruptedError('the pool ends twice');
  parts.free.recheckAll();
  parts.tenancies.closed = true;
  parts.pages.close();
  parts.pending.endAll(reason);
  parts.endingViews.end(views.slotsInUse(), parts, (slot, left) => {
    if (left !== 'none') withheld.keep(slot, left);
  });
  parts.recycler.close();
  parts.bytes.close();
  // Records that were never written are pages that were never touched: with nobody left, none is looked at.
  const numSlots = counters.get('liveMemories') === 0 ? 0 : layout.numSlots;
  for (let slot = 0; slot < numSlots; slot++) {
    if (records.isLive(slot)) records.abandon(slot);
  }
  counters.set('liveMemories', 0);
  parts.tenancies.ended = true;
}

/**
 * Gives the slab back: what views may still reach of it when those are collected.
 *
 * @throws `SystemError` if the system does not take it; calling again tries again
 */
export function giveSlabBack({
  slab,
  keys,
  withheld,
  memory,
  images,
  tenancies,
  counters,
}: ClosingParts): void {
  const live = counters.get('liveMemories');
  // Unmapped under a tenant, the addresses may be somebody else's at once.
  if (!tenancies.closed || live > 0)
    throw new PoolCorruptedError(`the slab goes while the pool has ${live} tenants`);
  if (withheld.isEmpty) slab.close();
  else withheld.layOver();
  memory.close();
  images.clear();
  keys.dispose();
}

/** The slab of a closed pool goes when the last of its views is gone. */
export function giveSlabBackLate({ slab, withheld, tenancies }: ClosingParts): void {
  if (!withheld.isEmpty) return;
  if (!tenancies.closed) throw new PoolCorruptedError('the slab goes while the pool is open');
  try {
    slab.close();
  } catch (error) {
    // Nobody is there to be told but who listens. Closing the pool again tries again.
    reportFailure(0, error);
  }
}

/** The call that closes a pool. Where `vm`'s timeout cuts it short behind its beginning, it is finished on the next turn. */
export class ClosingCall {
  #isUnderWay = false;

  /** @param close - may be called again */
  run(pool: { readonly closed: boolean }, close: () => void): void {
    const finish = (): void => {
      if (!this.#isUnderWay || !pool.closed) return;
      try {
        close();
      } catch (error) {
        reportFailure(0, error);
      }
    };
    // First, for what is cut short does nothing more.
    void NEXT_TURN.then(finish);
    this.#isUnderWay = true;
    try {
      close();
    } finally {
      this.#isUnderWay = false;
    }
  }
}
