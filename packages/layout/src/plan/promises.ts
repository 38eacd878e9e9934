/** What a plan says must agree with itself: who sizes a machine by it has nothing to compare it with. */
import { mistake } from '../errors.js';
import type { BarePlan } from './answer.js';

/**
 * Checks a plan by what its numbers say of each other.
 *
 * @throws `Error` `ERR_LAYOUT_BROKEN`, which is a mistake of this package
 */
export function assertPlan(plan: BarePlan): void {
  const { settings, layout, slabLimitBytes, slotsByAddressSpace, liveMemories } = plan;
  const { numSlots, totalSlabBytes } = layout;
  // Where not even one slot fits, the slab is still drawn, with no slots.
  if (numSlots > 0 && totalSlabBytes > slabLimitBytes) throw broken('its slab fits the host', plan);
  if (numSlots > Math.min(settings.totalMemories, slotsByAddressSpace))
    throw broken('it has no more slots than were asked for and fit', plan);
  if (plan.slabFits !== (numSlots === settings.totalMemories && totalSlabBytes <= slabLimitBytes))
    throw broken('it has all slots if the slab fits', plan);
  if (!Number.isSafeInteger(liveMemories) || liveMemories < 0)
    throw broken('live memories can be counted', plan);
  if (liveMemories > Math.min(numSlots, plan.liveByMappings, plan.liveByMemory))
    throw broken('live memories are within every bound', plan);
  if (!Number.isSafeInteger(plan.mapCountForAll)) throw broken('mappings can be counted', plan);
  if (!(plan.densityGain > 0)) throw broken('slots have a density', plan);
  if (!(plan.keptResidentBytes >= 0 && plan.keptResidentBytes <= settings.maxUnusedBytesResident))
    throw broken('free slots keep no more than the settings let them', plan);
}

function broken(promise: string, plan: BarePlan): Error {
  return mistake(`no plan may break the promise that ${promise}: ${JSON.stringify(plan)}`);
}
