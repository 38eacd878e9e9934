/** How many stripes a pool gets, and the keys for them. */
import type { VirtualMemory } from '@guardstripe/mmap';
import { isSupported, keys, KeysExhaustedError, supportReason, type KeyLease } from '@guardstripe/mpk';
import type { ResolvedConfig } from './config.js';
import { PoolCreationError } from './errors.js';
import { planSlab } from './slab.js';

/** Keys that the hardware gives out. */
const MAX_KEYS = 15;

/**
 * Takes as many keys as the slab can use, and no more: they belong to the whole process.
 *
 * @returns the lease, without keys where the slab is not to be striped
 * @throws {@link PoolCreationError} if keys are `'enable'` and there are none
 */
export function takeKeys(config: ResolvedConfig, virtualMemory: VirtualMemory): KeyLease {
  const { memoryProtectionKeys, maxMemoryProtectionKeys } = config;
  if (memoryProtectionKeys === 'disable') return keys(0);
  if (memoryProtectionKeys === 'enable' && !isSupported()) {
    throw new PoolCreationError(
      `Cannot create a pool with memoryProtectionKeys 'enable': ${supportReason() ?? 'not supported'}`,
    );
  }
  const { numStripes } = planSlab(config, virtualMemory, Math.min(maxMemoryProtectionKeys, MAX_KEYS));
  if (numStripes === 1) return keys(0);
  try {
    const lease = keys(numStripes);
    if (lease.keys.length !== 1) return lease;
    // One key stripes nothing.
    lease.dispose();
    return keys(0);
  } catch (cause) {
    if (memoryProtectionKeys === 'auto' && cause instanceof KeysExhaustedError) return keys(0);
    throw new PoolCreationError('Cannot create a pool with protection keys: none is free', { cause });
  }
}
