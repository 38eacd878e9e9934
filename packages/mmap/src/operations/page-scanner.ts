/** Finding the pages of a map that were written, without reading them. */

import { checkInteger, invalidArgType, invalidArgValue, isInstance, readOptions } from '@guardstripe/common';
import type { Mapping } from '../mapping.js';
import { Mmap } from '../mmap.js';
import { mappingOf } from '../mmap-pages.js';
import { checkRuns, PageKind, pageRuns } from '../platform/page-runs.js';
import { platform } from '../platform/platform.js';
import type { DirtyPages, VirtualMemory } from '../platform/virtual-memory.js';
import type { PageRange } from './decommit-many.js';

/** Options of {@link PageScanner}. */
export interface PageScannerOptions {
  /** Runs of pages that one system call may report; more are found in further calls. At least 1. Default 256. */
  readonly maxRunsPerCall?: number;
}

/**
 * Lists pages of a map that hold bytes of their own: written since they were mapped or dropped, in memory or swapped out.
 * Untouched pages, pages that were only read, and pages of a file or image that were not written are left out.
 *
 * In a map with originals, a file's or an image's, whose pages may be merged (`advise('mergeable')`, or `PR_SET_MEMORY_MERGE`
 * for all of the process), zeros may have become the system's own page of zeros: there, pages that were only read may be
 * listed, too.
 *
 * Needs `PAGEMAP_SCAN` (Linux 6.7): {@link PageScanner.isSupported}. A scanner may be used again and again; it keeps its
 * buffers. Ranges are bytes of any alignment, and the pages that hold them are looked at whole.
 */
export class PageScanner {
  readonly #mapping: Mapping;
  readonly #found: DirtyPages;

  /** @throws `TypeError` if `map` is no {@link Mmap} or a shared map of a file, `RangeError` for options out of range. */
  constructor(map: Mmap, options: PageScannerOptions = {}) {
    if (!isInstance(map, Mmap)) throw invalidArgType('map', 'an instance of Mmap', map);
    const { maxRunsPerCall = 256 } = readOptions(options, ['maxRunsPerCall']);
    checkInteger(maxRunsPerCall, 'options.maxRunsPerCall', 1, 65_536);
    this.#mapping = mappingOf(map);
    // Its pages are the file's, written or not: the kernel would report none of them.
    if (this.#mapping.file?.sharing === 'shared')
      throw invalidArgValue('map', 'must be a map that does not share its pages with a file', map);
    const [starts, ends] = [new Float64Array(maxRunsPerCall), new Float64Array(maxRunsPerCall)];
    this.#found = { starts, ends, count: 0, walkEnd: 0 };
  }

  /** Whether this kernel can scan. */
  static isSupported(virtualMemory: VirtualMemory = platform()): boolean {
    return virtualMemory.canScanDirtyPages;
  }

  /**
   * The dirty pages of a range as runs, ascending, with neighbours joined. A run may begin before `offset` and end behind the
   * range, at page boundaries, but never outside of the map.
   *
   * @throws {@link MmapClosedError} after the map was closed.
   * @throws {@link SystemError} `ENOTTY` where the kernel cannot scan.
   */
  dirtyRanges(offset?: number, byteLength?: number): PageRange[] {
    const runs: { start: number; end: number }[] = [];
    this.#eachRun(offset, byteLength, (start, end) => {
      const last = runs.at(-1);
      if (last !== undefined && last.end === start) last.end = end;
      else runs.push({ start, end });
    });
    return runs.map(({ start, end }) => this.#mapping.rangeOf(start, end));
  }

  /** Bytes of the dirty pages of a range, counted in whole pages. Throws as {@link PageScanner.dirtyRanges}. */
  dirtyBytes(offset?: number, byteLength?: number): number {
    let dirtyBytes = 0;
    this.#eachRun(offset, byteLength, (start, end) => {
      dirtyBytes += end - start;
    });
    return dirtyBytes;
  }

  #eachRun(
    offset: number | undefined,
    byteLength: number | undefined,
    visit: (start: number, end: number) => void,
  ): void {
    const { virtualMemory } = this.#mapping;
    const pages = this.#mapping.pagesAround(offset, byteLength);
    if (this.#mapping.mistrustsZeros) {
      this.#eachOwnOrZeroRun(pages.start, pages.start + pages.byteLength, visit);
      return;
    }
    const found = this.#found;
    const end = pages.start + pages.byteLength;
    for (let at = pages.start; at < end; at = found.walkEnd) {
      // As many pages as there are: only the room for runs limits a call.
      virtualMemory.scanDirtyPages(at, end - at, (end - at) / virtualMemory.pageSize, found);
      checkRuns(found, at, end - at);
      for (let i = 0; i < found.count; i++) visit(found.starts[i]!, found.ends[i]!);
    }
  }

  #eachOwnOrZeroRun(start: number, end: number, visit: (start: number, end: number) => void): void {
    const { virtualMemory } = this.#mapping;
    const found = pageRuns(this.#found.starts.length);
    for (let at = start; at < end; at = found.walkEnd) {
      virtualMemory.scanPages(at, end - at, found);
      checkRuns(found, at, end - at);
      for (let i = 0; i < found.count; i++) {
        if (found.kinds[i] !== PageKind.FILE) visit(found.starts[i]!, found.ends[i]!);
      }
    }
  }
}
