/**
 * What a person who sizes a pool wants to know: how many memories this host holds, what bounds them, what each setting
 * costs, and what to change. Pure: the host is plain data, so it runs in a browser.
 */
import { checkBoolean, parseBytes, readOptions } from '@guardstripe/common';
import { roundUpToPage } from '../page-aligned-bytes.js';
import type { SlabLayout } from '../slab-layout.js';
import {
  mappingsOfGuardedSlot,
  mappingsOfSlot,
  MAX_MAPPINGS_OF_SLOT,
  usesGuardPages,
} from '../process-bounds.js';
import { adviseOn } from './advice.js';
import type { BarePlan, Plan, PlanBound, PlanUsage } from './answer.js';
import { costsOf } from './costs.js';
import { assertPlan } from './promises.js';
import { resolveHost, type PlanHost, type ResolvedHost } from './host.js';
import type { PlanSettings } from './defaults.js';
import { readLayers, type NamedSettings, type PlanInput } from './settings.js';
import { layOut, MAX_SLOTS, slabBytes, slotsThatFit } from './slots.js';

/**
 * Plans a pool for a host.
 *
 * @param settings - by our names or Wasmtime's, see {@link readSettings}
 * @param host - see {@link PlanHost}
 * @param usage - see {@link PlanUsage}
 * @throws `TypeError` or `RangeError` with the field's name and value, for what is no setting or no host; also where
 *   `maxMemorySize > memoryReservation`; `SlabTooLargeError` where not even one memory and its guard can be counted
 */
export function plan(settings: PlanInput = {}, host: PlanHost = {}, usage: PlanUsage = {}): Plan {
  return planNamed(readLayers([{ settings }]), host, usage);
}

/** Plans with settings that were read already. */
export function planNamed(named: NamedSettings, host: PlanHost, usage: PlanUsage): Plan {
  const { settings, names } = named;
  const machine = resolveHost(host, settings.embedding);
  const { hasImage, residentBytes } = readUsage(usage, machine);

  const slotsByAddressSpace = slotsThatFit(settings, machine, MAX_SLOTS);
  const layout = layOut(settings, machine, slotsThatFit(settings, machine, settings.totalMemories));
  const wantedSlabBytes = slabBytes(settings, machine, settings.totalMemories);
  const mappingsForSlots = Math.max(machine.maxMapCount - machine.mappingsLeft, 0);
  const mappingsPerMemory = mappingsPerMemoryOf(settings, machine, layout, mappingsForSlots, hasImage);
  const liveByMappings =
    mappingsPerMemory === 0 ? Infinity : Math.floor(mappingsForSlots / mappingsPerMemory);
  const liveByMemory = residentBytes === 0 ? Infinity : Math.floor(machine.memoryBytes / residentBytes);
  const { liveMemories, boundBy } = smallest([
    ['totalMemories', settings.totalMemories],
    ['address space', layout.numSlots],
    ['mappings', liveByMappings],
    ['memory', liveByMemory],
  ]);
  const bare: BarePlan = {
    settings,
    names,
    slabFits: wantedSlabBytes <= machine.slabLimitBytes,
    wantedSlabBytes,
    slabLimitBytes: machine.slabLimitBytes,
    layout,
    slotsByAddressSpace,
    liveByMappings,
    liveByMemory,
    liveMemories,
    boundBy,
    mappingsPerMemory,
    mapCountForAll: layout.numSlots * mappingsPerMemory + machine.mappingsLeft,
    densityGain: densityGain(settings, machine),
    keptResidentBytes: keptResidentBytes(settings, machine, Math.min(layout.numSlots, liveByMappings)),
    costs: costsOf(settings, machine, layout.numSlots),
  };
  assertPlan(bare);
  const advice = adviseOn(bare, machine);
  const canBeMade = advice.every(({ severity }) => severity !== 'error');
  return { ...bare, fits: canBeMade && liveMemories === settings.totalMemories, advice };
}

/** Most mappings that a memory takes. */
function mappingsPerMemoryOf(
  { guardPages }: PlanSettings,
  machine: ResolvedHost,
  { numSlots, slotBytes, numStripes }: SlabLayout,
  maxMappings: number,
  hasImage: boolean,
): number {
  const canGuard = machine.guardPages;
  if (canGuard && usesGuardPages({ setting: guardPages, canGuard, numSlots, slotBytes, maxMappings }))
    return mappingsOfGuardedSlot(1, hasImage ? 1 : 0, numStripes > 1);
  return hasImage ? MAX_MAPPINGS_OF_SLOT : mappingsOfSlot(1, 0, 0);
}

function readUsage(
  usage: PlanUsage,
  { pageSize }: ResolvedHost,
): { readonly residentBytes: number; readonly hasImage: boolean } {
  const { residentBytesPerMemory = pageSize, hasImage = true } = readOptions(
    usage,
    ['residentBytesPerMemory', 'hasImage'],
    'usage',
  );
  checkBoolean(hasImage, 'usage.hasImage');
  const name = 'usage.residentBytesPerMemory';
  return { residentBytes: roundUpToPage(parseBytes(residentBytesPerMemory, name), pageSize, name), hasImage };
}

/** A slot's share in whole pages, of the slots that were ever used, and all together as far as the settings let them. */
function keptResidentBytes(settings: PlanSettings, { pageSize }: ResolvedHost, usedSlots: number): number {
  const ofSlot = roundUpToPage(settings.linearMemoryKeepResident, pageSize, 'linearMemoryKeepResident');
  return Math.min(ofSlot * usedSlots, settings.maxUnusedBytesResident);
}

/** The first of the smallest: what the settings ask for before what the host lacks. */
function smallest(limits: readonly (readonly [PlanBound, number])[]): {
  liveMemories: number;
  boundBy: PlanBound;
} {
  const [boundBy, liveMemories] = limits.reduce((least, limit) => (limit[1] < least[1] ? limit : least));
  return { liveMemories, boundBy };
}

/** By the size of a slot: the number of slots that fit may be bounded by something else. 1 where no slot fits at all. */
function densityGain(settings: PlanSettings, machine: ResolvedHost): number {
  const plainSettings: PlanSettings = { ...settings, memoryProtectionKeys: 'disable' };
  if (![settings, plainSettings].every((one) => Number.isFinite(slabBytes(one, machine, MANY_SLOTS))))
    return 1;
  const { slotBytes } = layOut(settings, machine, MANY_SLOTS);
  return slotBytes === 0 ? 1 : layOut(plainSettings, machine, MANY_SLOTS).slotBytes / slotBytes;
}

/** More slots than there are keys. */
const MANY_SLOTS = 16;
