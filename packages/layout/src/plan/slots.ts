/** How many slots fit into an address space. */
import { calculate } from '../calculate.js';
import { slabConstraints } from '../constraints.js';
import { SlabTooLargeError } from '../errors.js';
import { MAX_PROTECTION_KEYS } from '../process-bounds.js';
import type { ResolvedHost } from './host.js';
import type { PlanSettings } from './defaults.js';
import type { SlabLayout } from '../slab-layout.js';

/** Most slots that a plan counts: what Wasmtime's 32-bit counter holds. */
export const MAX_SLOTS = 2 ** 32 - 1;

/** The keys that a pool takes: as many as there are and as the settings let it. */
export function usableKeys(settings: PlanSettings, host: ResolvedHost): number {
  if (settings.memoryProtectionKeys === 'disable') return 0;
  return Math.min(host.protectionKeys, settings.maxMemoryProtectionKeys, MAX_PROTECTION_KEYS);
}

/** The slab of `numSlots` slots, as the pool lays it out. */
export function layOut(settings: PlanSettings, host: ResolvedHost, numSlots: number): SlabLayout {
  const limits = { totalMemories: numSlots, maxMemorySize: settings.maxMemorySize };
  return calculate(slabConstraints(limits, settings, usableKeys(settings, host), host.pageSize));
}

/** Bytes of that slab; `Infinity` for one beyond the safe integers, which fits nowhere. */
export function slabBytes(settings: PlanSettings, host: ResolvedHost, numSlots: number): number {
  try {
    return layOut(settings, host, numSlots).totalSlabBytes;
  } catch (error) {
    if (error instanceof SlabTooLargeError) return Infinity;
    throw error;
  }
}

/**
 * Most slots, at most `mostSlots`, whose slab fits; 0 where none does. From as many slots as there can be stripes on, each
 * slot adds the same. Below that, slots and stripes change together, and rounding to pages can make the slab of one slot more
 * the smaller one, so these few are tried.
 */
export function slotsThatFit(settings: PlanSettings, host: ResolvedHost, mostSlots: number): number {
  const { slabLimitBytes } = host;
  const fewSlots = Math.min(MAX_PROTECTION_KEYS, mostSlots);
  if (slabBytes(settings, host, fewSlots) <= slabLimitBytes) {
    const { slotBytes, totalSlabBytes } = layOut(settings, host, fewSlots);
    const moreSlots = Math.floor((slabLimitBytes - totalSlabBytes) / slotBytes);
    return fewSlots < MAX_PROTECTION_KEYS || Number.isNaN(moreSlots)
      ? mostSlots
      : Math.min(fewSlots + moreSlots, mostSlots);
  }
  for (let numSlots = fewSlots - 1; numSlots > 0; numSlots -= 1) {
    if (slabBytes(settings, host, numSlots) <= slabLimitBytes) return numSlots;
  }
  return 0;
}
