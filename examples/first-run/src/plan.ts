/** The pool that this host has room for, before anything is reserved. */
import { calculate, slabConstraints, type SlabLayout } from '@guardstripe/layout';
import type { MemoryPoolConfig } from '@guardstripe/memory-pool';
import type { HostInfo } from '@guardstripe/mmap';
import { addressSpaceBytes, largestGapBytes } from './process-memory.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** What limits a number: of slots, or of memories live at once. */
export type Bound = '--slots' | 'address space' | 'vm.max_map_count' | 'RAM' | 'commit limit';

export interface Plan {
  readonly config: MemoryPoolConfig;
  readonly layout: SlabLayout;
  readonly slots: number;
  /** Why not more. */
  readonly bound: Bound;
}

/** What compiled code relies on, as Wasmtime's defaults have it: no bounds check for any 32-bit address. */
const RESERVATION = { memoryReservation: 4 * GIB, memoryGuardSize: 32 * MIB };
/** No module of the demo needs more, and a file that does is refused rather than compared for minutes. */
const MAX_MEMORY_BYTES = 512 * MIB;
const MAX_MEMORIES_PER_MODULE = 8;

/** Of the largest hole in the address space: half of it is in small ones, which are V8's for memories of its own. */
const SLAB_SHARE_OF_GAP = 0.98;
/** Of what a limit leaves: V8 reserves 10 GiB for each memory that it makes. */
const SLAB_SHARE_OF_LIMIT = 0.5;
/** An accessible part and the rest of its slot: no memory has fewer mappings. */
const MIN_MAPPINGS_PER_MEMORY = 2;
/** Mappings left to V8, whose collector and compiler fail hard when there are none. */
export const SPARE_MAPPINGS = 4000;

export function makePlan(host: HostInfo, wantedSlots: number | undefined, usedMappings: number): Plan {
  const { slots, bound } = chooseSlots(host, wantedSlots, usedMappings);
  const config: MemoryPoolConfig = {
    ...RESERVATION,
    totalMemories: slots,
    maxMemoriesPerModule: MAX_MEMORIES_PER_MODULE,
    maxMemorySize: MAX_MEMORY_BYTES,
    memoryProtectionKeys: 'disable',
  };
  return { config, layout: layoutOf(host, slots), slots, bound };
}

function layoutOf(host: HostInfo, totalMemories: number): SlabLayout {
  const limits = { totalMemories, maxMemorySize: MAX_MEMORY_BYTES };
  return calculate(slabConstraints(limits, RESERVATION, 0, host.pageSize));
}

function chooseSlots(
  host: HostInfo,
  wantedSlots: number | undefined,
  usedMappings: number,
): { slots: number; bound: Bound } {
  if (wantedSlots !== undefined) return { slots: wantedSlots, bound: '--slots' };
  const addressSpace = Math.min(
    largestGapBytes() * SLAB_SHARE_OF_GAP,
    ((host.addressSpaceLimitBytes ?? Number.POSITIVE_INFINITY) - addressSpaceBytes()) * SLAB_SHARE_OF_LIMIT,
  );
  const byAddressSpace = Math.floor(addressSpace / layoutOf(host, 1).slotBytes) - 1;
  const byMappings = Math.floor(mappingBudget(host, usedMappings) / MIN_MAPPINGS_PER_MEMORY);
  return byAddressSpace <= byMappings
    ? { slots: Math.max(byAddressSpace, 3), bound: 'address space' }
    : { slots: Math.max(byMappings, 3), bound: 'vm.max_map_count' };
}

/** Mappings that memories may take, all together. */
export function mappingBudget(host: HostInfo, usedMappings: number): number {
  return Math.max((host.maxMapCount ?? Number.POSITIVE_INFINITY) - usedMappings - SPARE_MAPPINGS, 0);
}
