/** Making maps of no file: address space, zeros, huge pages. */

import {
  bytesOutOfRange,
  checkBytes,
  checkPages,
  invalidArgValue,
  readOptions,
  size,
} from '@guardstripe/common';
import { checkVirtualMemory } from '../checks.js';
import { HugePagesUnavailableError, SystemError } from '../errors.js';
import type { MappedPages } from '../mapped-pages.js';
import { platform } from '../platform/platform.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';

/** Options of the constructors of {@link Mmap}. */
export interface MmapOptions {
  /** The platform to use. Default {@link platform}. */
  readonly virtualMemory?: VirtualMemory;
}

/** Options of {@link Mmap.anonymous}. */
export interface AnonymousOptions extends MmapOptions {
  /**
   * Map huge pages that the administrator has set aside (`MAP_HUGETLB`): of the default size if true, or of this many bytes.
   * Operations on pages then count in huge pages, and part of the last one may be left over behind `byteLength`. For
   * transparent huge pages use `advise(..., 'hugepage')`. Default false.
   */
  readonly hugePages?: boolean | number;
}

/** Reserves, and opens the front; what was reserved is given back if opening fails. */
export function mapReserved(
  name: string,
  accessibleBytes: number,
  totalBytes: number,
  options: MmapOptions,
): MappedPages {
  const { virtualMemory = platform() } = readOptions(options, ['virtualMemory']);
  checkVirtualMemory(virtualMemory);
  const { pageSize } = virtualMemory;
  checkPages(totalBytes, name, pageSize, 1);
  checkPages(accessibleBytes, 'accessibleBytes', pageSize, 0);
  if (accessibleBytes > totalBytes) {
    throw bytesOutOfRange('accessibleBytes', `at most totalBytes, ${size(totalBytes)}`, accessibleBytes);
  }
  const mapAddress = virtualMemory.reserve(totalBytes);
  if (accessibleBytes > 0) {
    try {
      virtualMemory.protect(mapAddress, accessibleBytes, 'read-write');
    } catch (error) {
      virtualMemory.unmap(mapAddress, totalBytes);
      throw error;
    }
  }
  return { virtualMemory, mapAddress, mapBytes: totalBytes, leadBytes: 0, byteLength: totalBytes };
}

/** Zeros in any number of bytes; what the last page has beyond them is mapped too. */
function mapZeros(byteLength: number, virtualMemory = platform()): MappedPages {
  checkVirtualMemory(virtualMemory);
  const { pageSize } = virtualMemory;
  checkBytes(byteLength, 'byteLength', 1, Number.MAX_SAFE_INTEGER - pageSize);
  const mapBytes = Math.ceil(byteLength / pageSize) * pageSize;
  return { ...mapReserved('byteLength', mapBytes, mapBytes, { virtualMemory }), byteLength };
}

/** Zeros on pages of the usual size, or on huge ones. */
export function mapAnonymous(byteLength: number, options: AnonymousOptions): MappedPages {
  const { hugePages = false, virtualMemory = platform() } = readOptions(options, [
    'hugePages',
    'virtualMemory',
  ]);
  if (hugePages === false) return mapZeros(byteLength, virtualMemory);
  checkVirtualMemory(virtualMemory);
  checkBytes(byteLength, 'byteLength', 1);
  const hugePageBytes = hugePageBytesOf(hugePages, virtualMemory);
  if (byteLength > Number.MAX_SAFE_INTEGER - hugePageBytes) {
    throw bytesOutOfRange('byteLength', 'a safe integer when rounded up to huge pages', byteLength);
  }
  // The kernel rounds a huge mapping up by itself, but wants the rounded length when it is unmapped.
  const mapBytes = Math.ceil(byteLength / hugePageBytes) * hugePageBytes;
  try {
    const mapAddress = virtualMemory.mapHugePages(mapBytes, hugePageBytes);
    return { virtualMemory, mapAddress, mapBytes, leadBytes: 0, byteLength, granuleBytes: hugePageBytes };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const needed = `${mapBytes / hugePageBytes} free huge pages of ${size(hugePageBytes)}`;
    throw new HugePagesUnavailableError(needed, error);
  }
}

/** Far above any processor's, and small enough that rounding up to it is a safe integer. */
const MAX_HUGE_PAGE_BYTES = 2 ** 52;

function hugePageBytesOf(asked: unknown, virtualMemory: VirtualMemory): number {
  if (asked === true) {
    const bytes = virtualMemory.defaultHugePageBytes();
    if (bytes === undefined) throw new HugePagesUnavailableError('huge pages');
    return bytes;
  }
  const isPowerOfTwo = typeof asked === 'number' && Number.isInteger(Math.log2(asked));
  if (!isPowerOfTwo || asked <= virtualMemory.pageSize || asked > MAX_HUGE_PAGE_BYTES) {
    throw invalidArgValue(
      'options.hugePages',
      'must be a boolean or a power of two above the page size',
      asked,
    );
  }
  return asked;
}
