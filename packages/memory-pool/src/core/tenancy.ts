/** Who holds what: a store's side and a memory's side of it. */

/** What a store is to the pool: a stripe, and the head of the list of the slots it holds. */
export interface Tenancy {
  /** Unique in the pool, from 1. */
  readonly id: number;
  readonly stripe: number;
  /** First slot of the list plus one, 0 for none. */
  head: number;
  /** Slots on the list. */
  length: number;
}

/** What a memory is to the pool: a slot, for as long as the slot's generation is this one. */
export interface Lease {
  readonly tenancy: Tenancy;
  readonly slot: number;
  readonly generation: number;
  /** Where the memory was allocated, if the pool traces that. */
  readonly trace: string | undefined;
}
