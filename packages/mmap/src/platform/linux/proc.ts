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
/** The kernel gives a page at a time of what it makes while it is read. */
const CHUNK_BYTES = 16_384;

/** Of the thread, made at first use: several files are read whenever a pool is made. */
let chunk: Buffer | undefined;

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
    chunk ??= Buffer.allocUnsafeSlow(CHUNK_BYTES);
    let text = '';
    for (;;) {
      const byteLength = read()(fd, chunk, CHUNK_BYTES);
      if (byteLength === -1) throw new SystemError(ffi().errno(), { syscall: 'read', details: { path } });
      if (byteLength === 0) return text;
      text += chunk.toString('latin1', 0, byteLength);
    }
  } finally {
    closeDescriptor(fd);
  }
}
