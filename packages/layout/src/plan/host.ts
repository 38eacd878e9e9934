/** What bounds a pool on a machine: plain data with defaults, so that one machine can plan for another. */
import { checkBoolean, checkInteger, checkObject, checkPageSize, parseBytes } from '@guardstripe/common';
import { DEFAULT_PAGE_SIZE, type Size } from '../defaults.js';
import { processOf } from './embedding.js';
import type { Embedding } from './defaults.js';

/**
 * What bounds a pool on a machine. Every field may be left out; what `host()` of `@guardstripe/mmap` returns is one. Bytes are numbers or
 * sizes as text.
 */
export interface PlanHost {
  /** Bytes of a page. Default 4096. */
  readonly pageSize?: Size | undefined;
  /** Bits of the addresses that a process may use, 20 to 53. Default 47, x86-64 with four levels of page tables. */
  readonly addressBits?: number | undefined;
  /** Bytes that one reservation can have there. Default: what the embedding leaves in one piece of `2 ** addressBits`. */
  readonly largestReservationBytes?: Size | undefined;
  /** Most bytes of address space of a process (`RLIMIT_AS`). Default no bound. */
  readonly addressSpaceLimitBytes?: Size | undefined;
  /** Most mappings of a process: Linux's `vm.max_map_count`. Default 65,530; `undefined` in an object means no bound. */
  readonly maxMapCount?: number | undefined;
  /** Protection keys at hand, 0 to 16. Default 0. */
  readonly protectionKeys?: number | undefined;
  /** Bytes of RAM for the pool. Default no bound. */
  readonly memoryBytes?: Size | undefined;
  /** Whether the kernel has guard markers (`MADV_GUARD_INSTALL`, Linux 6.13) and does not count untouched pages. Default false. */
  readonly guardPages?: boolean | undefined;
}

/** The host with its defaults filled in. */
export interface ResolvedHost {
  readonly pageSize: number;
  readonly addressBits: number;
  /** Most bytes that the slab may have: the smaller of the two bounds on it. */
  readonly slabLimitBytes: number;
  /** Which of them that is. */
  readonly slabLimitedBy: 'address bits' | 'RLIMIT_AS';
  readonly maxMapCount: number;
  /** Of them, those that no slot may have. */
  readonly mappingsLeft: number;
  readonly protectionKeys: number;
  readonly memoryBytes: number;
  readonly guardPages: boolean;
}

/** `vm.max_map_count` unless somebody changed it (Linux, `DEFAULT_MAX_MAP_COUNT`: 65,535 less 5). */
export const DEFAULT_MAX_MAP_COUNT = 65_530;

/**
 * Checks a host and fills in its defaults.
 *
 * @param embedding - in what process the pool is
 * @throws `TypeError` or `RangeError` with the field's name and value
 */
export function resolveHost(host: PlanHost, embedding: Embedding): ResolvedHost {
  checkObject(host, 'host');
  const {
    pageSize: page = DEFAULT_PAGE_SIZE,
    addressBits = 47,
    protectionKeys = 0,
    guardPages = false,
  } = host;
  const pageSize = parseBytes(page, 'host.pageSize');
  checkPageSize(pageSize, 'host.pageSize');
  checkInteger(addressBits, 'host.addressBits', 20, 53);
  checkInteger(protectionKeys, 'host.protectionKeys', 0, 16);
  checkBoolean(guardPages, 'host.guardPages');
  const { largestPieceBytes, ownAddressBytes, mappingsLeft } = processOf(embedding);
  const { largestReservationBytes = largestPieceBytes(addressBits) } = host;
  const slabBytes = boundOf(largestReservationBytes, 'largestReservationBytes');
  const addressSpaceBytes = boundOf(host.addressSpaceLimitBytes, 'addressSpaceLimitBytes');
  const memoryBytes = boundOf(host.memoryBytes, 'memoryBytes');
  const { maxMapCount = 'maxMapCount' in host ? Infinity : DEFAULT_MAX_MAP_COUNT } = host;
  if (maxMapCount !== Infinity) checkInteger(maxMapCount, 'host.maxMapCount');
  const limitedBytes = Math.max(addressSpaceBytes - ownAddressBytes, 0);
  const isLimited = limitedBytes < slabBytes;
  return {
    pageSize,
    addressBits,
    // No slab has more than can be counted.
    slabLimitBytes: Math.min(limitedBytes, slabBytes, Number.MAX_SAFE_INTEGER),
    slabLimitedBy: isLimited ? 'RLIMIT_AS' : 'address bits',
    maxMapCount,
    mappingsLeft,
    protectionKeys,
    memoryBytes,
    guardPages,
  };
}

/** A size, or no bound. */
function boundOf(value: unknown, name: keyof PlanHost): number {
  return value === undefined || value === Infinity ? Infinity : parseBytes(value, `host.${name}`);
}
