/** Who holds what: a store's side and a memory's side of it. */
import type { MemoryLimiter } from '../limiter.js';

/** What a store is to the pool: a stripe, and the head of the list of the slots it holds. Knows nothing of the store. */
export interface Tenancy {
  readonly stripe: number;
  /** First slot of the list plus one, 0 for none. */
  head: number;
  /** Slots on the list. */
  length: number;
  /** Whether the store was disposed: nothing is allocated for it any more. */
  isOver: boolean;
  /** Weakly: a limiter may know the store, which must not be kept by what is told of its end. */
  readonly limiter: WeakRef<MemoryLimiter> | undefined;
  /** Whether the leak net watches the store, or will when the turn ends. */
  watched: boolean;
  /** Where the memory in each slot was allocated, if the pool traces that. */
  readonly traces: Map<number, string> | undefined;
}

/** What a memory is to the pool: a slot, for as long as the slot's generation is this one. */
export interface Lease {
  readonly tenancy: Tenancy;
  readonly slot: number;
  readonly generation: number;
}
