/** Memory files: made empty, filled, and sealed for good. */

import { ftruncateSync, writeSync } from 'node:fs';

import { fromNodeError, SystemError } from '../../errors.js';
import { hex } from '../../format.js';
import { ffi } from '../ffi.js';
import { closeDescriptor } from './descriptor.js';

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
/** Linux 6.3. Implies sealing; without it `vm.memfd_noexec=2` refuses the call. */
const MFD_NOEXEC_SEAL = 0x8;

const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */
const IMAGE_SEALS = 0x1 | 0x2 | 0x4 | 0x8;

const EINVAL = 22;

/** `write` moves at most 0x7ffff000 bytes a call. */
const MAX_WRITE_BYTES = 0x4000_0000;

type MemfdCreateCall = (name: string, flags: number) => number;
type FcntlCall = (fd: number, command: number, type: 'int', value: number) => number;

// Declared once: a worker that is terminated while koffi declares something ends the process.
let memfdCreate: MemfdCreateCall | undefined;
let fcntl: FcntlCall | undefined;

/** Opens an empty memory file that may be sealed. */
export function createMemoryFile(name: string): number {
  const c = ffi();
  memfdCreate ??= c.declare<MemfdCreateCall>('int memfd_create(const char *name, unsigned int flags)');
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = memfdCreate(name, flags | MFD_NOEXEC_SEAL);
  if (fd === -1 && c.errno() === EINVAL) fd = memfdCreate(name, flags);
  if (fd === -1)
    throw new SystemError(c.errno(), { syscall: 'memfd_create', details: { name, flags: hex(flags) } });
  return fd;
}

/** Writes an image's bytes into its empty file, zeros up to whole pages behind them, and seals it. */
export function fillAndSeal(fd: number, bytes: Uint8Array, name: string, pageSize: number): void {
  const c = ffi();
  fcntl ??= c.declare<FcntlCall>('int fcntl(int fd, int command, ...)');
  try {
    let written = 0;
    while (written < bytes.byteLength) {
      written += writeSync(
        fd,
        bytes,
        written,
        Math.min(bytes.byteLength - written, MAX_WRITE_BYTES),
        written,
      );
    }
    ftruncateSync(fd, Math.ceil(bytes.byteLength / pageSize) * pageSize);
    if (fcntl(fd, F_ADD_SEALS, 'int', IMAGE_SEALS) !== 0) {
      throw new SystemError(c.errno(), { syscall: 'fcntl', details: { fd, seals: hex(IMAGE_SEALS) } });
    }
  } catch (error) {
    throw fromNodeError(error, { name });
  }
}

/** Both, as one. */
export function createSealedFile(bytes: Uint8Array, name: string, pageSize: number): number {
  const fd = createMemoryFile(name);
  try {
    fillAndSeal(fd, bytes, name, pageSize);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}
