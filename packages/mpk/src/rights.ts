/**
 * Which keys this thread has opened or closed for good while a switch was on its way: what the switch puts back must not undo that.
 */
import { NUM_HARDWARE_KEYS, rightsOf } from './pkru.js';
import type { Taken } from './registry/key-registry.js';

/** By key, the number of the change that was its last. */
const changedAt = new Int32Array(NUM_HARDWARE_KEYS);
let changes = 0;

/** How many changes there were. */
export function rightsChanges(): number {
  return changes;
}

/** Notes that keys were opened or closed for the calling thread, to stay so. */
export function noteRightsChanged(keys: readonly Taken[]): void {
  changes = (changes + 1) | 0;
  for (const { id } of keys) changedAt[id] = changes;
}

/** Of `bits`, those of keys that were not changed since there were so many changes. */
export function unchangedSince(before: number, bits: number): number {
  if (changes === before) return bits;
  let same = bits;
  for (const [id, change] of changedAt.entries()) if (((change - before) | 0) > 0) same &= ~rightsOf(id);
  return same >>> 0;
}
