/** What stands out in a plan, in sentences, each with the setting to change. One function for one rule. */
import { formatBytes, formatCount } from '@guardstripe/common';
import { DEFAULT_PAGE_SIZE } from '../defaults.js';
import { roundUpToPage } from '../page-aligned-bytes.js';
import type { BarePlan, PlanAdvice } from './answer.js';
import type { ResolvedHost } from './host.js';
import type { PlanSettings } from './defaults.js';
import type { SlabLayout } from '../slab-layout.js';

type Rule = (plan: BarePlan, host: ResolvedHost) => PlanAdvice | undefined;

const slabDoesNotFit: Rule = ({ slabFits, settings, names, layout, wantedSlabBytes }, host) => {
  if (slabFits) return undefined;
  const { totalMemories, memoryReservation, maxMemorySize } = settings;
  const slab = Number.isFinite(wantedSlabBytes) ? `, ${formatBytes(wantedSlabBytes)} in all,` : '';
  const isLimited = host.slabLimitedBy === 'RLIMIT_AS';
  const room = isLimited ? 'what RLIMIT_AS leaves' : `one piece of ${host.addressBits} address bits`;
  const reservationIsSpare = memoryReservation > maxMemorySize;
  const lower = reservationIsSpare
    ? names.memoryReservation
    : `${names.memoryReservation} and ${names.maxMemorySize}, both to what the modules need`;
  return {
    code: 'SLAB_DOES_NOT_FIT',
    severity: 'error',
    setting: isLimited ? 'RLIMIT_AS' : reservationIsSpare ? 'memoryReservation' : 'totalMemories',
    message:
      `${formatCount(totalMemories)} slots${slab} do not fit into ${room}, ${formatBytes(host.slabLimitBytes)}; ` +
      `${formatCount(layout.numSlots)} do. ${isLimited ? 'Raise the limit (ulimit -v), lower' : 'Lower'} ` +
      `${names.totalMemories} to that, or lower ${lower}.`,
  };
};

const fewMappings: Rule = ({ liveByMappings, mappingsPerMemory, mapCountForAll, layout }, host) => {
  if (liveByMappings >= layout.numSlots) return undefined;
  return {
    code: 'FEW_MAPPINGS',
    severity: 'warning',
    setting: 'vm.max_map_count',
    message:
      `Only ${formatCount(liveByMappings)} slots can be used: each takes up to ${mappingsPerMemory} mappings, also once ` +
      `it is free, and vm.max_map_count is ${formatCount(host.maxMapCount)}. For all slots: ` +
      `sysctl -w vm.max_map_count=${mapCountForAll}.`,
  };
};

const littleMemory: Rule = ({ names, liveByMemory, layout }, host) => {
  if (liveByMemory >= layout.numSlots) return undefined;
  return {
    code: 'LITTLE_MEMORY',
    severity: 'warning',
    setting: 'totalMemories',
    message:
      `Only ${formatCount(liveByMemory)} memories fit into ${formatBytes(host.memoryBytes)} of RAM as they are used: ` +
      `lower ${names.totalMemories} to that, so that the pool says no before the machine does.`,
  };
};

/** A gain below this is not worth a key. */
const WORTHWHILE_GAIN = 1.5;

const keysGainNothing: Rule = ({ settings, names, layout, densityGain }, host) => {
  if (settings.memoryProtectionKeys === 'disable' || host.protectionKeys < 2) return undefined;
  if (densityGain >= WORTHWHILE_GAIN) return undefined;
  const [setting, message] = whyNoGain(settings, names, layout);
  return { code: 'KEYS_GAIN_NOTHING', severity: 'warning', setting, message };
};

function whyNoGain(
  settings: PlanSettings,
  names: BarePlan['names'],
  layout: SlabLayout,
): [PlanAdvice['setting'], string] {
  if (settings.maxMemoryProtectionKeys < 2) {
    return [
      'maxMemoryProtectionKeys',
      `Protection keys gain nothing: stripes take at least two keys, and ${names.maxMemoryProtectionKeys} is ` +
        `${settings.maxMemoryProtectionKeys}.`,
    ];
  }
  if (settings.memoryGuardSize === 0) {
    return [
      'memoryGuardSize',
      `Protection keys gain nothing: slots are striped only where there is a guard, and ${names.memoryGuardSize} is 0.`,
    ];
  }
  const reach = `${formatBytes(settings.memoryReservation)} reserved for it and ${formatBytes(settings.memoryGuardSize)} of guard`;
  return [
    'maxMemorySize',
    `Protection keys gain next to nothing: a memory may fill ${formatBytes(layout.maxMemoryBytes)} of the ${reach}, so no ` +
      `neighbour fits in between. Lower ${names.maxMemorySize}.`,
  ];
}

const keysUnused: Rule = ({ settings, names, costs, layout }, host) => {
  if (settings.memoryProtectionKeys !== 'disable' || host.protectionKeys < 2) return undefined;
  const cost = costs.find(({ setting }) => setting === 'memoryProtectionKeys');
  // What a worthwhile gain saves of the slab.
  const worthwhileBytes = layout.totalSlabBytes * (1 - 1 / WORTHWHILE_GAIN);
  if (cost === undefined || cost.savedBytes < worthwhileBytes) return undefined;
  return {
    code: 'KEYS_UNUSED',
    severity: 'note',
    setting: 'memoryProtectionKeys',
    message:
      `Because of ${names.memoryProtectionKeys} the host's ${host.protectionKeys} protection keys are unused. With them the slab would be ` +
      `${formatBytes(cost.savedBytes)} smaller, and ${formatCount(cost.slotsByAddressSpace)} slots would fit.`,
  };
};

const noKeys: Rule = ({ settings, names }, host) => {
  if (settings.memoryProtectionKeys !== 'enable' || host.protectionKeys > 0) return undefined;
  return {
    code: 'NO_KEYS',
    severity: 'error',
    setting: 'memoryProtectionKeys',
    message: `The host has no protection keys, and ${names.memoryProtectionKeys} 'enable' insists on them; 'auto' does not.`,
  };
};

const noGuard: Rule = ({ settings, names }) => {
  if (settings.memoryGuardSize > 0) return undefined;
  return {
    code: 'NO_GUARD',
    severity: 'warning',
    setting: 'memoryGuardSize',
    message:
      `There is no guard behind a memory (${names.memoryGuardSize} is 0): compiled code must check every access that has a ` +
      'constant offset.',
  };
};

const largePages: Rule = ({ settings, names }, host) => {
  const { maxMemorySize, memoryReservation, memoryGuardSize, linearMemoryKeepResident } = settings;
  const sizes = { maxMemorySize, memoryReservation, memoryGuardSize, linearMemoryKeepResident };
  const rounded = Object.entries(sizes).filter(([, bytes]) => bytes % host.pageSize !== 0);
  const [first] = rounded;
  if (host.pageSize <= DEFAULT_PAGE_SIZE || first === undefined) return undefined;
  const changes = rounded.map(
    ([name, bytes]) =>
      `${names[name as keyof typeof sizes]} from ${formatBytes(bytes)} to ${formatBytes(roundUpToPage(bytes, host.pageSize))}`,
  );
  return {
    code: 'LARGE_PAGES',
    severity: 'note',
    setting: first[0] as keyof typeof sizes,
    message: `The host's pages have ${formatBytes(host.pageSize)}, and sizes are rounded up to them: ${changes.join(', ')}.`,
  };
};

const keepsMuchResident: Rule = ({ settings, names, keptResidentBytes }, host) => {
  if (keptResidentBytes <= host.memoryBytes / 4) return undefined;
  const kept = `After a peak, free slots may keep ${formatBytes(keptResidentBytes)} of the ${formatBytes(host.memoryBytes)} of RAM: `;
  const isBounded = keptResidentBytes === settings.maxUnusedBytesResident;
  return {
    code: 'KEEPS_MUCH_RESIDENT',
    severity: 'warning',
    setting: isBounded ? 'maxUnusedBytesResident' : 'linearMemoryKeepResident',
    message:
      kept +
      (isBounded
        ? `as much as ${names.maxUnusedBytesResident} lets all of them together. Lower it.`
        : `${names.linearMemoryKeepResident}, ${formatBytes(settings.linearMemoryKeepResident)}, in each slot that was used. ` +
          `Lower it; ${names.maxUnusedWarmSlots} does not bound it.`),
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
