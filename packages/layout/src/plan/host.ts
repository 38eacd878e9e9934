/** What bounds a pool on a machine: plain data with defaults, so that one machine can plan for another. */
import { checkInteger, checkObject, checkPageSize } from '@guardstripe/common';
import { DEFAULT_PAGE_SIZE } from '../defaults.js';

/** What bounds a pool on a machine. Every field may be left out; what `host()` of `@guardstripe/mmap` returns is one. */
export interface PlanHost {
  /** Bytes of a page. Default 4096. */
  readonly pageSize?: number | undefined;
  /** Bits of the addresses that a process may use, 20 to 53. Default 47, x86-64 with four levels of page tables. */
  readonly addressBits?: number | undefined;
  /** Bytes that one reservation can have there. Default: what is left in one piece of `2 ** addressBits`, see below. */
  readonly largestReservationBytes?: number | undefined;
  /** Most bytes of address space of a process (`RLIMIT_AS`). Default no bound. */
  readonly addressSpaceLimitBytes?: number | undefined;
  /** Most mappings of a process: Linux's `vm.max_map_count`. Default 65,530; `undefined` in an object means no bound. */
  readonly maxMapCount?: number | undefined;
  /** Protection keys at hand, 0 to 16. Default 0. */
  readonly protectionKeys?: number | undefined;
  /** Bytes of RAM for the pool. Default no bound. */
  readonly memoryBytes?: number | undefined;
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
  readonly protectionKeys: number;
  readonly memoryBytes: number;
}

/** `vm.max_map_count` unless somebody changed it (Linux, `DEFAULT_MAX_MAP_COUNT`: 65,535 less 5). */
export const DEFAULT_MAX_MAP_COUNT = 65_530;

/** What of `RLIMIT_AS` is gone before there is a pool: Node 24 starts with 1.2 to 1.35 GiB of address space. */
const OWN_ADDRESS_BYTES = 1.5 * 2 ** 30;

/** V8 puts its heap at random addresses below this (`0x3fff_ffff_f000` in its `GetRandomMmapAddr`). */
const V8_RANDOM_BYTES = 2 ** 46;

/** What stacks, libraries and the gaps between them may take of the piece in which the slab lies. */
const PIECE_SHARE = 63 / 64;

/**
 * Checks a host and fills in its defaults.
 *
 * @throws `TypeError` or `RangeError` with the field's name and value
 */
export function resolveHost(host: PlanHost): ResolvedHost {
  checkObject(host, 'host');
  const { pageSize = DEFAULT_PAGE_SIZE, addressBits = 47, protectionKeys = 0 } = host;
  checkPageSize(pageSize, 'host.pageSize');
  checkInteger(addressBits, 'host.addressBits', 20, 53);
  checkInteger(protectionKeys, 'host.protectionKeys', 0, 16);
  const { largestReservationBytes = largestPieceBytes(addressBits) } = host;
  const { addressSpaceLimitBytes = Infinity, memoryBytes = Infinity } = host;
  const maxMapCount =
    'maxMapCount' in host
      ? host.maxMapCount === undefined
        ? Infinity
        : host.maxMapCount
      : DEFAULT_MAX_MAP_COUNT;
  const bounds = { largestReservationBytes, addressSpaceLimitBytes, maxMapCount, memoryBytes };
  for (const [name, value] of Object.entries(bounds)) {
    if (value !== Infinity) checkInteger(value, `host.${name}`);
  }
  const limitedBytes = Math.max(addressSpaceLimitBytes - OWN_ADDRESS_BYTES, 0);
  const isLimited = limitedBytes < largestReservationBytes;
  return {
    pageSize,
    addressBits,
    // No slab has more than can be counted.
    slabLimitBytes: Math.min(limitedBytes, largestReservationBytes, Number.MAX_SAFE_INTEGER),
    slabLimitedBy: isLimited ? 'RLIMIT_AS' : 'address bits',
    maxMapCount,
    protectionKeys,
    memoryBytes,
  };
}

/**
 * A slab is one piece, and a program splits its address space. A position-independent one lies at two thirds of it
 * (Linux, `ELF_ET_DYN_BASE`); V8 strews its heap over the lowest 2^46 bytes. Measured with 47 bits: 86 TiB in Python, 63.5 to
 * 71 TiB in Node 24, of 128.
 */
function largestPieceBytes(addressBits: number): number {
  const bytes = 2 ** addressBits;
  const belowProgram = (bytes / 3) * 2;
  const aboveHeap = bytes > V8_RANDOM_BYTES ? bytes - V8_RANDOM_BYTES : bytes;
  return Math.floor(Math.min(belowProgram, aboveHeap) * PIECE_SHARE);
}
