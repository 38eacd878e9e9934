/**
 * Registering memory with `userfaultfd` for asynchronous write protection (Linux 6.7): the kernel notes first writes by itself,
 * no events are sent, and no privilege is needed. One descriptor a thread, opened when the first range is watched; a range
 * belongs to the descriptor that registered it, and closing that ends all watching.
 */

import { openSync } from 'node:fs';

import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import { closeDescriptor } from './files/descriptor.js';
import { lazily } from './lazily.js';

/** asm/unistd_64.h, asm-generic/unistd.h; no C library has a wrapper. */
const SYS_USERFAULTFD = process.arch === 'x64' ? 323 : 282;
const O_CLOEXEC = 0x8_0000;
const O_NONBLOCK = 0x800;
/** Faults of the kernel itself are not reported (none is here): what an ordinary user may ask for. */
const UFFD_USER_MODE_ONLY = 1;

// linux/userfaultfd.h
const UFFD_API = 0xaa;
const UFFD_FEATURE_WP_UNPOPULATED = 1 << 13;
const UFFD_FEATURE_WP_ASYNC = 1 << 15;
const UFFDIO_API = 0xc018_aa3f;
const UFFDIO_REGISTER = 0xc020_aa00;
const UFFDIO_UNREGISTER = 0x8010_aa01;
const UFFDIO_WRITEPROTECT = 0xc018_aa06;
const UFFDIO_REGISTER_MODE_WP = 1 << 1;
const UFFDIO_WRITEPROTECT_MODE_WP = 1 << 0;
const WORD = 2 ** 32;

/** The two halves of watching; what was written is found by `PAGEMAP_SCAN`. */
export interface WriteWatch {
  /** Registers a range and protects all of it, pages that are not there yet included. */
  readonly watch: (address: number, byteLength: number) => void;
  /** Ends it, and takes the protection away. */
  readonly unwatch: (address: number, byteLength: number) => void;
}

const ioctl = lazily<(fd: number, request: number, argument: number) => number>(
  'int ioctl(int fd, unsigned long request, uintptr_t argument)',
);
const open = lazily<(call: number, flags: number) => number>('long syscall(long number, long flags)');
const dup3 = lazily<(from: number, to: number, flags: number) => number>(
  'int dup3(int from, int to, int flags)',
);

/** Opens a descriptor. Throws where the kernel has no asynchronous mode, or a sandbox or `vm.unprivileged_userfaultfd` refuses. */
export function writeWatch(): WriteWatch {
  const c = ffi();
  // struct uffdio_api: api, features, ioctls. uffdio_register: start, len, mode, ioctls. uffdio_writeprotect: start, len, mode.
  const words = new Uint32Array(8);
  const argument = c.addressOf(words.buffer);
  const fd = openUserfaultfd();
  const ask = (request: number, address: number, byteLength: number, mode: number) => {
    words.fill(0);
    put(words, 0, address);
    put(words, 2, byteLength);
    words[4] = mode;
    if (ioctl()(fd, request, argument) !== 0) {
      throw new SystemError(c.errno(), { syscall: 'ioctl(userfaultfd)', address, byteLength });
    }
  };
  ask(UFFDIO_API, UFFD_API, UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED, 0);
  return {
    watch(address, byteLength) {
      ask(UFFDIO_REGISTER, address, byteLength, UFFDIO_REGISTER_MODE_WP);
      try {
        ask(UFFDIO_WRITEPROTECT, address, byteLength, UFFDIO_WRITEPROTECT_MODE_WP);
      } catch (error) {
        ask(UFFDIO_UNREGISTER, address, byteLength, 0);
        throw error;
      }
    },
    unwatch: (address, byteLength) => ask(UFFDIO_UNREGISTER, address, byteLength, 0),
  };
}

/** A worker thread closes with its end what `openSync` opened, so the descriptor takes the place of such a one. */
function openUserfaultfd(): number {
  const c = ffi();
  const opened = open()(SYS_USERFAULTFD, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (opened < 0) throw new SystemError(c.errno(), { syscall: 'userfaultfd' });
  try {
    const fd = openSync('/dev/null', 'r');
    if (dup3()(opened, fd, O_CLOEXEC) < 0)
      throw new SystemError(c.errno(), { syscall: 'dup3', details: { fd } });
    return fd;
  } finally {
    closeDescriptor(opened);
  }
}

function put(words: Uint32Array, index: number, value: number): void {
  words[index] = value; // modulo 2^32
  words[index + 1] = Math.floor(value / WORD);
}
