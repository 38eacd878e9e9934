/**
 * What a person who sizes a pool wants to know: how many memories this host holds, what bounds them, what each setting
 * costs, and what to change. Pure: the host is plain data, so it runs in a browser.
 */
import { calculate } from './calculate.js';
import { checkInteger, checkObject, checkPageSize, DEFAULT_PAGE_SIZE } from './checks.js';
import { slabConstraints } from './constraints.js';
import { SlabTooLargeError } from './errors.js';
import { adviseOn, type PlanAdvice } from './plan-advice.js';
import { readSettings, type PlanSettings } from './plan-settings.js';
import type { SlabLayout } from './slab-layout.js';

/** What bounds a pool on a machine. Every field may be left out. */
export interface PlanHost {
  /** Bytes of a page. Default 4096. */
  readonly pageSize?: number | undefined;
  /** Bits of the addresses that a process may use. Default 47, x86-64 with four levels of page tables. */
  readonly addressBits?: number | undefined;
  /** Most mappings of a process: Linux's `vm.max_map_count`. Default 65,530; `undefined` in an object means no bound. */
  readonly maxMapCount?: number | undefined;
  /** Protection keys at hand. Default 0. */
  readonly protectionKeys?: number | undefined;
  /** Most bytes of address space of a process (`RLIMIT_AS`). Default no bound. */
  readonly addressSpaceLimitBytes?: number | undefined;
  /** Bytes of RAM for the pool. Default no bound. */
  readonly memoryBytes?: number | undefined;
}

/** How a memory is used, for what it costs while it lives. Every field may be left out. */
export interface PlanUsage {
  /** Bytes that a memory writes to while it lives. Default one page. */
  readonly residentBytesPerMemory?: number | undefined;
  /** Whether memories start from an image: it takes mappings of its own. Default true. */
  readonly hasImage?: boolean | undefined;
}

/** What stops the number of memories from being larger. */
export type PlanBound = 'totalMemories' | 'address space' | 'mappings' | 'memory';

/** The answer. */
export interface Plan {
  readonly settings: PlanSettings;
  /** Whether the slab of all `totalMemories` slots can be reserved here. */
  readonly fits: boolean;
  /** The slab of the largest number of slots that fits, at most `totalMemories`. */
  readonly layout: SlabLayout;
  /** Most slots that fit into the address space with these settings, whatever `totalMemories` says. */
  readonly slotsByAddressSpace: number;
  /** Most memories that the process may have mapped at once; `Infinity` without a bound. */
  readonly liveByMappings: number;
  /** Most memories whose pages fit into RAM; `Infinity` without a bound. */
  readonly liveByMemory: number;
  /** Memories that can be live at once: the smallest of the above and `totalMemories`. */
  readonly liveMemories: number;
  /** Which of them is the smallest. */
  readonly boundBy: PlanBound;
  /** Mappings that one live memory takes. */
  readonly mappingsPerMemory: number;
  /** Bytes of address space that one slot takes. */
  readonly slotBytes: number;
  /** How many times as many slots fit as without stripes; 1 without. */
  readonly densityGain: number;
  /** Bytes that freed slots may keep in RAM. */
  readonly keptResidentBytes: number;
  /** What stands out, each with the setting to change. */
  readonly advice: readonly PlanAdvice[];
}

/** The host with its defaults filled in. */
export interface ResolvedHost {
  readonly pageSize: number;
  readonly addressBits: number;
  readonly maxMapCount: number;
  readonly protectionKeys: number;
  readonly addressSpaceBytes: number;
  readonly memoryBytes: number;
}

/** Mappings of the process itself: its program, libraries, stacks and heaps. Node has about 300 with its threads. */
const OWN_MAPPINGS = 512;
/** What of the address space lies around the slab: the kernel leaves gaps, and the program lies somewhere. */
const USABLE_SHARE = 63 / 64;
/** Keys that the hardware gives out (Intel SDM, volume 3, 4.6.2: key 0 is every page's default). */
const MAX_KEYS = 15;

/**
 * Plans a pool for a host.
 *
 * @param settings - by our names or Wasmtime's, see {@link readSettings}
 * @param host - see {@link PlanHost}
 * @param usage - see {@link PlanUsage}
 * @throws `TypeError` or `RangeError` with the field's name and value, for what is no setting or no host; also where
 *   `maxMemorySize > memoryReservation`
 */
export function plan(
  settings: Readonly<Record<string, unknown>> = {},
  host: PlanHost = {},
  usage: PlanUsage = {},
): Plan {
  const read = readSettings(settings);
  const machine = resolveHost(host);
  const { residentBytesPerMemory = machine.pageSize, hasImage = true } = usage;
  checkInteger(residentBytesPerMemory, 'residentBytesPerMemory');
  const keys = usableKeys(read, machine);
  const fits = (numSlots: number) => slabBytes(read, machine, numSlots, keys) <= machine.addressSpaceBytes;

  const slotsByAddressSpace = largest(fits);
  const layout = layoutOf(read, machine, Math.min(read.totalMemories, slotsByAddressSpace), keys);
  const mappingsPerMemory = mappings(hasImage);
  const limits: readonly (readonly [PlanBound, number])[] = [
    ['totalMemories', read.totalMemories],
    ['address space', slotsByAddressSpace],
    ['mappings', Math.max(Math.floor((machine.maxMapCount - OWN_MAPPINGS) / mappingsPerMemory), 0)],
    [
      'memory',
      residentBytesPerMemory === 0 ? Infinity : Math.floor(machine.memoryBytes / residentBytesPerMemory),
    ],
  ];
  const [boundBy, liveMemories] = limits.reduce((least, limit) => (limit[1] < least[1] ? limit : least));
  const unstriped = largest((numSlots) => slabBytes(read, machine, numSlots, 0) <= machine.addressSpaceBytes);
  const answer = {
    settings: read,
    fits: read.totalMemories <= slotsByAddressSpace,
    layout,
    slotsByAddressSpace,
    liveByMappings: (limits[2] as (typeof limits)[0])[1],
    liveByMemory: (limits[3] as (typeof limits)[0])[1],
    liveMemories,
    boundBy,
    mappingsPerMemory,
    slotBytes: layout.slotBytes,
    densityGain: unstriped === 0 ? 1 : slotsByAddressSpace / unstriped,
    keptResidentBytes: read.linearMemoryKeepResident * read.maxUnusedWarmSlots,
  };
  return { ...answer, advice: adviseOn(answer, machine) };
}

function resolveHost(host: PlanHost): ResolvedHost {
  checkObject(host, 'host');
  const { pageSize = DEFAULT_PAGE_SIZE, addressBits = 47, protectionKeys = 0 } = host;
  const { addressSpaceLimitBytes = Infinity, memoryBytes = Infinity } = host;
  const maxMapCount = 'maxMapCount' in host ? (host.maxMapCount ?? Infinity) : 65_530;
  checkPageSize(pageSize, 'host.pageSize');
  checkInteger(addressBits, 'host.addressBits', 20, 53);
  checkInteger(protectionKeys, 'host.protectionKeys', 0, 16);
  for (const [name, value] of Object.entries({ maxMapCount, addressSpaceLimitBytes, memoryBytes })) {
    if (value !== Infinity) checkInteger(value, `host.${name}`);
  }
  const addressSpaceBytes = Math.min(Math.floor(2 ** addressBits * USABLE_SHARE), addressSpaceLimitBytes);
  return { pageSize, addressBits, maxMapCount, protectionKeys, addressSpaceBytes, memoryBytes };
}

function usableKeys(
  { memoryProtectionKeys, maxMemoryProtectionKeys }: PlanSettings,
  machine: ResolvedHost,
): number {
  if (memoryProtectionKeys === 'disable') return 0;
  return Math.min(machine.protectionKeys, maxMemoryProtectionKeys, MAX_KEYS);
}

function layoutOf(settings: PlanSettings, machine: ResolvedHost, numSlots: number, keys: number): SlabLayout {
  const limits = { totalMemories: numSlots, maxMemorySize: settings.maxMemorySize };
  return calculate(slabConstraints(limits, settings, keys, machine.pageSize));
}

/** `Infinity` for a slab beyond the safe integers: it fits nowhere. */
function slabBytes(settings: PlanSettings, machine: ResolvedHost, numSlots: number, keys: number): number {
  try {
    return layoutOf(settings, machine, numSlots, keys).totalSlabBytes;
  } catch (error) {
    if (error instanceof SlabTooLargeError) return Infinity;
    throw error;
  }
}

/** The largest number of slots that fits, found by doubling and halving: more slots never take less. */
function largest(fits: (numSlots: number) => boolean): number {
  if (!fits(0)) return 0;
  let most = 0;
  let tooMany = 1;
  while (tooMany < 2 ** 31 && fits(tooMany)) {
    most = tooMany;
    tooMany *= 2;
  }
  while (tooMany - most > 1) {
    const middle = Math.floor((most + tooMany) / 2);
    if (fits(middle)) most = middle;
    else tooMany = middle;
  }
  return most;
}

/**
 * One mapping for what is accessible and one for what is not, up to the next slot. An image cuts the first into three:
 * zeros, image, zeros. Keys change
 * nothing: neighbours never merge, for inaccessible pages lie between them.
 */
function mappings(hasImage: boolean): number {
  return hasImage ? 4 : 2;
}
