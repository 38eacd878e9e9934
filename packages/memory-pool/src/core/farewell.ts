/** Who hears of memories that ended: subscribers of the event, and the limiter of the store. */
import { onFree, type FreeEvent } from '../diagnostics.js';
import { tellFreed } from '../limiter.js';
import type { Tenancy } from './tenancy.js';

/** A memory that ended. */
export interface Ended {
  readonly tenancy: Tenancy | undefined;
  readonly slot: number;
  readonly stripe: number;
  readonly byteLength: number;
}

/**
 * Tells of a memory that ended. Last of all that its end brings about: who hears of it may do anything, close the pool included.
 */
export function sayGoodbye({ tenancy, slot, stripe, byteLength }: Ended): void {
  if (onFree.hasSubscribers) onFree.publish({ slot, stripe } satisfies FreeEvent);
  const limiter = tenancy?.limiter?.deref();
  if (limiter !== undefined) tellFreed(limiter, byteLength);
}
