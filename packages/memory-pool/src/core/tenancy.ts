/** Who holds what: a store's side and a memory's side of it. */
import type { MemoryLimiter } from '../limiter.js';
import type { SlotNotes } from '../moving/slot-notes.js';

/**
 * What became of a store.
 *
 * - `open`: takes memories.
 * - `disposed`: its memories were freed.
 * - `released`: its memories went to whoever adopts them, in whichever thread.
 */
export type TenancyState = 'open' | 'disposed' | 'released';

/** What a store is to the pool: a stripe, and the head of the list of the slots it holds. Knows nothing of the store. */
export interface Tenancy {
  readonly stripe: number;
  /** First slot of the list plus one, 0 for none. */
  head: number;
  /** Slots on the list. */
  length: number;
  /** Nothing is allocated for it any more unless it is open. */
  state: TenancyState;
  /** Weakly: a limiter may know the store, which must not be kept by what is told of its end. */
  readonly limiter: WeakRef<MemoryLimiter> | undefined;
  /** Whether the leak net watches the store, or will when the turn ends. */
  watched: boolean;
  /** What is remembered of the memory in each slot, if the pool traces allocations, or threads share it. */
  readonly notes: SlotNotes | undefined;
}

/** What a memory is to the pool: a slot, for as long as the slot's generation is this one. */
export interface Lease {
  readonly tenancy: Tenancy;
  readonly slot: number;
  readonly generation: number;
}
