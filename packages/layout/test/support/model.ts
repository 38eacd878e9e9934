/** The rules of the layout in unbounded integers: what `calculate` must give, or `null` where that is not a number. */
import type { SlabConstraints } from '../../src/index.js';

export interface ModelLayout {
  readonly numSlots: number;
  readonly slotBytes: number;
  readonly maxMemoryBytes: number;
  readonly preSlabGuardBytes: number;
  readonly postSlabGuardBytes: number;
  readonly numStripes: number;
  readonly totalSlabBytes: number;
}

const LIMIT = BigInt(Number.MAX_SAFE_INTEGER);

export function modelLayout(constraints: SlabConstraints): ModelLayout | null {
  const pageSize = BigInt(constraints.pageSize ?? 4096);
  const memory = BigInt(constraints.maxMemoryBytes);
  const expected = BigInt(constraints.expectedSlotBytes);
  const guard = BigInt(constraints.guardBytes);
  const slots = BigInt(constraints.numSlots);
  const keys = BigInt(constraints.numPkeysAvailable);
  const reach = (expected > memory ? expected : memory) + guard;
  let stripes = 1n;
  let slot = reach;
  if (guard > 0n && memory > 0n && slots > 0n && keys >= 2n) {
    const fitting = (reach + memory - 1n) / memory;
    stripes = [keys, fitting, slots].reduce((least, count) => (count < least ? count : least));
    const share = stripes * pageSize;
    slot = ((reach + share - 1n) / share) * pageSize;
    if (slot < memory) slot = memory;
  }
  const pre = constraints.guardBeforeSlots ? guard : 0n;
  const post = reach > slot ? reach - slot : 0n;
  const total = pre + slot * slots + post;
  if (reach > LIMIT || total > LIMIT) return null;
  return {
    numSlots: constraints.numSlots,
    slotBytes: Number(slot),
    maxMemoryBytes: constraints.maxMemoryBytes,
    preSlabGuardBytes: Number(pre),
    postSlabGuardBytes: Number(post),
    numStripes: Number(stripes),
    totalSlabBytes: Number(total),
  };
}
