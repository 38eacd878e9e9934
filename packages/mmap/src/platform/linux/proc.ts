/**
 * Files of `/proc` about this process. `node:fs` refuses them under `--permission`, where they are not files of the user's: then the C
 * library reads them.
 */

import { closeSync, openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

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
const openForReading = (path: string): number => openDescriptor(path, O_RDONLY_CLOEXEC);

/**
 * Reads from a file that is open meanwhile. A worker may be terminated before it closes the file, so there Node opens it, and closes with
 * the thread what it opened. Throws {@link SystemError}.
 */
export function withFile<T>(path: string, action: (fd: number) => T): T {
  const ofNode = isMainThread ? undefined : openByNode(path);
  const fd = ofNode ?? openForReading(path);
  try {
    return action(fd);
  } finally {
    if (ofNode === undefined) closeDescriptor(fd);
    else closeSync(fd);
  }
}

/** Nothing where Node refuses, under `--permission` for one; what refuses the C library as well says so there. */
function openByNode(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

/** Opens a file for as long as the thread lives: Node closes what `openSync` opened when a worker thread ends. */
export function openForThread(path: string): number {
  return openByNode(path) ?? openForReading(path);
}

/** All of a file's text. Throws {@link SystemError}. */
export function readProc(path: string): string {
  return withFile(path, (fd) => {
    chunk ??= Buffer.allocUnsafeSlow(CHUNK_BYTES);
    let text = '';
    for (;;) {
      const byteLength = read()(fd, chunk, CHUNK_BYTES);
      if (byteLength === -1) throw new SystemError(ffi().errno(), { syscall: 'read', details: { path } });
      if (byteLength === 0) return text;
      text += chunk.toString('latin1', 0, byteLength);
    }
  });
}
