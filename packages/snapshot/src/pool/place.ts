/** One instance of a pool, and what is to be done with it. */
import type { Member } from './member.js';

/**
 * - `'idle'`: waits for a user.
 * - `'leased'`: somebody has it.
 * - `'returning'`: its user is through with it. If it is not given up, it is to be taken back to where it began.
 * - `'discarding'`: nobody gets it any more. What it holds is to be given back, and `onDiscard` to be told.
 * - `'ending'`: the pool was closed. What it holds is to be given back.
 * - `'gone'`: nothing is left to do.
 */
type PlaceState = 'idle' | 'leased' | 'returning' | 'discarding' | 'ending' | 'gone';

/** Why an instance is given up. */
export interface Discard {
  readonly reason: unknown;
}

/** The right to use an instance: what a lease and its pool know of one another. */
export interface Hold<T> {
  readonly place: Place<T>;
  /** Until the lease ends. Changed together with the place's state. */
  isHeld: boolean;
}

/**
 * A call can be cut off wherever it calls a function or goes round a loop: by `timeout` of `node:vm`, which runs no `finally`, and by the
 * end of the stack. So a step is noted by assignments alone, one beside the other, and whoever comes next goes on from what is noted.
 */
export class Place<T> {
  readonly member: Member<T>;
  state: PlaceState = 'idle';
  discard: Discard | undefined;

  constructor(member: Member<T>) {
    this.member = member;
  }
}
