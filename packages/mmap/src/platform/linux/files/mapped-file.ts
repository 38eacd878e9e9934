/** Linux calls on descriptors of files that are mapped. */

import { ftruncateSync } from 'node:fs';

import { fromNodeError, SystemError } from '../../../errors.js';
import { ffi } from '../../ffi.js';
import type { VirtualMemory } from '../../virtual-memory.js';
import { closeDescriptor, fcntl, openDescriptor } from './descriptor.js';
import { lazily } from '../lazily.js';

const F_DUPFD_CLOEXEC = 1030;
const EOPNOTSUPP = 95;
const ENOSYS = 38;

const O_WRONLY_APPEND_CLOEXEC = 1 | 0o2000 | 0o2000000;
const SEEK_END = 2;
const CHUNK_BYTES = 2 ** 20;

/** `f_type` of a file on hugetlbfs (linux/magic.h); `f_bsize` is its page size then. */
const HUGETLBFS_MAGIC = 0x9584_58f6n;
/** Larger than `struct statfs` (120 bytes) in 64-bit words: type, block size, ... */
const STATFS_WORDS = 32;

/** `faccessat2` (Linux 5.8; asm-generic/unistd.h). By number: C libraries before it ignore its flags. */
const SYS_FACCESSAT2 = 439;
const W_OK = 2;
const AT_EACCESS = 0x200;
const AT_EMPTY_PATH = 0x1000;

const lseek = lazily<(fd: number, offset: number, from: number) => number>(
  'int64_t lseek(int fd, int64_t offset, int from)',
);
const write = lazily<(fd: number, bytes: Uint8Array, byteLength: number) => number>(
  'intptr_t write(int fd, const void *bytes, size_t length)',
);

/** The primitives of this file. */
export type FilePrimitives = Pick<
  VirtualMemory,
  'duplicateFile' | 'extendFile' | 'truncateFile' | 'hugePageBytesOfFile' | 'mayWriteFile'
>;

export function filePrimitives(): FilePrimitives {
  const fallocate = lazily<(fd: number, mode: number, offset: number, byteLength: number) => number>(
    'int fallocate(int fd, int mode, int64_t offset, int64_t length)',
  );
  const fstatfs = lazily<(fd: number, into: BigUint64Array) => number>('int fstatfs(int fd, void *into)');
  const faccessat2 = lazily<(call: number, fd: number, path: string, mode: number, flags: number) => number>(
    'long syscall(long number, long fd, const char *path, long mode, long flags)',
  );
  return {
    duplicateFile(fd) {
      const copy = fcntl()(fd, F_DUPFD_CLOEXEC, 'int', 0);
      if (copy === -1) throw new SystemError(ffi().errno(), { syscall: 'fcntl', details: { fd } });
      return copy;
    },
    extendFile(fd, byteLength) {
      // Not ftruncate: between the look at the length and the call, another process may have appended.
      if (fallocate()(fd, 0, byteLength - 1, 1) === 0) return;
      const errno = ffi().errno();
      if (errno !== EOPNOTSUPP && errno !== ENOSYS)
        throw new SystemError(errno, { syscall: 'fallocate', byteLength, details: { fd } });
      appendZeros(fd, byteLength);
    },
    truncateFile(fd, byteLength) {
      try {
        ftruncateSync(fd, byteLength);
      } catch (error) {
        throw fromNodeError(error);
      }
    },
    hugePageBytesOfFile(fd) {
      const words = new BigUint64Array(STATFS_WORDS);
      if (fstatfs()(fd, words) !== 0)
        throw new SystemError(ffi().errno(), { syscall: 'fstatfs', details: { fd } });
      return words[0] === HUGETLBFS_MAGIC ? Number(words[1]) : undefined;
    },
    mayWriteFile(fd) {
      if (faccessat2()(SYS_FACCESSAT2, fd, '', W_OK, AT_EMPTY_PATH | AT_EACCESS) === 0) return true;
      return ffi().errno() === ENOSYS && process.geteuid?.() === 0;
    },
  };
}

/** For file systems without `fallocate`: appends until the file is long enough. Whatever others append meanwhile stays. */
function appendZeros(fd: number, byteLength: number): void {
  // A description of its own: appending is a flag of it, and its position is nobody else's.
  const path = `/proc/self/fd/${fd}`;
  const own = openDescriptor(path, O_WRONLY_APPEND_CLOEXEC);
  try {
    const zeros = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const missing = byteLength - lseek()(own, 0, SEEK_END);
      if (missing <= 0) return;
      if (write()(own, zeros, Math.min(missing, CHUNK_BYTES)) === -1)
        throw new SystemError(ffi().errno(), { syscall: 'write', byteLength: missing, details: { path } });
    }
  } finally {
    closeDescriptor(own);
  }
}
