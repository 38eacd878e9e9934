/**
 * Linux. Constants are those of the kernel's generic ABI (`include/uapi/asm-generic`), which x86-64 and arm64 share;
 * other architectures number some of them differently and are not accepted by {@link platform}.
 */

import { hex } from '@guardstripe/common';
import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import { closeDescriptor } from './files/descriptor.js';
import { bulkCalls, type BulkCalls, type WithPage } from './bulk.js';
import { createSealedFile } from './files/memory-file.js';
import { copyPrimitives } from './copy.js';
import { declareAllInWorkers } from './lazily.js';
import { filePrimitives } from './files/mapped-file.js';
import { guardPrimitives } from './guard.js';
import { pagePrimitives } from './pages.js';
import { refused } from './refused.js';
import { restorePrimitives } from './restoring.js';
import { sharedFilePrimitives } from './files/shared-file.js';
import type { Access, Sharing, VirtualMemory } from '../virtual-memory.js';

const PROTECTION: Readonly<Record<Access, number>> = {
  none: 0,
  read: 1, // PROT_READ
  'read-write': 3, // PROT_READ | PROT_WRITE
  'read-execute': 5, // PROT_READ | PROT_EXEC
};

const MAP_SHARED = 0x1;
const MAP_PRIVATE = 0x2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
/** Address space alone is not to count against the commit limit; pages do when they are touched. */
const MAP_NORESERVE = 0x4000;

const MADV_DONTNEED = 4;

/** `pkey_mprotect` (asm/unistd_64.h; asm-generic/unistd.h for arm64). */
const SYS_PKEY_MPROTECT = process.arch === 'x64' ? 329 : 288;

const SC_PAGESIZE = 30;
/** What the kernel answers to an `ioctl` that it does not know. */
const ENOTTY = 25;

type AddressCall = (address: number, byteLength: number) => number;
type RangeCall = (address: number, byteLength: number, value: number) => number;
type MmapCall = (
  address: number,
  byteLength: number,
  protection: number,
  flags: number,
  fd: number,
  fileOffset: number,
) => number;

/** The declared functions, and what to make of their results. */
interface Calls {
  readonly pageSize: number;
  readonly map: MmapCall;
  readonly munmap: AddressCall;
  readonly mprotect: RangeCall;
  readonly pkeyMprotect: (
    call: number,
    address: number,
    byteLength: number,
    protection: number,
    key: number,
  ) => number;
  readonly madvise: RangeCall;
}

function declareCalls(): Calls {
  const c = ffi();
  const sysconf = c.declare<(name: number) => number>('long sysconf(int name)');
  const mmap = c.declare<MmapCall>(
    'intptr_t mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, int64_t offset)',
  );
  return {
    pageSize: sysconf(SC_PAGESIZE),
    map(address, byteLength, prot, flags, fd, offset) {
      const result = mmap(address, byteLength, prot, flags, fd, offset);
      if (result === -1) {
        const errno = c.errno();
        const details = { prot: hex(prot), flags: hex(flags), fd, offset: hex(offset) };
        throw refused(errno, 'mmap', address, byteLength, details);
      }
      // By its type: koffi makes a BigInt of what is not safe. Calls are places where a worker may be stopped, even this one
      // (Number.isSafeInteger), and the address would be lost.
      if (typeof result !== 'number') {
        throw new RangeError(`mmap returned the address ${String(result)}, which a number cannot hold`);
      }
      return result;
    },
    munmap: c.declare<AddressCall>('int munmap(uintptr_t addr, size_t length)'),
    mprotect: c.declare<RangeCall>('int mprotect(uintptr_t addr, size_t length, int prot)'),
    // By number: musl has no wrapper.
    pkeyMprotect: c.declare<Calls['pkeyMprotect']>(
      'long syscall(long number, uintptr_t addr, size_t length, int prot, int key)',
    ),
    madvise: c.declare<RangeCall>('int madvise(uintptr_t addr, size_t length, int advice)'),
  };
}

/** Builds the primitives. Throws {@link FfiUnavailableError} where koffi cannot be loaded. */
export function linux(): VirtualMemory {
  const { pageSize, map, munmap, mprotect, pkeyMprotect, madvise } = declareCalls();
  const withPage = withPageOf(pageSize, map, munmap);
  const bulk = bulkCalls(withPage);
  const { canWatch, ...restoring } = restorePrimitives(withPage);
  const { canGuard, ...guarding } = guardPrimitives(withPage);
  const files = { ...filePrimitives(), ...sharedFilePrimitives() };
  const primitives = { ...pagePrimitives(), ...copyPrimitives(), ...files, ...restoring, ...guarding };
  declareAllInWorkers();

  return {
    ...primitives,
    pageSize,
    reserve: (byteLength) =>
      map(0, byteLength, PROTECTION.none, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
    mapZeros(address, byteLength, access) {
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
      map(address, byteLength, PROTECTION[access], flags, -1, 0);
    },
    mapFile(fd, fileOffset, address, byteLength, access, sharing: Sharing) {
      const flags = (sharing === 'shared' ? MAP_SHARED : MAP_PRIVATE) | (address === 0 ? 0 : MAP_FIXED);
      return map(address, byteLength, PROTECTION[access], flags, fd, fileOffset);
    },
    unmap(address, byteLength) {
      if (munmap(address, byteLength) !== 0) throw refused(ffi().errno(), 'munmap', address, byteLength);
    },
    protect(address, byteLength, access) {
      const prot = PROTECTION[access];
      if (mprotect(address, byteLength, prot) !== 0) {
        throw refused(ffi().errno(), 'mprotect', address, byteLength, { prot: hex(prot) });
      }
    },
    protectWithKey(address, byteLength, access, key) {
      const prot = PROTECTION[access];
      if (pkeyMprotect(SYS_PKEY_MPROTECT, address, byteLength, prot, key) !== 0) {
        throw refused(ffi().errno(), 'pkey_mprotect', address, byteLength, { prot: hex(prot), key });
      }
    },
    decommit(address, byteLength) {
      if (madvise(address, byteLength, MADV_DONTNEED) !== 0) {
        throw refused(ffi().errno(), 'madvise', address, byteLength, { advice: MADV_DONTNEED });
      }
    },
    decommitMany(addresses, byteLengths, count) {
      let done = dropRanges(bulk, addresses, byteLengths, count);
      for (; done < count; done++) this.decommit(addresses[done]!, byteLengths[done]!);
    },
    get decommitsManyInOneCall() {
      return bulk.decommit() !== undefined;
    },
    get canScanDirtyPages() {
      return bulk.scan() !== undefined;
    },
    scanDirtyPages: (address, byteLength, maxPages, into) =>
      (bulk.scan() ?? noScan)(address, byteLength, maxPages, into),
    get canGuardPages() {
      return canGuard();
    },
    get canWatchWrites() {
      return canWatch();
    },
    createImage: (bytes, name) => createSealedFile(bytes, name, pageSize),
    closeFile: closeDescriptor,
  };
}

function withPageOf(pageSize: number, map: MmapCall, munmap: AddressCall): WithPage {
  return (use) => {
    const address = map(0, pageSize, PROTECTION['read-write'], MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    try {
      return use(address, pageSize);
    } finally {
      munmap(address, pageSize);
    }
  };
}

/** For a kernel without `PAGEMAP_SCAN`. */
function noScan(address: number, byteLength: number): never {
  throw new SystemError(ENOTTY, { syscall: 'ioctl', address, byteLength });
}

/** Drops ranges by bulk calls as far as those go; returns how many, from the first on, are done. */
function dropRanges(
  bulk: BulkCalls,
  addresses: Float64Array,
  byteLengths: Float64Array,
  count: number,
): number {
  const decommit = bulk.decommit();
  if (decommit === undefined) return 0;
  let done = 0;
  while (done < count) {
    const end = Math.min(done + bulk.maxRangesPerCall, count);
    let droppedBytes = decommit(addresses, byteLengths, done, end - done);
    // A short count is no error and does not say why: the ranges that were not done whole are left to the caller.
    while (done < end && droppedBytes >= byteLengths[done]!) {
      droppedBytes -= byteLengths[done]!;
      done += 1;
    }
    if (done < end) break;
  }
  return done;
}
