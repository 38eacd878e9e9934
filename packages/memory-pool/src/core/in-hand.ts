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
import type { ViewsLeft } from '@guardstripe/mmap';
import type { Lease } from './tenancy.js';

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

/** What a thread has in hand. */
export class InHand {
  step: Step = Step.NOTHING;
  /** Taken for a tenant. */
  slot = 0;
  /** Ending. */
  lease: Lease | undefined;
  /** What its views leave. */
  left: ViewsLeft = 'none';
}
