/**
 * Finding the shared area, or making it.
 *
 * All threads try the same few addresses in the same order. `MAP_FIXED_NOREPLACE` lets exactly one of them make the area, and
 * what is mapped is a memory file whose header is written already, so nobody ever sees half of one. It is never unmapped. An
 * environment variable would do as well, but children inherit it, and `setenv` moves what other threads' `getenv` reads;
 * pages are gone with `exec`, and a child of `fork` has another process id than the header says.
 *
 * What lies at one of the addresses and is not ours is somebody else's: it is read with the kernel's help (`pwrite` fails where
 * a load would fault), never written, and the next address is tried.
 */

import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

import { SystemError } from '../errors.js';
import { ffi } from '../platform/ffi.js';
import { closeDescriptor } from '../platform/linux/files/descriptor.js';
import { createMemoryFile } from '../platform/linux/files/memory-file.js';
import { AREA_BYTES, AREA_VERSION, headerOf } from './layout.js';

const PROT_READ_WRITE = 3;
const MAP_PRIVATE = 0x2;
/** Linux 4.17; before, the address is only a wish, and what is mapped elsewhere is given back. */
const MAP_FIXED_NOREPLACE = 0x100000;
const EEXIST = 17;
/** __O_TMPFILE | O_DIRECTORY | O_RDWR: open(2) since Linux 3.11; `node:fs` has no name for the first. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY | constants.O_RDWR;

/**
 * Low, where the kernel maps nothing by itself and the largest slab does not reach, and below 2^38: some arm64 kernels have no
 * more. V8 strews its heap there by chance, hence more than one.
 */
export const AREA_ADDRESSES: readonly number[] = [
  0x0b_7000_0000, 0x13_9000_0000, 0x1c_b000_0000, 0x24_d000_0000, 0x2b_f000_0000, 0x33_1000_0000,
];

/** What the area is found and made with. */
interface Calls {
  readonly fd: number;
  readonly mmap: (
    address: number,
    byteLength: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => number;
  readonly munmap: (address: number, byteLength: number) => number;
  readonly pwrite: (fd: number, address: number, byteLength: number, offset: number) => number;
  readonly errno: () => number;
}

/** This process's area. Throws where there is none and none can be made. */
export function openArea(addresses = AREA_ADDRESSES): ArrayBuffer {
  const { fd, close } = openScratch();
  try {
    const calls = declareCalls(fd);
    // All of them first: whoever made the area may have found the first address taken that is free by now.
    const address = addresses.find((each) => isArea(calls, each)) ?? makeArea(calls, addresses);
    return ffi().view(address, AREA_BYTES);
  } finally {
    close(fd);
  }
}

/**
 * An empty file without a name. A worker has no ledger yet and may be terminated before it closes the file, so there Node opens it, and
 * closes with the thread what it opened; where there is no such folder, or `--permission` forbids it, it is a memory file as elsewhere.
 */
function openScratch(): { readonly fd: number; readonly close: (fd: number) => void } {
  if (!isMainThread) {
    try {
      return { fd: openSync('/dev/shm', O_TMPFILE, 0o600), close: closeSync };
    } catch {
      // A memory file.
    }
  }
  return { fd: createMemoryFile('guardstripe-process'), close: closeDescriptor };
}

function declareCalls(fd: number): Calls {
  const c = ffi();
  return {
    fd,
    mmap: c.declare(
      'intptr_t mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, int64_t offset)',
    ),
    munmap: c.declare('int munmap(uintptr_t addr, size_t length)'),
    pwrite: c.declare('intptr_t pwrite(int fd, uintptr_t bytes, size_t length, int64_t offset)'),
    errno: c.errno,
  };
}

function makeArea(calls: Calls, addresses: readonly number[]): number {
  for (const address of addresses) {
    // A stranger's mapping there makes the call fail; so does one of ours that another thread has made meanwhile.
    if (mapAt(calls, address) || isArea(calls, address)) return address;
  }
  throw new Error('all addresses of the shared area are taken');
}

function mapAt({ fd, mmap, munmap, errno }: Calls, address: number): boolean {
  const header = headerOf(process.pid, address);
  // Its own copy of the bytes, as a private mapping is: the file goes on to the next address, or away.
  writeSync(fd, new Uint8Array(header.buffer), 0, header.byteLength, 0);
  writeSync(fd, Uint8Array.of(0), 0, 1, AREA_BYTES - 1);
  const flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE;
  const mapped = mmap(address, AREA_BYTES, PROT_READ_WRITE, flags, fd, 0);
  if (mapped === address) return true;
  if (mapped === -1) {
    if (errno() === EEXIST) return false;
    throw new SystemError(errno(), { syscall: 'mmap', address, byteLength: AREA_BYTES });
  }
  munmap(mapped, AREA_BYTES);
  return false;
}

/** Whether this process's area lies at the address. Throws if it is another version's. */
function isArea({ fd, pwrite }: Calls, address: number): boolean {
  const expected = headerOf(process.pid, address);
  const { byteLength } = expected;
  // Behind what is mapped. Unmapped or closed pages are an error of the call (EFAULT), not a fault.
  if (pwrite(fd, address, byteLength, AREA_BYTES) !== byteLength) return false;
  const found = new Int32Array(expected.length);
  readSync(fd, new Uint8Array(found.buffer), 0, byteLength, AREA_BYTES);
  const VERSION_WORD = 2;
  const isOurs = found.every((word, i) => i === VERSION_WORD || word === expected[i]);
  if (isOurs && found[VERSION_WORD] !== AREA_VERSION) {
    throw new Error(
      `another version of @guardstripe/mmap in this process shares words of layout ${found[VERSION_WORD]}, not ${AREA_VERSION}`,
    );
  }
  return isOurs;
}
