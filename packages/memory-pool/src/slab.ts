/** Laying out the slab and reserving it, and saying what would fit where it does not. */
import { calculate, SlabTooLargeError, slabConstraints, type SlabLayout } from '@guardstripe/layout';
import { host, Mmap, SystemError, type HostInfo, type VirtualMemory } from '@guardstripe/mmap';
import type { ResolvedConfig } from './config.js';
import { PoolCreationError, size } from './errors.js';

/**
 * Lays out the slab that the settings ask for.
 *
 * @throws {@link PoolCreationError} if it is larger than any address space
 */
export function planSlab(config: ResolvedConfig, pageBytes: number, numKeys = 0): SlabLayout {
  try {
    return calculate(slabConstraints(config, config, numKeys, pageBytes));
  } catch (cause) {
    if (!(cause instanceof SlabTooLargeError)) throw cause;
    throw new PoolCreationError(`Cannot create a pool of ${config.totalMemories} slots: ${cause.message}`, {
      cause,
    });
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
    const fits = (numSlots: number) => {
      const smaller = planSlab({ ...config, totalMemories: numSlots }, virtualMemory.pageSize, numKeys);
      return canReserve(slabBytes(smaller, virtualMemory), virtualMemory);
    };
    throw new PoolCreationError(
      `Cannot create a pool of ${layout.numSlots} slots: the slab takes ${size(layout.totalSlabBytes)} of address ` +
        `space. The host: ${describeHost(host())}. With these settings ${largestFit(layout.numSlots, fits)} slots fit`,
      { cause },
    );
  }
}

/** A pool without slots has a slab, too: one page, so that there is an address. */
function slabBytes(layout: SlabLayout, virtualMemory: VirtualMemory): number {
  return Math.max(layout.totalSlabBytes, virtualMemory.pageSize);
}

/** Asks the system itself: no formula knows what else lies in the address space. */
function canReserve(byteLength: number, virtualMemory: VirtualMemory): boolean {
  try {
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

/** What bounds a process's address space, in one line. */
export function describeHost({
  addressBits,
  overcommit,
  addressSpaceLimitBytes,
  maxMapCount,
}: HostInfo): string {
  const limit = addressSpaceLimitBytes === undefined ? 'unlimited' : size(addressSpaceLimitBytes);
  return (
    `${addressBits} address bits, RLIMIT_AS ${limit}, overcommit ${overcommit}, ` +
    `vm.max_map_count ${maxMapCount ?? 'unknown'}`
  );
}
