/** What stands out in a plan, in sentences, each with the setting to change. One function for one rule. */
import { formatBytes, formatCount } from './format-bytes.js';
import type { Plan, ResolvedHost } from './plan.js';
import type { PlanSettings } from './plan-settings.js';

/** One thing to know about a plan. */
export interface PlanAdvice {
  /** Stable name of the rule. */
  readonly code:
    | 'SLAB_DOES_NOT_FIT'
    | 'FEW_MAPPINGS'
    | 'LITTLE_MEMORY'
    | 'KEYS_GAIN_NOTHING'
    | 'KEYS_UNUSED'
    | 'NO_KEYS'
    | 'NO_GUARD'
    | 'LARGE_PAGES'
    | 'KEEPS_MUCH_RESIDENT';
  /** What is so, what follows, what to change. */
  readonly message: string;
  /** The setting that changes it, or `vm.max_map_count` of the host. */
  readonly setting: keyof PlanSettings | 'vm.max_map_count';
  readonly severity: 'error' | 'warning' | 'note';
}

/** A plan before anything was said of it. */
export type BarePlan = Omit<Plan, 'advice'>;

type Rule = (plan: BarePlan, host: ResolvedHost) => PlanAdvice | undefined;

const slabDoesNotFit: Rule = ({ fits, settings, slotsByAddressSpace, slotBytes }, host) => {
  if (fits) return undefined;
  const smaller = settings.memoryReservation > settings.maxMemorySize;
  return {
    code: 'SLAB_DOES_NOT_FIT',
    severity: 'error',
    setting: smaller ? 'memoryReservation' : 'totalMemories',
    message:
      `${formatCount(settings.totalMemories)} slots of ${formatBytes(slotBytes)} do not fit into the host's ` +
      `${formatBytes(host.addressSpaceBytes)} of address space; ${formatCount(slotsByAddressSpace)} do. Lower ` +
      `totalMemories to that, or memoryReservation and maxMemorySize${smaller ? '' : ', together,'} to what the modules need.`,
  };
};

const fewMappings: Rule = ({ settings, liveByMappings, mappingsPerMemory, boundBy }, host) => {
  if (boundBy !== 'mappings') return undefined;
  const wanted =
    settings.totalMemories * mappingsPerMemory + (host.maxMapCount - liveByMappings * mappingsPerMemory);
  return {
    code: 'FEW_MAPPINGS',
    severity: 'warning',
    setting: 'vm.max_map_count',
    message:
      `Only ${formatCount(liveByMappings)} memories can be live at once: each takes ${mappingsPerMemory} mappings, and ` +
      `vm.max_map_count is ${formatCount(host.maxMapCount)}. For all slots: sysctl -w vm.max_map_count=${wanted}.`,
  };
};

const littleMemory: Rule = ({ liveByMemory, boundBy }, host) => {
  if (boundBy !== 'memory') return undefined;
  return {
    code: 'LITTLE_MEMORY',
    severity: 'warning',
    setting: 'totalMemories',
    message: `Only ${formatCount(liveByMemory)} memories fit into ${formatBytes(host.memoryBytes)} of RAM as they are used.`,
  };
};

const keysGainNothing: Rule = ({ settings, layout, densityGain }, host) => {
  if (settings.memoryProtectionKeys === 'disable' || host.protectionKeys < 2 || densityGain >= 1.5)
    return undefined;
  return {
    code: 'KEYS_GAIN_NOTHING',
    severity: 'warning',
    setting: settings.memoryGuardSize === 0 ? 'memoryGuardSize' : 'maxMemorySize',
    message:
      settings.memoryGuardSize === 0
        ? 'Protection keys gain nothing without a guard: there is no space between memories for neighbours to fill.'
        : `Protection keys gain next to nothing: a memory may fill ${formatBytes(layout.maxMemoryBytes)} of the ` +
          `${formatBytes(settings.memoryReservation)} reserved for it, so no neighbour fits in between. Lower maxMemorySize.`,
  };
};

const keysUnused: Rule = ({ settings }, host) => {
  if (settings.memoryProtectionKeys !== 'disable' || host.protectionKeys < 2) return undefined;
  return {
    code: 'KEYS_UNUSED',
    severity: 'note',
    setting: 'memoryProtectionKeys',
    message: `The host has ${host.protectionKeys} protection keys, and the settings leave them unused.`,
  };
};

const noKeys: Rule = ({ settings }, host) => {
  if (settings.memoryProtectionKeys !== 'enable' || host.protectionKeys > 0) return undefined;
  return {
    code: 'NO_KEYS',
    severity: 'error',
    setting: 'memoryProtectionKeys',
    message:
      "The host has no protection keys, and memoryProtectionKeys 'enable' insists on them; 'auto' does not.",
  };
};

const noGuard: Rule = ({ settings }) => {
  if (settings.memoryGuardSize > 0) return undefined;
  return {
    code: 'NO_GUARD',
    severity: 'warning',
    setting: 'memoryGuardSize',
    message:
      'There is no guard behind a memory: compiled code must check every access that has a constant offset.',
  };
};

const largePages: Rule = ({ settings, layout }, host) => {
  if (host.pageSize <= 4096 || layout.maxMemoryBytes === settings.maxMemorySize) return undefined;
  return {
    code: 'LARGE_PAGES',
    severity: 'note',
    setting: 'maxMemorySize',
    message:
      `Pages of ${formatBytes(host.pageSize)}: maxMemorySize is rounded up from ${formatBytes(settings.maxMemorySize)} to ` +
      `${formatBytes(layout.maxMemoryBytes)}, and so is every memory.`,
  };
};

const keepsMuchResident: Rule = ({ settings, keptResidentBytes }, host) => {
  if (keptResidentBytes <= host.memoryBytes / 4) return undefined;
  return {
    code: 'KEEPS_MUCH_RESIDENT',
    severity: 'warning',
    setting: 'linearMemoryKeepResident',
    message:
      `Free slots may keep ${formatBytes(keptResidentBytes)} in RAM: linearMemoryKeepResident, ` +
      `${formatBytes(settings.linearMemoryKeepResident)}, in each of ${formatCount(settings.maxUnusedWarmSlots)} warm slots.`,
  };
};

const RULES: readonly Rule[] = [
  slabDoesNotFit,
  noKeys,
  fewMappings,
  littleMemory,
  keysGainNothing,
  noGuard,
  keepsMuchResident,
  largePages,
  keysUnused,
];

/** Everything that stands out, errors first. */
export function adviseOn(plan: BarePlan, host: ResolvedHost): readonly PlanAdvice[] {
  return RULES.flatMap((rule) => rule(plan, host) ?? []);
}
