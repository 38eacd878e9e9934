import { SystemError } from '../../errors.js';

/** A failed range call. `errno` must have been read before any other call was made. */
export function refused(
  errno: number,
  syscall: string,
  address: number,
  byteLength: number,
  details: Readonly<Record<string, number | string>> = {},
): SystemError {
  return new SystemError(errno, { syscall, address, byteLength, details });
}
