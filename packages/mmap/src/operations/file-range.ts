/**
 * From what a user asks of a file to what the kernel can map.
 *
 * ```
 * file     0 .... mapOffset ......... offset ................ offset + byteLength ..... size
 *                 |<- leadBytes ->|<------- byteLength ------->|
 *                 |<----------------- mapBytes ----------------------->|
 *                 page boundary                            page boundary
 * ```
 */

import {
  bytesOf,
  bytesOutOfRange,
  checkBoolean,
  checkBytes,
  checkInteger,
  invalidArgType,
  invalidArgValue,
  isBytes,
  isInstance,
  isReadable,
  readOptions,
  size,
  type UrlLike,
} from '@guardstripe/common';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';

import { checkFileAccess, checkSharing, checkVirtualMemory } from '../checks.js';
import { fromNodeError } from '../errors.js';
import type { MappedPages } from '../mapped-pages.js';
import { platform } from '../platform/platform.js';
import type { Sharing, VirtualMemory } from '../platform/virtual-memory.js';

/** Options of {@link Mmap.fromFile}. */
export interface FromFileOptions {
  /**
   * `'shared'`: writes reach the file and everyone who maps it. `'private'`: a page is copied at its first write, the
   * file never changes. Default `'shared'`.
   */
  readonly sharing?: Sharing;
  /**
   * `'read'`, `'read-write'` or `'read-execute'`. Writing to a view of a map that is not `'read-write'` ends the process;
   * {@link Mmap.write} throws. Default `'read'`.
   */
  readonly access?: 'read' | 'read-write' | 'read-execute';
  /** First byte of the file to map, of any alignment, below the file's size. Default 0. */
  readonly offset?: number;
  /**
   * Bytes to map, at least 1, no further than the end of the file unless `growFile` is set. Default: all behind `offset`; of an
   * empty file none.
   */
  readonly byteLength?: number;
  /** Make the file if there is none, empty; for shared, read-write maps of a path. Default false. */
  readonly create?: boolean;
  /** Make the file as long as the map needs; zeros are read there. For shared, read-write maps. Default false. */
  readonly growFile?: boolean;
  /** Bring all pages in now, instead of each at its first touch. A hint: kernels before 5.14 do not. Default false. */
  readonly populate?: boolean;
  /** Keep a descriptor of the file, so that the map can be made longer ({@link Mmap.resize}). Default false. */
  readonly resizable?: boolean;
  /** The platform to use. Default {@link platform}. */
  readonly virtualMemory?: VirtualMemory;
}

const OPTIONS = [
  'sharing',
  'access',
  'offset',
  'byteLength',
  'create',
  'growFile',
  'populate',
  'resizable',
  'virtualMemory',
] as const;

/** Of any processor: 16 GiB on some, far less on those that Node runs on. */
const MAX_GRANULE_BYTES = 2 ** 34;

type Settings = Required<Omit<FromFileOptions, 'byteLength'>> & { readonly byteLength: number | undefined };

/** A file: its descriptor, something that has one such as a `FileHandle` of `node:fs/promises`, or its path, also as bytes. */
export type FileLike = number | string | UrlLike | Uint8Array | { readonly fd: number };

/** Checks the arguments, opens a path, maps, and closes what it opened. */
export function mapFile(file: FileLike, options: FromFileOptions): MappedPages {
  const settings = checkSettings(options);
  const hasFields = typeof file === 'object' && file !== null && isReadable(file);
  const descriptor = hasFields && 'fd' in file ? file.fd : file;
  if (typeof descriptor === 'number') {
    checkInteger(descriptor, 'file');
    if (settings.create) throw invalidArgValue('options.create', 'must be false for a descriptor', true);
    return mapDescriptor(descriptor, settings, `descriptor ${descriptor}`);
  }
  const path = pathOf(descriptor);
  // A private map copies before it writes, so reading is all it needs from the file.
  const access = writesFile(settings) ? constants.O_RDWR : constants.O_RDONLY;
  // Without waiting for the other end of a pipe.
  const flags = access | constants.O_NONBLOCK | (settings.create ? constants.O_CREAT : 0);
  const fd = attempt(String(path), () => openSync(path, flags));
  try {
    return mapDescriptor(fd, settings, String(path));
  } finally {
    closeSync(fd);
  }
}

function pathOf(file: unknown): string | URL | Buffer {
  if (typeof file === 'string' || isInstance(file, URL)) return file;
  if (isBytes(file) || isInstance(file, Uint8Array)) {
    const { buffer, byteOffset, byteLength } = bytesOf(file, 'file');
    return Buffer.from(buffer, byteOffset, byteLength);
  }
  throw invalidArgType(
    'file',
    'of type number or string, or an instance of URL, Uint8Array or FileHandle',
    file,
  );
}

const writesFile = ({ access, sharing }: Pick<Settings, 'access' | 'sharing'>): boolean =>
  sharing === 'shared' && access === 'read-write';

function checkSettings(options: FromFileOptions): Settings {
  const {
    sharing = 'shared',
    access = 'read',
    offset = 0,
    byteLength,
    create = false,
    growFile = false,
    populate = false,
    resizable = false,
    virtualMemory = platform(),
  } = readOptions(options, OPTIONS);
  checkSharing(sharing);
  checkFileAccess(access);
  checkBytes(offset, 'options.offset');
  if (byteLength !== undefined) checkBytes(byteLength, 'options.byteLength');
  checkBoolean(populate, 'options.populate');
  checkBoolean(resizable, 'options.resizable');
  for (const [name, value] of Object.entries({ create, growFile })) {
    checkBoolean(value, `options.${name}`);
    if (value && !writesFile({ access, sharing }))
      throw invalidArgValue(`options.${name}`, 'must be false for a map that cannot write its file', value);
  }
  checkVirtualMemory(virtualMemory);
  return { sharing, access, offset, byteLength, create, growFile, populate, resizable, virtualMemory };
}

function mapDescriptor(fd: number, settings: Settings, name: string): MappedPages {
  const { sharing, access, offset, resizable, virtualMemory } = settings;
  const stats = attempt(name, () => fstatSync(fd));
  if (!stats.isFile()) throw invalidArgValue('file', 'must be a regular file', name);
  const byteLength = lengthIn(stats.size, settings);
  const granuleBytes = virtualMemory.hugePageBytesOfFile(fd) ?? virtualMemory.pageSize;
  const leadBytes = offset % granuleBytes;
  const mapBytes = Math.ceil((leadBytes + byteLength) / granuleBytes) * granuleBytes;
  if (offset + byteLength > stats.size) virtualMemory.extendFile(fd, offset + byteLength);
  const showsResidency = stats.uid === process.geteuid?.() || virtualMemory.mayWriteFile(fd);
  const keptFd = resizable ? virtualMemory.duplicateFile(fd) : undefined;
  const file = { fd: keptFd, offset, sharing, access, writesFile: writesFile(settings), showsResidency };
  try {
    const fileOffset = offset - leadBytes;
    const mapAddress =
      byteLength === 0 ? 0 : virtualMemory.mapFile(fd, fileOffset, 0, mapBytes, access, sharing);
    if (settings.populate && byteLength !== 0) populate(settings, mapAddress, mapBytes);
    return { virtualMemory, mapAddress, mapBytes, leadBytes, byteLength, granuleBytes, file };
  } catch (error) {
    if (keptFd !== undefined) virtualMemory.closeFile(keptFd);
    throw error;
  }
}

/** The length of the map, within the file or within what it is to become. */
function lengthIn(fileBytes: number, { offset, byteLength, growFile }: Settings): number {
  if (byteLength === 0) throw bytesOutOfRange('options.byteLength', 'at least 1', byteLength);
  if (growFile && byteLength !== undefined) {
    const most = Number.MAX_SAFE_INTEGER - offset - MAX_GRANULE_BYTES;
    if (byteLength > most) throw bytesOutOfRange('options.byteLength', `at most ${size(most)}`, byteLength);
    return byteLength;
  }
  if (fileBytes === 0 && offset === 0 && byteLength === undefined) return 0;
  if (offset >= fileBytes)
    throw bytesOutOfRange('options.offset', `below the file's size, ${size(fileBytes)}`, offset);
  const restBytes = fileBytes - offset;
  // Pages past the end would end the process with SIGBUS at the first touch.
  if (byteLength !== undefined && byteLength > restBytes)
    throw bytesOutOfRange(
      'options.byteLength',
      `at most ${size(restBytes)}, where the file ends`,
      byteLength,
    );
  return byteLength ?? restBytes;
}

function populate({ access, sharing, virtualMemory }: Settings, address: number, byteLength: number): void {
  try {
    const writes = access === 'read-write' && sharing === 'shared';
    virtualMemory.advise(address, byteLength, writes ? 'populate-write' : 'populate-read');
  } catch {
    // A hint. What stands in the way will show at the touch.
  }
}

function attempt<T>(file: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNodeError(error, { file });
  }
}
