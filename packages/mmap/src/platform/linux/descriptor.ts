/** Closing descriptors that system calls of our own returned. */

import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import { lazily } from './lazily.js';

const close = lazily<(fd: number) => number>('int close(int fd)');

/** `close(2)`. In a worker thread `closeSync` warns of every descriptor that `openSync` of the same thread did not return. */
export function closeDescriptor(fd: number): void {
  if (close()(fd) !== 0) throw new SystemError(ffi().errno(), { syscall: 'close', details: { fd } });
}
