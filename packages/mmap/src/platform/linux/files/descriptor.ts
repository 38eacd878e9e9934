/** Descriptors, by the C library itself: `node:fs` warns of those that it did not open, and has no seals. */

import { hex } from '@guardstripe/common';

import { SystemError } from '../../../errors.js';
import { ffi } from '../../ffi.js';
import { lazily } from '../lazily.js';

const F_ADD_SEALS = 1033;

const open = lazily<(path: string, flags: number) => number>('int open(const char *path, int flags)');
const close = lazily<(fd: number) => number>('int close(int fd)');

/** `fcntl(2)` with a number; -1 where the system refuses. */
export const fcntl = lazily<(fd: number, command: number, type: 'int', value: number) => number>(
  'int fcntl(int fd, int command, ...)',
);

/** `open(2)`; for {@link closeDescriptor}. */
export function openDescriptor(path: string, flags: number): number {
  const fd = open()(path, flags);
  if (fd === -1) throw new SystemError(ffi().errno(), { syscall: 'open', details: { path } });
  return fd;
}

/** `close(2)`. In a worker thread `closeSync` warns of every descriptor that `openSync` of the same thread did not return. */
export function closeDescriptor(fd: number): void {
  if (close()(fd) !== 0) throw new SystemError(ffi().errno(), { syscall: 'close', details: { fd } });
}

/** Forbids something about a memory file, for good. */
export function addSeals(fd: number, seals: number): void {
  if (fcntl()(fd, F_ADD_SEALS, 'int', seals) !== 0)
    throw new SystemError(ffi().errno(), { syscall: 'fcntl', details: { fd, seals: hex(seals) } });
}
