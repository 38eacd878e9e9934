/** Laying out the slab and reserving it, and saying what would fit where it does not. */
import { size } from '@guardstripe/common';
import {
  calculate,
  SlabTooLargeError,
  slabConstraints,
  usesGuardPages,
  type SlabLayout,
} from '@guardstripe/layout';
import { host, Mmap, SystemError, type VirtualMemory } from '@guardstripe/mmap';
import type { ResolvedConfig } from '../config.js';
import { PoolCreationError } from '../errors.js';
import { mappingBudget } from '../slots/mapping-budget.js';
import { describeHost } from './host-bounds.js';

/**
 * Lays out the slab that the settings ask for.
 *
 * @throws {@link PoolCreationError} if it is larger than any address space, with what {@link reserveSlab} says
 */
export function planSlab(config: ResolvedConfig, virtualMemory: VirtualMemory, numKeys = 0): SlabLayout {
  try {
    return layOut(config, virtualMemory, numKeys);
  } catch (cause) {
    if (!(cause instanceof SlabTooLargeError)) throw cause;
    throw doesNotFit(config, virtualMemory, numKeys, `its slab is too large: ${cause.message}`, cause);
  }
}

/**
 * Reserves the slab: address space only, in one call.
 *
 * @throws {@link PoolCreationError} that says what was asked, what the host has, and how many slots would fit
 */
export function reserveSlab(
  config: ResolvedConfig,
  layout: SlabLayout,
  virtualMemory: VirtualMemory,
  numKeys = 0,
): Mmap {
  try {
    return Mmap.reserve(slabBytes(layout, virtualMemory), { virtualMemory });
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw whyNotReserved(config, layout.totalSlabBytes, virtualMemory, cause, numKeys);
  }
}

/** The error for a slab that the system has no room for. */
export function whyNotReserved(
  config: ResolvedConfig,
  totalSlabBytes: number,
  virtualMemory: VirtualMemory,
  cause: SystemError,
  numKeys = 0,
): PoolCreationError {
  const asked = `its slab takes ${size(totalSlabBytes)} of address space`;
  return doesNotFit(config, virtualMemory, numKeys, asked, cause);
}

/**
 * Whether the slots are closed by guard markers.
 *
 * @throws {@link PoolCreationError} if they are to be, and the kernel has none
 */
export function decideGuardPages(
  { guardPages: setting }: ResolvedConfig,
  { numSlots, slotBytes }: SlabLayout,
  virtualMemory: VirtualMemory,
): boolean {
  if (setting === 'disable') return false;
  const maxMappings = mappingBudget().limit;
  // Most pools need none: what the host has to be asked for comes after that.
  const uses = usesGuardPages({ setting, canGuard: true, numSlots, slotBytes, maxMappings });
  if (!uses || (setting === 'auto' && host().overcommit === 'never')) return false;
  // Asked last: it is tried on a page.
  if (virtualMemory.canGuardPages) return true;
  if (setting === 'auto') return false;
  throw new PoolCreationError(
    "Cannot create a pool with guardPages 'enable': this kernel has no MADV_GUARD_INSTALL (Linux 6.13 has), or a sandbox refuses it, or all memory is locked",
  );
}

function layOut(config: ResolvedConfig, virtualMemory: VirtualMemory, numKeys: number): SlabLayout {
  return calculate(slabConstraints(config, config, numKeys, virtualMemory.pageSize));
}

function doesNotFit(
  config: ResolvedConfig,
  virtualMemory: VirtualMemory,
  numKeys: number,
  asked: string,
  cause: Error,
): PoolCreationError {
  const { totalMemories } = config;
  const fits = (numSlots: number) =>
    canReserve({ ...config, totalMemories: numSlots }, virtualMemory, numKeys);
  return new PoolCreationError(
    `Cannot create a pool of ${totalMemories} slots: ${asked}. The host has ${describeHost()}. ` +
      `With these settings ${largestFit(totalMemories, fits)} slots fit`,
    { cause },
  );
}

/** A pool without slots has a slab, too: one page, so that there is an address. */
function slabBytes(layout: SlabLayout, virtualMemory: VirtualMemory): number {
  return Math.max(layout.totalSlabBytes, virtualMemory.pageSize);
}

/** Asks the system itself: no formula knows what else lies in the address space. */
function canReserve(config: ResolvedConfig, virtualMemory: VirtualMemory, numKeys: number): boolean {
  try {
    const byteLength = slabBytes(layOut(config, virtualMemory, numKeys), virtualMemory);
    virtualMemory.unmap(virtualMemory.reserve(byteLength), byteLength);
    return true;
  } catch {
    return false;
  }
}

function largestFit(tooMany: number, fits: (numSlots: number) => boolean): number {
  let most = 0;
  let least = tooMany;
  while (least - most > 1) {
    const middle = Math.floor((most + least) / 2);
    if (fits(middle)) most = middle;
    else least = middle;
  }
  return most;
}
