/**
 * Memory files for several threads and processes. Their length is sealed: nobody can cut one under the others' maps, which would end
 * who touches the lost pages with SIGBUS.
 */

import { hex } from '@guardstripe/common';
import { ftruncateSync } from 'node:fs';

import { fromNodeError, SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import type { VirtualMemory } from '../virtual-memory.js';
import { closeDescriptor } from './descriptor.js';
import { lazily } from './lazily.js';
import { createMemoryFile } from './memory-file.js';

const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const F_SEAL_SHRINK = 0x2;
/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW */
const LENGTH_SEALS = 0x1 | F_SEAL_SHRINK | 0x4;

const O_RDWR = 2;
/** O_NOCTTY | O_NONBLOCK | O_CLOEXEC: what a stranger's handle names may be anything. */
const O_HARMLESS = 0x100 | 0x800 | 0x8_0000;

const fcntl = lazily<(fd: number, command: number, type: 'int', value: number) => number>(
  'int fcntl(int fd, int command, ...)',
);
const open = lazily<(path: string, flags: number) => number>('int open(const char *path, int flags)');

/** Gives an empty memory file its length, for good. */
export function sealLength(fd: number, byteLength: number): void {
  try {
    ftruncateSync(fd, byteLength);
  } catch (error) {
    throw fromNodeError(error);
  }
  if (fcntl()(fd, F_ADD_SEALS, 'int', LENGTH_SEALS) !== 0)
    throw new SystemError(ffi().errno(), { syscall: 'fcntl', details: { fd, seals: hex(LENGTH_SEALS) } });
}

/** The primitives of this file. */
export function sharedFilePrimitives(): Pick<
  VirtualMemory,
  'createSharedFile' | 'reopenFile' | 'keepsItsLength'
> {
  return {
    createSharedFile(byteLength, name) {
      const fd = createMemoryFile(name);
      try {
        sealLength(fd, byteLength);
        return fd;
      } catch (error) {
        closeDescriptor(fd);
        throw error;
      }
    },
    reopenFile(pid, fd, forWriting) {
      const path = `/proc/${pid === process.pid ? 'self' : pid}/fd/${fd}`;
      const own = open()(path, O_HARMLESS | (forWriting ? O_RDWR : 0));
      if (own === -1) throw new SystemError(ffi().errno(), { syscall: 'open', details: { path } });
      return own;
    },
    // Not every file has seals: what cannot be asked may be cut.
    keepsItsLength(fd) {
      const seals = fcntl()(fd, F_GET_SEALS, 'int', 0);
      return seals !== -1 && (seals & F_SEAL_SHRINK) !== 0;
    },
  };
}
