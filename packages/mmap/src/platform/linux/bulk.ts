/**
 * Linux calls that take or return many ranges. Their structures live in a buffer, whose address never moves, and are
 * read and written as 32-bit halves: a 64-bit BigInt costs more than the call.
 *
 *     scan:     ├ pm_scan_arg, 96 bytes ┤ page_region[0], 24 bytes ┤ page_region[1] ┤ ...
 *     decommit: ├ iovec[0], 16 bytes ┤ iovec[1] ┤ ...
 */

import { closeDescriptor } from './files/descriptor.js';
import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import { KIND_DESCRIPTOR, NOWHERE, WHAT } from '../../process/ledger.js';
import { processState } from '../../process/process-state.js';
import { probed } from '../probe.js';
import { lazily } from './lazily.js';
import { moves } from './moves.js';
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
} from './pagemap-scan.js';
import { openForThread } from './proc.js';
import type { DirtyPages } from '../virtual-memory.js';

// x86-64 and arm64 share these numbers (asm-generic/unistd.h).
const SYS_PIDFD_OPEN = 434;
/** Stands for a descriptor of the calling thread's process (linux/pidfd.h, Linux 6.14). */
const PIDFD_SELF = -10_000;
const SYS_PROCESS_MADVISE = 440;
const MADV_DONTNEED = 4;
const IOVEC_BYTES = 16;
/** `UIO_MAXIOV`, linux/uio.h: most ranges of one call. */
const MAX_RANGES_PER_CALL = 1024;

const SCRATCH_BYTES = MAX_RANGES_PER_CALL * IOVEC_BYTES;

/** Bytes for the kernel to read and write structures in. No pages of our own: those would outlive a worker thread. */
interface Scratch {
  readonly address: number;
  readonly words: Uint32Array;
}

/** Runs a function on the address of a fresh page that can be read and written, and unmaps it. */
export type WithPage = <T>(use: (address: number, byteLength: number) => T) => T;

const pagemapIoctl = lazily<(fd: number, request: number, argument: number) => number>(
  'int ioctl(int fd, unsigned long request, uintptr_t argument)',
);
const madviseProcess = lazily<
  (call: number, fd: number, ranges: number, count: number, advice: number, flags: number) => number
>('long syscall(long number, long pidfd, uintptr_t ranges, size_t count, long advice, long flags)');
const pidfdOpen = lazily<(call: number, pid: number, flags: number) => number>(
  'long syscall(long number, long pid, long flags)',
);

type Scan = (address: number, byteLength: number, maxPages: number, into: DirtyPages) => void;
/** Returns how many bytes, from the first range on, were dropped; fewer than all is no error. */
type Decommit = (addresses: Float64Array, byteLengths: Float64Array, from: number, count: number) => number;

/** The two calls. Either is `undefined` where this kernel, or a sandbox around us, has it not; the first asking tries. */
export interface BulkCalls {
  readonly scan: () => Scan | undefined;
  readonly decommit: () => Decommit | undefined;
  readonly maxRangesPerCall: number;
}

/** The calls are tried on a page of their own. */
export function bulkCalls(withPage: WithPage): BulkCalls {
  return {
    scan: probed(() => scanner(scratch(), withPage)),
    decommit: probed(() => decommitter(scratch(), withPage)),
    maxRangesPerCall: MAX_RANGES_PER_CALL,
  };
}

function scratch(): Scratch {
  const words = new Uint32Array(SCRATCH_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  return { address: ffi().addressOf(words.buffer), words };
}

function scanner({ address: scratchAddress, words }: Scratch, withPage: WithPage): Scan {
  const c = ffi();
  const ioctl = pagemapIoctl();
  const fd = openForThread('/proc/self/pagemap');
  // struct pm_scan_arg: size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
  // category_anyof_mask, return_mask. The kernel writes walk_end only, so what never changes is put there once.
  // A page that was swapped out is not present, and its bytes are still there.
  put(words, 0, PM_SCAN_ARG_BYTES);
  put(words, 10, scratchAddress + PM_SCAN_ARG_BYTES);
  put(words, 16, PAGE_IS_FILE | PAGE_IS_PFNZERO);
  put(words, 18, PAGE_IS_FILE | PAGE_IS_PFNZERO);
  put(words, 20, PAGE_IS_PRESENT | PAGE_IS_SWAPPED);
  put(words, 22, PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN);
  const scan: Scan = (address, byteLength, maxPages, into) => {
    put(words, 4, address);
    put(words, 6, address + byteLength);
    put(words, 12, Math.min(into.starts.length, MAX_RUNS));
    put(words, 14, maxPages);
    const count = ioctl(fd, PAGEMAP_SCAN, scratchAddress);
    if (count < 0)
      throw new SystemError(c.errno(), { syscall: 'ioctl', address, byteLength, details: { maxPages } });
    let reported = 0;
    const end = PM_SCAN_ARG_BYTES / 4 + count * (PAGE_REGION_BYTES / 4);
    for (let at = PM_SCAN_ARG_BYTES / 4; at < end; at += PAGE_REGION_BYTES / 4) {
      if (isProtected(words[at + 4]!)) continue;
      into.starts[reported] = get(words, at);
      into.ends[reported++] = get(words, at + 2);
    }
    into.count = reported;
    into.walkEnd = get(words, 8);
  };
  const found = { starts: new Float64Array(1), ends: new Float64Array(1), count: 0, walkEnd: 0 };
  // A kernel whose categories mean something else must not have written pages pass for clean.
  const isRight = withPage((address, byteLength) => {
    scan(address, byteLength, 1, found);
    const before = found.count;
    moves().fillZeros(address, byteLength);
    scan(address, byteLength, 1, found);
    return before === 0 && found.count === 1;
  });
  if (!isRight) throw new Error('PAGEMAP_SCAN does not tell written pages from others');
  return scan;
}

function decommitter({ address: scratchAddress, words }: Scratch, withPage: WithPage): Decommit {
  const c = ffi();
  const processMadvise = madviseProcess();
  let pidfd = PIDFD_SELF;
  const refused = () =>
    new SystemError(c.errno(), { syscall: 'process_madvise', details: { advice: MADV_DONTNEED } });
  const decommit: Decommit = (addresses, byteLengths, from, count) => {
    for (let i = 0; i < count; i++) {
      put(words, i * 4, addresses[from + i]!);
      put(words, i * 4 + 2, byteLengths[from + i]!);
    }
    const dropped = processMadvise(SYS_PROCESS_MADVISE, pidfd, scratchAddress, count, MADV_DONTNEED, 0);
    if (dropped < 0) throw refused();
    return dropped;
  };
  const probe = () =>
    withPage((address, byteLength) => decommit(Float64Array.of(address), Float64Array.of(byteLength), 0, 1));
  try {
    probe();
  } catch {
    // Linux 6.13 makes the call, but wants a real descriptor. It stays open for as long as the thread lives.
    const own = openPidfd();
    pidfd = own.pidfd;
    try {
      probe();
    } catch (error) {
      own.close();
      throw error;
    }
  }
  return decommit;
}

/** A descriptor of the process, which the thread's ledger knows of as long as it is open: its number is somebody else's afterwards. */
function openPidfd(): { readonly pidfd: number; close(): void } {
  const ledger = processState()?.ledger;
  const entry = ledger?.claim(KIND_DESCRIPTOR) ?? NOWHERE;
  const strikeOut = (): void => {
    if (ledger === undefined) return;
    ledger.values[entry + WHAT] = 0;
    ledger.release(entry);
  };
  const pidfd = pidfdOpen()(SYS_PIDFD_OPEN, process.pid, 0);
  if (ledger !== undefined && pidfd >= 0) ledger.values[entry + WHAT] = pidfd + 1;
  if (pidfd < 0) {
    const error = new SystemError(ffi().errno(), { syscall: 'pidfd_open' });
    strikeOut();
    throw error;
  }
  return {
    pidfd,
    close() {
      try {
        closeDescriptor(pidfd);
      } finally {
        strikeOut();
      }
    },
  };
}
