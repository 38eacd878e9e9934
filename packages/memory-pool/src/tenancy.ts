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
