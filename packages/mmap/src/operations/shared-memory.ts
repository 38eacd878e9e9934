/** Memory that several threads and processes map at once, and the handle by which they find it. */

import { checkBytes, checkInteger, checkObject, checkOneOf, readOptions } from '@guardstripe/common';
import { fstatSync } from 'node:fs';

import { checkMemoryName, checkVirtualMemory } from '../checks.js';
import { fromNodeError, notShared, sharedMemoryGone, SystemError } from '../errors.js';
import type { MappedPages, SharedMemoryHandle } from '../mapped-pages.js';
import type { Mapping } from '../mapping.js';
import { platform } from '../platform/platform.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import type { MmapOptions } from './anonymous.js';

/** Options of {@link Mmap.shared}. */
export interface SharedOptions extends MmapOptions {
  /** Shown in `/proc/PID/maps` as `/memfd:NAME`; at most 249 bytes. Default `'guardstripe'`. */
  readonly name?: string;
}

/** Options of {@link Mmap.openShared}. */
export interface OpenSharedOptions extends MmapOptions {
  /** Default `'read-write'`. */
  readonly access?: 'read' | 'read-write';
}

const FIELDS = ['pid', 'fd', 'device', 'inode', 'byteLength'] as const;
const ENOENT = -2;
const MAX_INT = 2 ** 31 - 1;

/** Makes a memory file and maps all of it. */
export function mapShared(byteLength: number, options: SharedOptions): MappedPages {
  const { name = 'guardstripe', virtualMemory = platform() } = readOptions(options, [
    'name',
    'virtualMemory',
  ]);
  checkVirtualMemory(virtualMemory);
  checkMemoryName(name);
  checkBytes(byteLength, 'byteLength', 1, Number.MAX_SAFE_INTEGER - virtualMemory.pageSize);
  const fd = virtualMemory.createSharedFile(wholePages(byteLength, virtualMemory), name);
  return mapOrClose(virtualMemory, fd, byteLength, 'read-write');
}

/** Opens the memory of a handle anew, and maps all of it. */
export function mapHandle(handle: SharedMemoryHandle, options: OpenSharedOptions): MappedPages {
  const { access = 'read-write', virtualMemory = platform() } = readOptions(options, [
    'access',
    'virtualMemory',
  ]);
  checkOneOf(access, 'options.access', ['read', 'read-write']);
  checkVirtualMemory(virtualMemory);
  const { pid, fd, device, inode, byteLength } = readHandle(handle);
  checkInteger(pid, 'handle.pid', 1, MAX_INT);
  checkInteger(fd, 'handle.fd', 0, MAX_INT);
  checkInteger(device, 'handle.device');
  checkInteger(inode, 'handle.inode');
  checkBytes(byteLength, 'handle.byteLength', 1, Number.MAX_SAFE_INTEGER - virtualMemory.pageSize);
  const own = reopen(virtualMemory, pid, fd, access === 'read-write');
  return mapOrClose(virtualMemory, own, byteLength, access, (found, fileBytes) => {
    // The descriptor's number may be another file's by now; and a file that can be cut is no shared memory.
    const isTheOne = found.device === device && found.inode === inode;
    const isWhole = fileBytes === wholePages(byteLength, virtualMemory) && virtualMemory.keepsItsLength(own);
    if (!isTheOne || !isWhole) throw sharedMemoryGone(pid, fd);
  });
}

/** The handle of a map of shared memory. */
export function handleOf(mapping: Mapping): SharedMemoryHandle {
  mapping.assertOpen();
  const handle = mapping.file?.handle;
  if (handle === undefined) throw notShared();
  return { ...handle };
}

function wholePages(byteLength: number, { pageSize }: VirtualMemory): number {
  return Math.ceil(byteLength / pageSize) * pageSize;
}

/** Each field once: reading it may run the caller's code. */
function readHandle(handle: unknown): Readonly<Record<(typeof FIELDS)[number], unknown>> {
  checkObject(handle, 'handle');
  const { pid, fd, device, inode, byteLength } = handle as Partial<SharedMemoryHandle>;
  return { pid, fd, device, inode, byteLength };
}

function reopen(virtualMemory: VirtualMemory, pid: number, fd: number, forWriting: boolean): number {
  try {
    return virtualMemory.reopenFile(pid, fd, forWriting);
  } catch (error) {
    if (error instanceof SystemError && error.errno === ENOENT) throw sharedMemoryGone(pid, fd, error);
    throw error;
  }
}

type Check = (found: Pick<SharedMemoryHandle, 'device' | 'inode'>, fileBytes: number) => void;

/** Maps a descriptor that the map is to own; closes it where that fails. */
function mapOrClose(
  virtualMemory: VirtualMemory,
  fd: number,
  byteLength: number,
  access: 'read' | 'read-write',
  check?: Check,
): MappedPages {
  try {
    const { dev: device, ino: inode, size } = attempt(() => fstatSync(fd));
    check?.({ device, inode }, size);
    const mapBytes = wholePages(byteLength, virtualMemory);
    const mapAddress = virtualMemory.mapFile(fd, 0, 0, mapBytes, access, 'shared');
    const handle = { pid: process.pid, fd, device, inode, byteLength };
    const file = { fd, offset: 0, access, sharing: 'shared', showsResidency: true, handle } as const;
    const writesFile = access === 'read-write';
    return { virtualMemory, mapAddress, mapBytes, leadBytes: 0, byteLength, file: { ...file, writesFile } };
  } catch (error) {
    virtualMemory.closeFile(fd);
    throw error;
  }
}

function attempt<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNodeError(error);
  }
}
