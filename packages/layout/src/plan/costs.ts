/** What each setting costs, told by leaving it out: the same slots without it, and how many would fit then. */
import type { ResolvedHost } from './host.js';
import type { PlanSettings } from './defaults.js';
import { MAX_SLOTS, slabBytes, slotsThatFit } from './slots.js';

/** What would be if one setting were as cheap as it can be. */
export interface SettingCost {
  /** The setting. */
  readonly setting: keyof PlanSettings;
  /** What it is. */
  readonly value: number | boolean | string;
  /** What it is compared with: its cheapest value. */
  readonly instead: number | boolean | string;
  /**
   * Bytes of address space that the same number of slots takes less then. Negative where the slab would grow: without a
   * guard there are no stripes.
   */
  readonly savedBytes: number;
  /** Most slots that would fit into the address space then. */
  readonly slotsByAddressSpace: number;
}

/** One for each setting that is not at its cheapest. */
export function costsOf(
  settings: PlanSettings,
  host: ResolvedHost,
  numSlots: number,
): readonly SettingCost[] {
  const cheapest: Partial<PlanSettings> = {
    memoryReservation: settings.maxMemorySize,
    memoryGuardSize: 0,
    guardBeforeLinearMemory: false,
    memoryProtectionKeys: settings.memoryProtectionKeys === 'disable' ? 'auto' : 'disable',
  };
  const slabNowBytes = slabBytes(settings, host, numSlots);
  return Object.entries(cheapest).flatMap(([name, instead]) => {
    const setting = name as keyof typeof cheapest;
    const changed = { ...settings, [setting]: instead };
    const savedBytes = slabNowBytes - slabBytes(changed, host, numSlots);
    if (settings[setting] === instead || !Number.isFinite(savedBytes)) return [];
    if (setting === 'memoryProtectionKeys' && savedBytes === 0) return [];
    const slotsByAddressSpace = slotsThatFit(changed, host, MAX_SLOTS);
    return [{ setting, value: settings[setting], instead, savedBytes, slotsByAddressSpace }];
  });
}
