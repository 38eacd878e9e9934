/** Memory files: made empty, filled, and sealed for good. */

import { hex } from '@guardstripe/common';
import { ftruncateSync, writeSync } from 'node:fs';

import { fromNodeError, SystemError } from '../../../errors.js';
import type { ImageSource } from '../../virtual-memory.js';
import { ffi } from '../../ffi.js';
import { addSeals, closeDescriptor } from './descriptor.js';
import { lazily } from '../lazily.js';

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
/** Linux 6.3. Implies sealing; without it `vm.memfd_noexec=2` refuses the call. */
const MFD_NOEXEC_SEAL = 0x8;

/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */
const IMAGE_SEALS = 0x1 | 0x2 | 0x4 | 0x8;

const EINVAL = 22;

/** `write` moves at most 0x7ffff000 bytes a call. */
const MAX_WRITE_BYTES = 0x4000_0000;

type MemfdCreateCall = (name: string, flags: number) => number;

const memfdCreate = lazily<MemfdCreateCall>('int memfd_create(const char *name, unsigned int flags)');

/** Opens an empty memory file that may be sealed. */
export function createMemoryFile(name: string): number {
  const c = ffi();
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = memfdCreate()(name, flags | MFD_NOEXEC_SEAL);
  if (fd === -1 && c.errno() === EINVAL) fd = memfdCreate()(name, flags);
  if (fd === -1)
    throw new SystemError(c.errno(), { syscall: 'memfd_create', details: { name, flags: hex(flags) } });
  return fd;
}

/** Writes an image into its empty file, zeros up to whole pages behind it, and seals it. Pages of zeros are left out: holes. */
export function fillAndSeal(fd: number, source: ImageSource, name: string, pageSize: number): void {
  try {
    // Zeros are left out only where nothing was written before: a piece may lie over an earlier one.
    let untouchedFrom = 0;
    source.fill((bytes, position) => {
      const numTouched = Math.max(0, Math.min(untouchedFrom - position, bytes.byteLength));
      writeAll(fd, bytes, 0, numTouched, position);
      for (const { start, end } of runsOfContents(bytes, numTouched, position, pageSize))
        writeAll(fd, bytes, start, end, position);
      untouchedFrom = Math.max(untouchedFrom, position + bytes.byteLength);
    });
    ftruncateSync(fd, Math.ceil(source.byteLength / pageSize) * pageSize);
    addSeals(fd, IMAGE_SEALS);
  } catch (error) {
    throw fromNodeError(error, { name });
  }
}

/** Both, as one. */
export function createSealedFile(source: ImageSource, name: string, pageSize: number): number {
  const fd = createMemoryFile(name);
  try {
    fillAndSeal(fd, source, name, pageSize);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Parts of `bytes` from `from` on, without pieces of the file's pages that are all zeros. `position` is where the bytes go. */
function* runsOfContents(
  bytes: Uint8Array,
  from: number,
  position: number,
  pageSize: number,
): Generator<{ readonly start: number; readonly end: number }> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const zeros = Buffer.alloc(pageSize);
  let start: number | undefined;
  let at = from;
  while (at < bytes.byteLength) {
    const end = Math.min(at + pageSize - ((position + at) % pageSize), bytes.byteLength);
    if (buffer.compare(zeros, 0, end - at, at, end) !== 0) {
      start ??= at;
    } else if (start !== undefined) {
      yield { start, end: at };
      start = undefined;
    }
    at = end;
  }
  if (start !== undefined) yield { start, end: at };
}

function writeAll(fd: number, bytes: Uint8Array, start: number, end: number, position: number): void {
  for (let at = start; at < end;)
    at += writeSync(fd, bytes, at, Math.min(end - at, MAX_WRITE_BYTES), position + at);
}
