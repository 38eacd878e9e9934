/**
 * Files of `/proc` about this process. `node:fs` refuses them under `--permission`, where they are not files of the user's: then the C
 * library reads them.
 */

import { openSync } from 'node:fs';

import { SystemError } from '../../errors.js';
import { ffi } from '../ffi.js';
import { closeDescriptor, openDescriptor } from './files/descriptor.js';
import { lazily } from './lazily.js';

const O_RDONLY_CLOEXEC = 0o2000000;
const CHUNK_BYTES = 65_536;

const read = lazily<(fd: number, into: Uint8Array, byteLength: number) => number>(
  'intptr_t read(int fd, void *into, size_t length)',
);

/** Opens a file for reading; for {@link closeDescriptor}. Throws {@link SystemError}. */
export const openForReading = (path: string): number => openDescriptor(path, O_RDONLY_CLOEXEC);

/** Opens a file for as long as the thread lives: Node closes what `openSync` opened when a worker thread ends. */
export function openForThread(path: string): number {
  try {
    return openSync(path, 'r');
  } catch {
    // Refused by --permission; anything else refuses the C library as well.
    return openForReading(path);
  }
}

/** All of a file's text. Throws {@link SystemError}. */
export function readProc(path: string): string {
  const fd = openForReading(path);
  try {
    const parts: Buffer[] = [];
    for (;;) {
      const part = Buffer.alloc(CHUNK_BYTES);
      const byteLength = read()(fd, part, CHUNK_BYTES);
      if (byteLength === -1) throw new SystemError(ffi().errno(), { syscall: 'read', details: { path } });
      if (byteLength === 0) return Buffer.concat(parts).toString('latin1');
      parts.push(part.subarray(0, byteLength));
    }
  } finally {
    closeDescriptor(fd);
  }
}
