/**
 * Guard markers in page tables (`MADV_GUARD_INSTALL`, Linux 6.13): a touch of such a page is a SIGSEGV, and the mapping stays
 * one. What was tried on Linux 6.18, of private anonymous memory unless said:
 *
 * - Markers can be set before a range has access (PROT_NONE), and hold when it gets some: it never opens in between.
 * - They survive MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, `mprotect` there and back, `mremap`, and `fork`, where the
 *   child has them, too. A mapping laid over them has none. Private mappings of files take them as well (since 6.15).
 * - Setting one drops the page under it: when it is removed, the page reads zeros.
 * - MADV_POPULATE_WRITE over markers is EFAULT; the kernel itself (`read`, `process_vm_readv`) stops at them.
 * - In a huge page they split it, and it is not collapsed again (EINVAL) while they are there.
 * - Locked memory takes none (EINVAL), and locking memory with markers fails after the fact (ENOMEM).
 * - PAGEMAP_SCAN reports marked pages as swapped out (and, since 6.15, as PAGE_IS_GUARD): walk what is open only.
 * - Page tables stay: 8 bytes a page, 2 KiB a MiB.
 */

import { ffi } from '../ffi.js';
import type { VirtualMemory } from '../virtual-memory.js';
import { probed } from '../probe.js';
import type { WithPage } from './bulk.js';
import { lazily } from './lazily.js';
import { refused } from './refused.js';

// asm-generic/mman-common.h
const MADV_GUARD_INSTALL = 102;
const MADV_GUARD_REMOVE = 103;

/** The primitives of this file. */
export type GuardPrimitives = Pick<VirtualMemory, 'guardPages' | 'unguardPages'> & {
  readonly canGuard: () => boolean;
};

/** Both, tried on a page of their own when it is first asked whether they are there. */
export function guardPrimitives(withPage: WithPage): GuardPrimitives {
  const madvise = lazily<(address: number, byteLength: number, advice: number) => number>(
    'int madvise(uintptr_t addr, size_t length, int advice)',
  );
  const advise = (address: number, byteLength: number, advice: number) => {
    if (madvise()(address, byteLength, advice) !== 0)
      throw refused(ffi().errno(), 'madvise', address, byteLength, { advice });
  };
  const works = probed(() =>
    withPage((address, byteLength) => {
      advise(address, byteLength, MADV_GUARD_INSTALL);
      advise(address, byteLength, MADV_GUARD_REMOVE);
      return true;
    }),
  );
  return {
    canGuard: () => works() === true,
    guardPages: (address, byteLength) => advise(address, byteLength, MADV_GUARD_INSTALL),
    unguardPages: (address, byteLength) => advise(address, byteLength, MADV_GUARD_REMOVE),
  };
}
