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
  bytesOutOfRange,
  checkBoolean,
  checkBytes,
  checkInteger,
  invalidArgType,
  invalidArgValue,
  isInstance,
  readOptions,
  size,
} from '@guardstripe/common';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';

import { checkFileAccess, checkSharing, checkVirtualMemory } from '../checks.js';
import { fromNodeError } from '../errors.js';
import type { MappedPages } from '../mapping.js';
import { platform } from '../platform/platform.js';
import type { Sharing, VirtualMemory } from '../platform/virtual-memory.js';

/** Options of {@link Mmap.fromFile}. */
export interface FromFileOptions {
  /**
   * `'shared'`: writes reach the file and everyone who maps it. `'private'`: a page is copied at its first write, the
   * file never changes. Default `'shared'`.
   */
  readonly sharing?: Sharing;
  /** `'read'` or `'read-write'`. Writing to a view of a `'read'` map ends the process. Default `'read'`. */
  readonly access?: 'read' | 'read-write';
  /** First byte of the file to map, of any alignment, below the file's size. Default 0. */
  readonly offset?: number;
  /** Bytes to map, at least 1, no further than the end of the file. Default: all behind `offset`. */
  readonly byteLength?: number;
  /** Keep a descriptor of the file, so that the map can be made longer ({@link Mmap.resize}). Default false. */
  readonly resizable?: boolean;
  /** The platform to use. Default {@link platform}. */
  readonly virtualMemory?: VirtualMemory;
}

type Settings = Required<Omit<FromFileOptions, 'byteLength'>> & { readonly byteLength: number | undefined };

/** Checks the arguments, opens a path, maps, and closes what it opened. */
export function mapFile(file: number | string | URL, options: FromFileOptions): MappedPages {
  const settings = checkSettings(options);
  if (typeof file === 'number') {
    checkInteger(file, 'file');
    return mapDescriptor(file, settings, `descriptor ${file}`);
  }
  if (typeof file !== 'string' && !isInstance(file, URL)) {
    throw invalidArgType('file', 'of type number or string, or an instance of URL', file);
  }
  // A private map copies before it writes, so reading is all it needs from the file.
  const access =
    settings.access === 'read-write' && settings.sharing === 'shared' ? constants.O_RDWR : constants.O_RDONLY;
  // Without waiting for the other end of a pipe.
  const flags = access | constants.O_NONBLOCK;
  const fd = attempt(String(file), () => openSync(file, flags));
  try {
    return mapDescriptor(fd, settings, String(file));
  } finally {
    closeSync(fd);
  }
}

function checkSettings(options: FromFileOptions): Settings {
  const {
    sharing = 'shared',
    access = 'read',
    offset = 0,
    byteLength,
    resizable = false,
    virtualMemory = platform(),
  } = readOptions(options, ['sharing', 'access', 'offset', 'byteLength', 'resizable', 'virtualMemory']);
  checkSharing(sharing);
  checkFileAccess(access);
  checkBytes(offset, 'options.offset');
  if (byteLength !== undefined) checkBytes(byteLength, 'options.byteLength');
  checkBoolean(resizable, 'options.resizable');
  checkVirtualMemory(virtualMemory);
  return { sharing, access, offset, byteLength, resizable, virtualMemory };
}

function mapDescriptor(fd: number, settings: Settings, name: string): MappedPages {
  const { sharing, access, offset, resizable, virtualMemory } = settings;
  const stats = attempt(name, () => fstatSync(fd));
  if (!stats.isFile()) throw invalidArgValue('file', 'must be a regular file', name);
  if (stats.size === 0)
    throw invalidArgValue(
      'file',
      'must be a file with at least one byte (an empty one has nothing to map)',
      name,
    );
  if (offset >= stats.size)
    throw bytesOutOfRange('options.offset', `below the file's size, ${size(stats.size)}`, offset);
  const byteLength = settings.byteLength ?? stats.size - offset;
  if (byteLength === 0) throw bytesOutOfRange('options.byteLength', 'at least 1', byteLength);
  if (byteLength > stats.size - offset) {
    // Pages past the end would end the process with SIGBUS at the first touch.
    throw bytesOutOfRange(
      'options.byteLength',
      `at most ${size(stats.size - offset)}, where the file ends`,
      byteLength,
    );
  }
  const granuleBytes = virtualMemory.hugePageBytesOfFile(fd) ?? virtualMemory.pageSize;
  const leadBytes = offset % granuleBytes;
  const mapBytes = Math.ceil((leadBytes + byteLength) / granuleBytes) * granuleBytes;
  const keptFd = resizable ? virtualMemory.duplicateFile(fd) : undefined;
  try {
    const mapAddress = virtualMemory.mapFile(fd, offset - leadBytes, 0, mapBytes, access, sharing);
    const writesFile = sharing === 'shared' && access === 'read-write';
    const showsResidency = stats.uid === process.geteuid?.() || virtualMemory.mayWriteFile(fd);
    const mappedFile = { fd: keptFd, offset, sharing, writesFile, showsResidency };
    return { virtualMemory, mapAddress, mapBytes, leadBytes, byteLength, granuleBytes, file: mappedFile };
  } catch (error) {
    if (keptFd !== undefined) virtualMemory.closeFile(keptFd);
    throw error;
  }
}

function attempt<T>(file: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNodeError(error, { file });
  }
}
