/**
 * Memory files for several threads and processes. Their length is sealed: nobody can cut one under the others' maps, which would end
 * who touches the lost pages with SIGBUS.
 */

import { ftruncateSync } from 'node:fs';

import { fromNodeError } from '../../../errors.js';
import type { VirtualMemory } from '../../virtual-memory.js';
import { addSeals, closeDescriptor, fcntl, openDescriptor } from './descriptor.js';
import { createMemoryFile } from './memory-file.js';

const F_GET_SEALS = 1034;
const F_SEAL_SHRINK = 0x2;
/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW */
const LENGTH_SEALS = 0x1 | F_SEAL_SHRINK | 0x4;

const O_RDWR = 2;
/** O_NOCTTY | O_NONBLOCK | O_CLOEXEC: what a stranger's handle names may be anything. */
const O_HARMLESS = 0x100 | 0x800 | 0x8_0000;

/** Gives an empty memory file its length, for good. */
export function sealLength(fd: number, byteLength: number): void {
  try {
    ftruncateSync(fd, byteLength);
  } catch (error) {
    throw fromNodeError(error);
  }
  addSeals(fd, LENGTH_SEALS);
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
      return openDescriptor(path, O_HARMLESS | (forWriting ? O_RDWR : 0));
    },
    // Not every file has seals: what cannot be asked may be cut.
    keepsItsLength(fd) {
      const seals = fcntl()(fd, F_GET_SEALS, 'int', 0);
      return seals !== -1 && (seals & F_SEAL_SHRINK) !== 0;
    },
  };
}
