/**
 * Linux calls on pages that are mapped already: writing back, hints, locks, residency, new lengths, names. Thin, as all
 * primitives are; constants as in `linux.ts`.
 */

import { hex } from '@guardstripe/common';

import type { Advice } from '../../operations/advice.js';
import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import { accessOf, mappingsOfFile } from './access.js';
import { lazily } from './lazily.js';
import { refused } from './refused.js';
import { readProc } from './proc.js';
import type { VirtualMemory } from '../virtual-memory.js';

const MS_SYNC = 4;

const MADVISE: Readonly<Record<Advice, number>> = {
  normal: 0,
  random: 1,
  sequential: 2,
  willneed: 3,
  free: 8,
  dontfork: 10,
  dofork: 11,
  mergeable: 12,
  unmergeable: 13,
  hugepage: 14,
  nohugepage: 15,
  dontdump: 16,
  dodump: 17,
  wipeonfork: 18,
  keeponfork: 19,
  cold: 20,
  pageout: 21,
  'populate-read': 22,
  'populate-write': 23,
  collapse: 25,
};

/** By number: musl has no wrapper. x86-64 (asm/unistd_64.h), else asm-generic/unistd.h. */
const SYS_MLOCK2 = process.arch === 'x64' ? 325 : 284;
const MLOCK_ONFAULT = 1;

const MREMAP_MAYMOVE = 1;
const MREMAP_DONTUNMAP = 4;

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x2 | 0x20;
const MAP_HUGETLB = 0x4_0000;
/** The size of a huge page is passed as its logarithm, in the upper bits of the flags. */
const MAP_HUGE_SHIFT = 26;

const PR_GET_MEMORY_MERGE = 68;
const PR_SET_VMA = 0x5356_4d41;
const PR_SET_VMA_ANON_NAME = 0;
const ENOMEM = 12;
const EINVAL = 22;

type RangeCall = (address: number, byteLength: number, value: number) => number;

/** The primitives of this file. */
export type PagePrimitives = Pick<
  VirtualMemory,
  | 'sync'
  | 'syncAsync'
  | 'advise'
  | 'adviseAsync'
  | 'mergesEqualPages'
  | 'lock'
  | 'unlock'
  | 'resident'
  | 'accessOf'
  | 'mappingsOfFile'
  | 'resize'
  | 'resizeInPlace'
  | 'moveLeavingRange'
  | 'defaultHugePageBytes'
  | 'mapHugePages'
  | 'name'
>;

/** All of them. Functions are declared at their first use: most processes need few. */
export function pagePrimitives(): PagePrimitives {
  return {
    ...writeBackAndHints(),
    ...locksAndResidency(),
    ...shapes(),
    accessOf,
    mappingsOfFile: (address) => mappingsOfFile(address),
  };
}

function resizeRefused(
  errno: number,
  address: number,
  byteLength: number,
  newByteLength: number,
): SystemError {
  return refused(errno, 'mremap', address, byteLength, { 'new length': hex(newByteLength) });
}

function writeBackAndHints(): Pick<
  PagePrimitives,
  'sync' | 'syncAsync' | 'advise' | 'adviseAsync' | 'mergesEqualPages'
> {
  const prctl = lazily<(option: number, a: number, b: number, c: number, d: number) => number>(
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
  );
  const msync = lazily<RangeCall>('int msync(uintptr_t addr, size_t length, int flags)');
  const madvise = lazily<RangeCall>('int madvise(uintptr_t addr, size_t length, int advice)');
  return {
    sync(address, byteLength) {
      if (msync()(address, byteLength, MS_SYNC) !== 0)
        throw refused(ffi().errno(), 'msync', address, byteLength);
    },
    // Before Linux 6.4 it is an error, and nothing is merged unasked.
    mergesEqualPages: () => prctl()(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) === 1,
    async syncAsync(address, byteLength) {
      const { result, errno } = await ffi().callAsync(msync(), address, byteLength, MS_SYNC);
      if (result !== 0) throw refused(errno, 'msync', address, byteLength);
    },
    advise(address, byteLength, advice) {
      if (madvise()(address, byteLength, MADVISE[advice]) !== 0)
        throw refused(ffi().errno(), 'madvise', address, byteLength, { advice });
    },
    async adviseAsync(address, byteLength, advice) {
      const { result, errno } = await ffi().callAsync(madvise(), address, byteLength, MADVISE[advice]);
      if (result !== 0) throw refused(errno, 'madvise', address, byteLength, { advice });
    },
  };
}

function locksAndResidency(): Pick<PagePrimitives, 'lock' | 'unlock' | 'resident'> {
  const mlock = lazily<(address: number, byteLength: number) => number>(
    'int mlock(uintptr_t addr, size_t length)',
  );
  const mlock2 = lazily<(call: number, address: number, byteLength: number, flags: number) => number>(
    'long syscall(long number, uintptr_t addr, size_t length, unsigned int flags)',
  );
  const munlock = lazily<(address: number, byteLength: number) => number>(
    'int munlock(uintptr_t addr, size_t length)',
  );
  const mincore = lazily<(address: number, byteLength: number, into: Uint8Array) => number>(
    'int mincore(uintptr_t addr, size_t length, void *vector)',
  );
  return {
    lock(address, byteLength, onFault) {
      const failed = onFault
        ? mlock2()(SYS_MLOCK2, address, byteLength, MLOCK_ONFAULT) !== 0
        : mlock()(address, byteLength) !== 0;
      if (failed) throw refused(ffi().errno(), onFault ? 'mlock2' : 'mlock', address, byteLength);
    },
    unlock(address, byteLength) {
      if (munlock()(address, byteLength) !== 0) throw refused(ffi().errno(), 'munlock', address, byteLength);
    },
    resident(address, byteLength, into) {
      if (mincore()(address, byteLength, into) !== 0)
        throw refused(ffi().errno(), 'mincore', address, byteLength);
      keepLowBits(into);
    },
  };
}

/** The upper bits of each answer are kept for the kernel's future use. */
function keepLowBits(answers: Uint8Array): void {
  const isAligned = answers.byteOffset % 4 === 0;
  const numWords = isAligned ? Math.floor(answers.length / 4) : 0;
  const words = new Uint32Array(answers.buffer, isAligned ? answers.byteOffset : 0, numWords);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) words[i] = words[i]! & 0x0101_0101;
  for (let page = numWords * 4; page < answers.length; page++) answers[page] = answers[page]! & 1;
}

function shapes(): Pick<
  PagePrimitives,
  'resize' | 'resizeInPlace' | 'moveLeavingRange' | 'defaultHugePageBytes' | 'mapHugePages' | 'name'
> {
  // The fifth argument is read only with the flags that need it; where it is read, it must be whole pages.
  const mremap = lazily<
    (address: number, byteLength: number, newByteLength: number, flags: number, newAddress: number) => number
  >('intptr_t mremap(uintptr_t addr, size_t length, size_t new_length, int flags, uintptr_t new_addr)');
  const mmap = lazily<
    (a: number, byteLength: number, prot: number, flags: number, fd: number, o: number) => number
  >('intptr_t mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, int64_t offset)');
  const prctl = lazily<
    (option: number, what: number, address: number, length: number, name: string | null) => number
  >('int prctl(int option, unsigned long what, uintptr_t addr, size_t length, const char *name)');
  return {
    resize(address, byteLength, newByteLength) {
      const result = mremap()(address, byteLength, newByteLength, MREMAP_MAYMOVE, 0);
      if (result === -1) throw resizeRefused(ffi().errno(), address, byteLength, newByteLength);
      return result;
    },
    resizeInPlace(address, byteLength, newByteLength) {
      if (mremap()(address, byteLength, newByteLength, 0, 0) !== -1) return true;
      const errno = ffi().errno();
      if (errno === ENOMEM) return false;
      throw resizeRefused(errno, address, byteLength, newByteLength);
    },
    moveLeavingRange(address, byteLength) {
      const result = mremap()(address, byteLength, byteLength, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
      if (result === -1) throw resizeRefused(ffi().errno(), address, byteLength, byteLength);
      return result;
    },
    defaultHugePageBytes: readHugePageBytes,
    mapHugePages(byteLength, hugePageBytes) {
      const flags = MAP_PRIVATE_ANONYMOUS | MAP_HUGETLB | (Math.log2(hugePageBytes) << MAP_HUGE_SHIFT);
      const result = mmap()(0, byteLength, PROT_READ_WRITE, flags, -1, 0);
      if (result === -1)
        throw refused(ffi().errno(), 'mmap', 0, byteLength, { 'huge page': hex(hugePageBytes) });
      return result;
    },
    name(address, byteLength, name) {
      if (prctl()(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, byteLength, name) === 0) return true;
      const errno = ffi().errno();
      // What a kernel without CONFIG_ANON_VMA_NAME says; the arguments were checked one layer up.
      if (errno === EINVAL) return false;
      throw refused(errno, 'prctl', address, byteLength, { name: name ?? 'null' });
    },
  };
}

/** `Hugepagesize:    2048 kB`; absent from kernels without huge pages. */
function readHugePageBytes(): number | undefined {
  const kibibytes = /^Hugepagesize:\s+(\d+) kB/m.exec(readProc('/proc/meminfo'))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
