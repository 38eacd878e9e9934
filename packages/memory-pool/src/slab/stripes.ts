/** How many stripes a pool gets, the keys for them, and who may touch what. */
import { MAX_PROTECTION_KEYS } from '@guardstripe/layout';
import type { VirtualMemory } from '@guardstripe/mmap';
import {
  isSupported,
  keys,
  KeysExhaustedError,
  ProtectionMask,
  supportReason,
  withMask,
  type KeyLease,
} from '@guardstripe/mpk';
import type { Feature, ResolvedConfig } from '../config.js';
import { PoolCreationError } from '../errors.js';
import { planSlab } from './slab.js';

/**
 * Takes as many keys as the slab can use, and no more: they belong to the whole process.
 *
 * @returns the lease, without keys where the slab is not to be striped
 * @throws {@link PoolCreationError} if keys are `'enable'` and fewer than two can be had
 */
export function takeKeys(config: ResolvedConfig, virtualMemory: VirtualMemory): KeyLease {
  const { memoryProtectionKeys, maxMemoryProtectionKeys } = config;
  if (memoryProtectionKeys === 'disable') return keys(0);
  if (memoryProtectionKeys === 'enable' && !isSupported()) {
    throw new PoolCreationError(
      `Cannot create a pool with memoryProtectionKeys 'enable': ${supportReason() ?? 'not supported'}`,
    );
  }
  const { numStripes } = planSlab(
    config,
    virtualMemory,
    Math.min(maxMemoryProtectionKeys, MAX_PROTECTION_KEYS),
  );
  if (numStripes === 1) return keys(0);
  const lease = takeAtMost(numStripes, memoryProtectionKeys);
  if (lease.keys.length !== 1) return lease;
  // One key stripes nothing.
  lease.dispose();
  if (memoryProtectionKeys === 'auto') return keys(0);
  throw new PoolCreationError('Cannot create a pool with protection keys: only one is free');
}

/** An empty lease where none is free and none is needed. */
function takeAtMost(max: number, feature: Feature): KeyLease {
  try {
    return keys(max);
  } catch (cause) {
    if (feature === 'auto' && cause instanceof KeysExhaustedError) return keys(0);
    throw new PoolCreationError('Cannot create a pool with protection keys: none is free', { cause });
  }
}

/** How many calls of {@link enterStripe} the thread is in, of all its pools. */
let depth = 0;

/** Runs `fn` with only the mask's stripe open. */
export function enterStripe<T>(mask: ProtectionMask, fn: () => T): T {
  depth++;
  try {
    return withMask(mask, fn);
  } finally {
    depth--;
  }
}

/** Runs what the pool itself does to slots' bytes. It must reach every stripe, also when a guest called the host back. */
export function asHost<T>(fn: () => T): T {
  return depth === 0 ? fn() : withMask(ProtectionMask.all, fn);
}
