/** What a slab has to satisfy, and how a runtime's settings become that. */
import {
  bytesOutOfRange,
  checkBoolean,
  checkInteger,
  checkObject,
  parseBytes,
  size,
} from '@guardstripe/common';
import { DEFAULT_PAGE_SIZE, type Size } from './defaults.js';
import { roundUpToPage, type PageAlignedBytes } from './page-aligned-bytes.js';

/** What a slab has to satisfy. All byte counts are safe integers, at least 0, and multiples of the page size. */
export interface SlabConstraints {
  /** Bytes that compiled code takes to be reserved from the start of a memory, whatever its size. */
  readonly expectedSlotBytes: number;
  /** Most bytes of one memory that are ever accessible. */
  readonly maxMemoryBytes: number;
  /** How many memories the slab holds; a safe integer, at least 0. */
  readonly numSlots: number;
  /** How many protection keys there are for striping; 0 or 1 means no stripes. */
  readonly numPkeysAvailable: number;
  /** Bytes behind the reservation that must fault, too. */
  readonly guardBytes: number;
  /** Whether the same guard stands before the first slot. */
  readonly guardBeforeSlots: boolean;
  /** The host's page size in bytes; a power of two from 4 KiB to 1 GiB. Default 4096. */
  readonly pageSize?: number;
}

/** {@link SlabConstraints} whose byte counts are known to be whole pages, as {@link slabConstraints} makes them. */
export interface PageAlignedConstraints extends SlabConstraints {
  readonly expectedSlotBytes: PageAlignedBytes;
  readonly maxMemoryBytes: PageAlignedBytes;
  readonly guardBytes: PageAlignedBytes;
  readonly pageSize: number;
}

/** The pool's limits that decide the slab. Every field may be left out; sizes are bytes, or text such as `'64MiB'`. */
export interface SlabLimits {
  /** Slots in the slab. Default 1000. */
  readonly totalMemories?: number | undefined;
  /** Most bytes of one memory that may ever be accessible; not more than `memoryReservation`. Default 4 GiB. */
  readonly maxMemorySize?: Size | undefined;
}

/** The compiler's settings that decide the slab. Every field may be left out; sizes are bytes, or text such as `'4GiB'`. */
export interface SlabTunables {
  /** Bytes that compiled code takes to be reserved for a memory. Default 4 GiB. */
  readonly memoryReservation?: Size | undefined;
  /** Bytes behind the reservation that must fault. Default 32 MiB. */
  readonly memoryGuardSize?: Size | undefined;
  /** Whether the same guard stands before the first slot. Default true. */
  readonly guardBeforeLinearMemory?: boolean | undefined;
}

/** All settings that decide the slab, none left out, sizes in bytes. */
export interface SlabSettings {
  readonly totalMemories: number;
  readonly maxMemorySize: number;
  readonly memoryReservation: number;
  readonly memoryGuardSize: number;
  readonly guardBeforeLinearMemory: boolean;
}

/** The settings that hold where none are given: the ones of Wasmtime on 64-bit machines. */
export const DEFAULT_SLAB_SETTINGS: SlabSettings = Object.freeze({
  totalMemories: 1000,
  maxMemorySize: 4 * 2 ** 30,
  memoryReservation: 4 * 2 ** 30,
  memoryGuardSize: 32 * 2 ** 20,
  guardBeforeLinearMemory: true,
});

/**
 * Turns a runtime's settings into constraints for {@link calculate}: fills in the defaults and rounds every size up to
 * whole pages, as the pool does.
 *
 * @param limits - how many memories, and how large
 * @param tunables - what compiled code relies on
 * @param numPkeysAvailable - protection keys at hand; 0 for a slab without stripes
 * @param pageSize - the host's, in bytes. Default 4096
 * @throws `TypeError` (`ERR_INVALID_ARG_TYPE`) or `RangeError` (`ERR_OUT_OF_RANGE`) with the field's name and value;
 *   also where `maxMemorySize > memoryReservation`, for then a memory could grow past what the slab keeps apart for it;
 *   {@link SlabTooLargeError} if a size cannot be rounded up to a page
 */
export function slabConstraints(
  limits: SlabLimits = {},
  tunables: SlabTunables = {},
  numPkeysAvailable = 0,
  pageSize: number = DEFAULT_PAGE_SIZE,
): PageAlignedConstraints {
  checkObject(limits, 'limits');
  checkObject(tunables, 'tunables');
  checkInteger(numPkeysAvailable, 'numPkeysAvailable');
  const {
    totalMemories = DEFAULT_SLAB_SETTINGS.totalMemories,
    maxMemorySize = DEFAULT_SLAB_SETTINGS.maxMemorySize,
  } = limits;
  const {
    memoryReservation = DEFAULT_SLAB_SETTINGS.memoryReservation,
    memoryGuardSize = DEFAULT_SLAB_SETTINGS.memoryGuardSize,
    guardBeforeLinearMemory = DEFAULT_SLAB_SETTINGS.guardBeforeLinearMemory,
  } = tunables;
  const memoryBytes = parseBytes(maxMemorySize, 'maxMemorySize');
  const reservationBytes = parseBytes(memoryReservation, 'memoryReservation');
  const guardBytes = parseBytes(memoryGuardSize, 'memoryGuardSize');
  checkInteger(totalMemories, 'totalMemories');
  checkBoolean(guardBeforeLinearMemory, 'guardBeforeLinearMemory');
  const constraints: PageAlignedConstraints = {
    expectedSlotBytes: roundUpToPage(reservationBytes, pageSize, 'memoryReservation'),
    maxMemoryBytes: roundUpToPage(memoryBytes, pageSize, 'maxMemorySize'),
    numSlots: totalMemories,
    numPkeysAvailable,
    guardBytes: roundUpToPage(guardBytes, pageSize, 'memoryGuardSize'),
    guardBeforeSlots: guardBeforeLinearMemory,
    pageSize,
  };
  checkFitsReservation(memoryBytes, reservationBytes);
  return constraints;
}

/** Compares what was set, before rounding: two settings that differ are a mistake even where a page hides it. */
function checkFitsReservation(maxMemorySize: number, memoryReservation: number): void {
  if (maxMemorySize <= memoryReservation) return;
  throw bytesOutOfRange(
    'maxMemorySize',
    `at most memoryReservation, ${size(memoryReservation)}`,
    maxMemorySize,
  );
}
