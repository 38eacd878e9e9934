/**
 * Walks over page tables by `PAGEMAP_SCAN` (Linux 6.7), and the write protection whose traces they find.
 *
 * Write protection is `userfaultfd` in asynchronous mode: the kernel takes a page's protection away at its first write and
 * goes on, and nobody is asked. So the pages that are not protected any more are those that were written. Ranges that
 * were never registered know no protection: what is present there was written, which is the plain scan. Up to Linux 7.2 the kernel
 * says so (PAGE_IS_WRITTEN); 7.3 says it of registered ranges only. So nobody asks for that of what may not be registered.
 */

import { release } from 'node:os';

import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import { lazily } from './lazily.js';
import { PageKind, type PageRuns } from '../page-runs.js';
import {
  get,
  isProtected,
  MAX_RUNS,
  PAGE_IS_FILE,
  PAGE_IS_PFNZERO,
  PAGE_IS_PRESENT,
  PAGE_IS_SWAPPED,
  PAGE_IS_WPALLOWED,
  PAGE_IS_WRITTEN,
  PAGE_REGION_BYTES,
  PAGEMAP_SCAN,
  PM_SCAN_ARG_BYTES,
  put,
  WORD,
} from './pagemap-scan.js';
import { openForThread } from './proc.js';

/** Protects what is reported. */
const PM_SCAN_WP_MATCHING = 1 << 0;

type Ioctl = (fd: number, request: number, argument: number) => number;

/**
 * Kernels whose fast path takes a page that was swapped out, or is being moved, for a protected one, by a bit that means something else
 * there: x86-64 of Linux 6.7, and of 6.8 up to 6.8.9 (mended by commit 2c7ad9a590d1, May 2024). Distributions mend theirs without saying
 * so; they lose the fast path, and no page.
 */
export function mistakesSwapped(release: string): boolean {
  const [major, minor] = release.split('.').map((part) => Number.parseInt(part, 10));
  return major === 6 && (minor === 7 || minor === 8);
}

/** The walks. */
export interface PageWalks {
  /** Reports what is present or swapped out and not write-protected, by kind. */
  readonly present: (address: number, byteLength: number, into: PageRuns) => void;
  /**
   * The same without pages of zeros, where no file is mapped: all is {@link PageKind.OWN}. For each page that it passes, the kernel
   * neither looks for a file nor makes a record: a third less where many are.
   */
  readonly presentOwn: (address: number, byteLength: number, into: PageRuns) => void;
  /** Reports what is in memory, write-protected or not. */
  readonly resident: (address: number, byteLength: number, into: PageRuns) => void;
  /**
   * Reports what is not write-protected, as {@link PageKind.OWN}. A fast path of the kernel (1.5 ns a page) but for some, which also
   * counts pages that are not there, where there is a page table for them and no protection.
   */
  readonly written: (address: number, byteLength: number, into: PageRuns) => void;
  /**
   * Reports own pages in memory that are write-protected, as {@link PageKind.OWN}. Not those in swap: they look like pages that are
   * nowhere, of which the kernel only remembers that they are protected.
   */
  readonly unwritten: (address: number, byteLength: number, into: PageRuns) => void;
  /** Write-protects again what {@link PageWalks.written} would report. */
  readonly protect: (address: number, byteLength: number) => void;
}

const declaredIoctl = lazily<Ioctl>('int ioctl(int fd, unsigned long request, uintptr_t argument)');

/** The calls. Nothing is tried. */
export function pageWalks(kernelRelease = release()): PageWalks {
  const c = ffi();
  const ioctl = declaredIoctl();
  const pagemap = openForThread('/proc/self/pagemap');
  const words = new Uint32Array((PM_SCAN_ARG_BYTES + MAX_RUNS * PAGE_REGION_BYTES) / 4);
  const argument = c.addressOf(words.buffer);
  put(words, 0, PM_SCAN_ARG_BYTES);
  // Who asks for anything more than that is not let on the fast path.
  const returned = mistakesSwapped(kernelRelease) ? PAGE_IS_WRITTEN | PAGE_IS_SWAPPED : PAGE_IS_WRITTEN;

  // struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
  // category_anyof_mask, return_mask. max_pages stays 0, no limit, and the categories fit into lower halves.
  const walk = (address: number, byteLength: number, maxRuns: number, flags: number) => {
    const end = address + byteLength;
    const vector = maxRuns === 0 ? 0 : argument + PM_SCAN_ARG_BYTES;
    words[2] = flags;
    // The lower halves are stored modulo 2^32.
    words[4] = address;
    words[5] = address / WORD;
    words[6] = end;
    words[7] = end / WORD;
    words[10] = vector;
    words[11] = vector / WORD;
    words[12] = maxRuns;
    const count = ioctl(pagemap, PAGEMAP_SCAN, argument);
    if (count < 0) throw new SystemError(c.errno(), { syscall: 'ioctl', address, byteLength });
    return count;
  };
  const ask = (inverted: number, all: number, any: number, told: number) => {
    words[16] = inverted;
    words[18] = all;
    words[20] = any;
    words[22] = told;
  };
  const find = (address: number, byteLength: number, into: PageRuns) =>
    report(words, walk(address, byteLength, Math.min(into.starts.length, MAX_RUNS), 0), into);
  // Which of the two does not matter, and a page that was swapped out is not present.
  const there = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
  const watched = PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN;
  return {
    present(address, byteLength, into) {
      ask(0, 0, there, watched | PAGE_IS_FILE | PAGE_IS_PFNZERO);
      find(address, byteLength, into);
    },
    presentOwn(address, byteLength, into) {
      ask(PAGE_IS_PFNZERO, PAGE_IS_PFNZERO, there, watched);
      find(address, byteLength, into);
    },
    resident(address, byteLength, into) {
      ask(0, PAGE_IS_PRESENT, 0, PAGE_IS_PRESENT);
      find(address, byteLength, into);
    },
    written(address, byteLength, into) {
      ask(0, PAGE_IS_WRITTEN, 0, returned);
      find(address, byteLength, into);
    },
    unwritten(address, byteLength, into) {
      const others = PAGE_IS_WRITTEN | PAGE_IS_FILE | PAGE_IS_PFNZERO;
      ask(others, others | PAGE_IS_PRESENT, 0, 0);
      find(address, byteLength, into);
    },
    protect(address, byteLength) {
      ask(0, PAGE_IS_WRITTEN, 0, 0);
      walk(address, byteLength, 0, PM_SCAN_WP_MATCHING);
    },
  };
}

/** Takes over what a walk found. */
function report(words: Uint32Array, count: number, into: PageRuns): void {
  let reported = 0;
  const end = PM_SCAN_ARG_BYTES / 4 + count * (PAGE_REGION_BYTES / 4);
  for (let at = PM_SCAN_ARG_BYTES / 4; at < end; at += PAGE_REGION_BYTES / 4) {
    const categories = words[at + 4]!;
    if (isProtected(categories)) continue;
    into.starts[reported] = get(words, at);
    into.ends[reported] = get(words, at + 2);
    into.kinds[reported++] =
      (categories & PAGE_IS_PFNZERO) !== 0
        ? PageKind.ZERO
        : (categories & PAGE_IS_FILE) !== 0
          ? PageKind.FILE
          : PageKind.OWN;
  }
  into.count = reported;
  into.walkEnd = get(words, 8);
}
