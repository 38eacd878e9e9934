/**
 * Copies between a buffer and mapped memory by the kernel (`process_vm_readv(2)`, on ourselves), which answers `EFAULT` where a
 * processor would raise a signal: for pages without access, and for those that a file lost.
 */

import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import type { VirtualMemory } from '../virtual-memory.js';
import { closeDescriptor } from './files/descriptor.js';
import { lazily } from './lazily.js';
import { createMemoryFile } from './files/memory-file.js';

const EFAULT = 14;
const WORD = 2 ** 32;
const CHUNK_BYTES = 2 ** 20;

type Copy = (
  pid: number,
  local: Uint32Array,
  numLocal: number,
  remote: Uint32Array,
  numRemote: number,
  flags: number,
) => number;
type FileCopy = (fd: number, address: number, byteLength: number, offset: number) => number;

const PARAMETERS =
  '(int pid, const void *local, size_t nl, const void *remote, size_t nr, unsigned long flags)';

const pwrite = lazily<FileCopy>('intptr_t pwrite(int fd, uintptr_t bytes, size_t length, int64_t offset)');
const pread = lazily<FileCopy>('intptr_t pread(int fd, uintptr_t bytes, size_t length, int64_t offset)');

/** The primitives of this file. */
export function copyPrimitives(): Pick<VirtualMemory, 'readBytes' | 'writeBytes'> {
  const readv = lazily<Copy>(`intptr_t process_vm_readv${PARAMETERS}`);
  const writev = lazily<Copy>(`intptr_t process_vm_writev${PARAMETERS}`);
  const copy = (call: Copy, syscall: string, address: number, bytes: Uint8Array): 'done' | 'unavailable' => {
    const ours = ffi().addressOf(bytes);
    // One call moves at most 0x7ffff000 bytes.
    for (let done = 0; done < bytes.byteLength;) {
      const rest = bytes.byteLength - done;
      const moved = call(process.pid, vector(ours + done, rest), 1, vector(address + done, rest), 1, 0);
      if (moved <= 0) {
        const refusal = notMoved(syscall, moved, address + done, rest);
        // Sandboxes filter the call; the kernel itself never refuses a process to itself.
        if (done === 0 && (refusal.code === 'ENOSYS' || refusal.code === 'EPERM')) return 'unavailable';
        throw refusal;
      }
      done += moved;
    }
    return 'done';
  };
  return {
    readBytes(address, into) {
      if (copy(readv(), 'process_vm_readv', address, into) === 'unavailable')
        copyThroughFile(address, ffi().addressOf(into), into.byteLength);
    },
    writeBytes(address, bytes) {
      if (copy(writev(), 'process_vm_writev', address, bytes) === 'unavailable')
        copyThroughFile(ffi().addressOf(bytes), address, bytes.byteLength);
    },
  };
}

/** `struct iovec`: where, how much. */
function vector(address: number, byteLength: number): Uint32Array {
  return Uint32Array.of(address % WORD, address / WORD, byteLength % WORD, byteLength / WORD);
}

/** In two steps by way of a memory file: reading from it and writing to it answer `EFAULT` as well, where `memcpy` would be a signal. */
function copyThroughFile(from: number, to: number, byteLength: number): void {
  const fd = createMemoryFile('guardstripe-copy');
  try {
    for (let done = 0; done < byteLength;) {
      const rest = byteLength - done;
      const taken = pwrite()(fd, from + done, Math.min(rest, CHUNK_BYTES), 0);
      if (taken <= 0) throw notMoved('pwrite', taken, from + done, rest);
      const given = pread()(fd, to + done, taken, 0);
      if (given <= 0) throw notMoved('pread', given, to + done, rest);
      done += given;
    }
  } finally {
    closeDescriptor(fd);
  }
}

function notMoved(syscall: string, moved: number, address: number, byteLength: number): SystemError {
  const errno = moved === 0 ? EFAULT : ffi().errno();
  return new SystemError(errno, { syscall, address, byteLength });
}
