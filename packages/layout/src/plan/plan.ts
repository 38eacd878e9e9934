/**
 * What a person who sizes a pool wants to know: how many memories this host holds, what bounds them, what each setting
 * costs, and what to change. Pure: the host is plain data, so it runs in a browser.
 */
import { checkBoolean, readOptions } from '@guardstripe/common';
import { roundUpToPage } from '../page-aligned-bytes.js';
import {
  mappingsForPools,
  mappingsOfSlot,
  MAPPINGS_LEFT_TO_NODE,
  MAX_MAPPINGS_OF_SLOT,
} from '../process-bounds.js';
import { adviseOn } from './advice.js';
import type { Plan, PlanBound, PlanUsage } from './answer.js';
import { costsOf } from './costs.js';
import { resolveHost, type PlanHost, type ResolvedHost } from './host.js';
import { readSettings, type PlanInput, type PlanSettings } from './settings.js';
import { layOut, MAX_SLOTS, slabBytes, slotsThatFit } from './slots.js';
import type { SlabLayout } from '../slab-layout.js';

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
  const read = readSettings(settings);
  const machine = resolveHost(host);
  const { residentBytesPerMemory = machine.pageSize, hasImage = true } = readOptions(
    usage,
    ['residentBytesPerMemory', 'hasImage'],
    'usage',
  );
  checkBoolean(hasImage, 'usage.hasImage');
  const residentBytes = roundUpToPage(
    residentBytesPerMemory,
    machine.pageSize,
    'usage.residentBytesPerMemory',
  );

  const slotsByAddressSpace = slotsThatFit(read, machine, MAX_SLOTS);
  const layout = layOut(read, machine, slotsThatFit(read, machine, read.totalMemories));
  const wantedSlabBytes = slabBytes(read, machine, read.totalMemories);
  const mappingsPerMemory = mappings(layout, hasImage);
  const liveByMappings = Math.floor(mappingsForPools(machine.maxMapCount) / mappingsPerMemory);
  const liveByMemory = residentBytes === 0 ? Infinity : Math.floor(machine.memoryBytes / residentBytes);
  const { liveMemories, boundBy } = smallest([
    ['totalMemories', read.totalMemories],
    ['address space', layout.numSlots],
    ['mappings', liveByMappings],
    ['memory', liveByMemory],
  ]);
  const keepResidentBytes = roundUpToPage(read.linearMemoryKeepResident, machine.pageSize, 'keepResident');
  const bare = {
    settings: read,
    fits: wantedSlabBytes <= machine.slabLimitBytes,
    wantedSlabBytes,
    slabLimitBytes: machine.slabLimitBytes,
    layout,
    slotsByAddressSpace,
    liveByMappings,
    liveByMemory,
    liveMemories,
    boundBy,
    mappingsPerMemory,
    mapCountForAll: layout.numSlots * mappingsPerMemory + MAPPINGS_LEFT_TO_NODE,
    densityGain: densityGain(read, machine),
    keptResidentBytes: keepResidentBytes * Math.min(layout.numSlots, liveByMappings),
    costs: costsOf(read, machine, layout.numSlots),
  };
  return { ...bare, advice: adviseOn(bare, machine) };
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

/**
 * What a slot takes at most, as {@link mappingsOfSlot} counts. In a striped slab pages that were shut again keep their key, which
 * makes them a mapping beside those that never had one; a pool meets those when it has the kernel count.
 */
function mappings(layout: SlabLayout, hasImage: boolean): number {
  const ofSlot = hasImage ? MAX_MAPPINGS_OF_SLOT : mappingsOfSlot(1, 0, 0);
  return ofSlot + (layout.numStripes > 1 ? 1 : 0);
}
