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

import { closeSync, fstatSync, openSync } from 'node:fs';

import {
  checkFileAccess,
  checkFlag,
  checkInteger,
  checkOptions,
  checkSharing,
  checkVirtualMemory,
} from '../checks.js';
import { fromNodeError, invalidArgType, invalidArgValue, outOfRange } from '../errors.js';
import { size } from '../format.js';
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
    checkInteger('file', file);
    return mapDescriptor(file, settings, `descriptor ${file}`);
  }
  if (typeof file !== 'string' && !(file instanceof URL)) {
    throw invalidArgType('file', 'a descriptor, a path or a file URL', file);
  }
  // A private map copies before it writes, so reading is all it needs from the file.
  const flags = settings.access === 'read-write' && settings.sharing === 'shared' ? 'r+' : 'r';
  const fd = attempt(String(file), () => openSync(file, flags));
  try {
    return mapDescriptor(fd, settings, String(file));
  } finally {
    closeSync(fd);
  }
}

function checkSettings(options: FromFileOptions): Settings {
  checkOptions(options);
  const { sharing = 'shared', access = 'read', offset = 0, byteLength } = options;
  const { resizable = false, virtualMemory = platform() } = options;
  checkSharing(sharing);
  checkFileAccess(access);
  checkInteger('offset', offset);
  if (byteLength !== undefined) checkInteger('byteLength', byteLength);
  checkFlag('resizable', resizable);
  checkVirtualMemory(virtualMemory);
  return { sharing, access, offset, byteLength, resizable, virtualMemory };
}

function mapDescriptor(fd: number, settings: Settings, name: string): MappedPages {
  const { sharing, access, offset, resizable, virtualMemory } = settings;
  const stats = attempt(name, () => fstatSync(fd));
  if (!stats.isFile()) throw invalidArgValue('file', 'a regular file', name);
  if (stats.size === 0)
    throw invalidArgValue('file', 'a file with at least one byte (an empty one has nothing to map)', name);
  if (offset >= stats.size) throw outOfRange('offset', `below the file's size, ${size(stats.size)}`, offset);
  const byteLength = settings.byteLength ?? stats.size - offset;
  if (byteLength === 0) throw outOfRange('byteLength', 'at least 1', byteLength);
  if (byteLength > stats.size - offset) {
    // Pages past the end would end the process with SIGBUS at the first touch.
    throw outOfRange('byteLength', `at most ${size(stats.size - offset)}, where the file ends`, byteLength);
  }
  const { pageSize } = virtualMemory;
  const leadBytes = offset % pageSize;
  const mapBytes = Math.ceil((leadBytes + byteLength) / pageSize) * pageSize;
  const keptFd = resizable ? virtualMemory.duplicateFile(fd) : undefined;
  try {
    const mapAddress = virtualMemory.mapFile(fd, offset - leadBytes, 0, mapBytes, access, sharing);
    const writesFile = sharing === 'shared' && access === 'read-write';
    const mappedFile = { fd: keptFd, offset, writesFile };
    return { virtualMemory, mapAddress, mapBytes, leadBytes, byteLength, file: mappedFile };
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
