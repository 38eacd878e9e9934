/** Every rule that a layout must keep, in exact arithmetic and apart from how `calculate` finds it. */
import type { SlabConstraints, SlabLayout } from '../../src/index.js';

function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** Throws with the rule, the input and the output if the layout breaks one of the rules. */
export function assertLayoutInvariants(constraints: SlabConstraints, layout: SlabLayout): void {
  const rule = (name: string, holds: boolean): void => {
    if (holds) return;
    const values = JSON.stringify({ constraints, layout, totalSlabBytes: layout.totalSlabBytes }, null, 2);
    throw new Error(`A layout must keep the rule: ${name}\n${values}`);
  };
  const pageSize = constraints.pageSize ?? 4096;
  const expected = BigInt(constraints.expectedSlotBytes);
  const maxMemory = BigInt(constraints.maxMemoryBytes);
  const guard = BigInt(constraints.guardBytes);
  const slots = BigInt(layout.numSlots);
  const stripes = BigInt(layout.numStripes);
  const slot = BigInt(layout.slotBytes);
  const pre = BigInt(layout.preSlabGuardBytes);
  const post = BigInt(layout.postSlabGuardBytes);
  const total = BigInt(layout.totalSlabBytes);
  const reach = (expected > maxMemory ? expected : maxMemory) + guard;

  rule('the layout is frozen', Object.isFrozen(layout));
  for (const [name, value] of [
    ...Object.entries(layout),
    ['totalSlabBytes', layout.totalSlabBytes] as const,
  ]) {
    rule(`${name} is a safe integer, at least 0`, Number.isSafeInteger(value) && value >= 0);
    if (name.endsWith('Bytes')) rule(`${name} is whole pages`, value % pageSize === 0);
  }
  rule('slots are those asked for', layout.numSlots === constraints.numSlots);
  rule('page size is the one asked for', layout.pageSize === pageSize);
  rule('memories have the size asked for', layout.maxMemoryBytes === constraints.maxMemoryBytes);
  rule('the parts add up', total === pre + slot * slots + post);
  rule('the pre-guard is the guard or nothing', pre === (constraints.guardBeforeSlots ? guard : 0n));
  rule('a slot holds its memory', slot >= maxMemory);
  rule('a slot is not more than the reach', slot <= reach);

  rule('there is a stripe', stripes >= 1n);
  rule('one stripe, or a key for each', stripes === 1n || stripes <= BigInt(constraints.numPkeysAvailable));
  rule('one stripe, or a slot for each', stripes === 1n || stripes <= slots);
  rule('no stripes without a guard', guard > 0n || stripes === 1n);
  if (stripes > 1n) {
    rule('no more stripes than do the job', stripes <= ceilDivide(reach, maxMemory));
    // The share is rounded up to a page, so a slot wastes less than one, unless the memory itself is larger.
    rule('slots are as small as may be', slot === maxMemory || (slot - BigInt(pageSize)) * stripes < reach);
  } else {
    const striped = guard > 0n && maxMemory > 0n && slots > 1n && constraints.numPkeysAvailable > 1;
    rule('stripes are used where they can be', !striped || reach <= maxMemory);
  }

  rule(
    'the next of a stripe is slots times stripes on',
    BigInt(layout.bytesToNextStripeSlot) === slot * stripes,
  );
  rule('the next of a stripe is out of reach', slot * stripes >= reach);
  if (slots > 0n) rule('nothing can be reached behind the slab', slot + post >= reach);
  rule('the post-guard is not more than needed', post === (reach > slot ? reach - slot : 0n));

  assertStripes(rule, layout);
}

function assertStripes(rule: (name: string, holds: boolean) => void, layout: SlabLayout): void {
  const { numSlots, numStripes } = layout;
  let sum = 0;
  for (let stripe = 0; stripe < Math.min(numStripes, 100); stripe += 1) {
    const count = layout.slotsInStripe(stripe);
    sum += count;
    if (count === 0) continue;
    const last = layout.slotIndex(stripe, count - 1);
    rule('the last slot of a stripe is in the slab', last < numSlots && last + numStripes >= numSlots);
    rule('slot numbers go to stripe and index and back', layout.stripeOf(last) === stripe);
    rule('index in stripe goes back', layout.indexInStripe(last) === count - 1);
  }
  if (numStripes <= 100) rule('the stripes hold all slots', sum === numSlots);
  for (const slot of [0, 1, 2, numSlots - 2, numSlots - 1]) {
    if (slot < 0 || slot >= numSlots) continue;
    const offset = BigInt(layout.preSlabGuardBytes) + BigInt(slot) * BigInt(layout.slotBytes);
    rule(`slot ${slot} lies behind those before it`, BigInt(layout.slotOffset(slot)) === offset);
  }
}
