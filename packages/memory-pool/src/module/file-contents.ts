/**
 * A part of a file, copied once, when a memory is described. It is not mapped: whatever becomes of a mapped file afterwards
 * would be seen through the mapping by every memory that has not written the page yet, and a page that was cut off ends the
 * process with SIGBUS at its next touch.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import {
  checkBytes,
  checkInteger,
  invalidArgType,
  invalidArgValue,
  isInstance,
  isReadable,
  type UrlLike,
} from '@guardstripe/common';
import { FileChangedError } from '../errors.js';

/** Where a file's bytes are read from: a path, a file URL, an open descriptor, or an open `FileHandle` of `node:fs/promises`. */
export type FileSource = string | UrlLike | number | { readonly fd: number };

/** A file that was opened, or was open, and the part of it that is wanted. */
export interface OpenFile {
  readonly fd: number;
  /** As it is called in errors. */
  readonly name: string;
  readonly offset: number;
  readonly byteLength: number;
  /** What the file was when its size was asked for. */
  readonly before: BigIntStats;
}

/** Most bytes that are read at once. */
const BUFFER_BYTES = 2 ** 20;

/**
 * Opens the file if it is not open, finds the part that is wanted, and closes what it opened when `use` returns.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` for what is no regular file, `RangeError`
 * `ERR_OUT_OF_RANGE` for a part that is not in it; what `node:fs` throws
 */
export function withFile<T>(
  source: unknown,
  offset: unknown,
  byteLength: unknown,
  use: (file: OpenFile) => T,
): T {
  const fd = descriptorOf(source);
  if (fd !== undefined) return use(partOf(fd, `descriptor ${fd}`, offset, byteLength));
  if (typeof source !== 'string' && !isInstance(source, URL)) {
    throw invalidArgType(
      'description.file',
      'a path, a file URL, a descriptor or an open FileHandle',
      source,
    );
  }
  // Without O_NONBLOCK, opening a pipe that nobody writes to never returns.
  const opened = openSync(source, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    return use(partOf(opened, String(source), offset, byteLength));
  } finally {
    closeSync(opened);
  }
}

/**
 * Reads the part from its start to its end, in pieces, and sees to it that the file was the same all the time.
 *
 * @param take - gets each piece, which is overwritten by the next, and where it lies in the part
 * @throws {@link FileChangedError}
 */
export function readFile(
  { fd, name, offset, byteLength, before }: OpenFile,
  take: (bytes: Uint8Array, position: number) => void,
): void {
  const buffer = new Uint8Array(Math.min(BUFFER_BYTES, byteLength));
  for (let position = 0; position < byteLength;) {
    const wanted = Math.min(buffer.byteLength, byteLength - position);
    const numRead = readSync(fd, buffer, 0, wanted, offset + position);
    if (numRead === 0) throw new FileChangedError(name, `it ends at byte ${offset + position} now`);
    take(buffer.subarray(0, numRead), position);
    position += numRead;
  }
  const after = fstatSync(fd, { bigint: true });
  if (after.size !== before.size) throw new FileChangedError(name, `it has ${after.size} bytes now`);
  if (after.mtimeNs !== before.mtimeNs || after.ctimeNs !== before.ctimeNs)
    throw new FileChangedError(name, 'it was written to');
}

function descriptorOf(source: unknown): number | undefined {
  const isObject = typeof source === 'object' && source !== null && isReadable(source);
  const fd = isObject && 'fd' in source ? source.fd : source;
  if (typeof fd !== 'number') return undefined;
  // A closed FileHandle has -1.
  checkInteger(fd, typeof source === 'number' ? 'description.file' : 'description.file.fd');
  return fd;
}

function partOf(fd: number, name: string, offset: unknown = 0, byteLength?: unknown): OpenFile {
  const before = fstatSync(fd, { bigint: true });
  if (!before.isFile()) throw invalidArgValue('description.file', 'must be a regular file', name);
  const fileBytes = Number(before.size);
  checkBytes(offset, 'description.offset', 0, fileBytes);
  const restBytes = fileBytes - offset;
  // As files of procfs and sysfs are.
  if (fileBytes === 0 && readSync(fd, new Uint8Array(1), 0, 1, 0) > 0)
    throw invalidArgValue('description.file', 'must be a file whose size is known', name);
  if (byteLength === undefined) return { fd, name, offset, byteLength: restBytes, before };
  checkBytes(byteLength, 'description.byteLength', 0, restBytes);
  return { fd, name, offset, byteLength, before };
}
