/** Closing descriptors that system calls of our own returned. */

import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';

let close: ((fd: number) => number) | undefined;

/** `close(2)`. In a worker thread `closeSync` warns of every descriptor that `openSync` of the same thread did not return. */
export function closeDescriptor(fd: number): void {
  close ??= ffi().declare<(fd: number) => number>('int close(int fd)');
  if (close(fd) !== 0) throw new SystemError(ffi().errno(), { syscall: 'close', details: { fd } });
}
