/** Every error this package throws on purpose. Each has a stable `code`; messages may be reworded. */

import { hex, size, withCode, type Coded } from '@guardstripe/common';
import { getSystemErrorMap } from 'node:util';

/** What a failed system call was asked, for the message and the fields of {@link SystemError}. */
export interface SystemCall {
  /** Name of the call, such as `'mmap'`. */
  readonly syscall: string;
  readonly address?: number;
  readonly byteLength?: number;
  /** Further arguments by name, printed as they are. */
  readonly details?: Readonly<Record<string, number | string>>;
}

/** The operating system refused a call. Shaped like Node's own system errors. */
export class SystemError extends Error {
  /** Name of the error, such as `'ENOMEM'`. */
  readonly code: string;
  /** Negative number of the error, as Node has it: `-12`. */
  readonly errno: number;
  /** Name of the refused call, such as `'mmap'`. */
  readonly syscall: string;
  /** Start of the range in question, where there is one. */
  declare readonly address?: number;
  /** Bytes of the range in question, where there is one. */
  declare readonly byteLength?: number;

  /** `errno` is the positive number that the C library reports. */
  constructor(errno: number, call: SystemCall, options?: ErrorOptions) {
    const [code, text] = getSystemErrorMap().get(-errno) ?? [`ERRNO_${errno}`, 'unknown system error'];
    super(`${code}: ${text}, ${call.syscall}${describeArguments(call)}`, options);
    this.code = code;
    this.errno = -errno;
    this.syscall = call.syscall;
    if (call.address !== undefined) this.address = call.address;
    if (call.byteLength !== undefined) this.byteLength = call.byteLength;
  }

  static {
    this.prototype.name = 'SystemError';
  }
}

function describeArguments(call: SystemCall): string {
  const parts: string[] = [];
  if (call.address !== undefined) parts.push(`address ${hex(call.address)}`);
  if (call.byteLength !== undefined) parts.push(`length ${size(call.byteLength)}`);
  for (const [name, value] of Object.entries(call.details ?? {})) {
    parts.push(`${name} ${value}`);
  }
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** Turns an error of `node:fs` into a {@link SystemError}, so that callers test one class. */
export function fromNodeError(error: unknown, details?: Record<string, string>): unknown {
  if (!(error instanceof Error) || !('errno' in error) || !('syscall' in error)) return error;
  const call = { syscall: String(error.syscall), ...(details === undefined ? {} : { details }) };
  return new SystemError(-Number(error.errno), call, { cause: error });
}

/** A closed {@link Mmap} was used. */
export class MmapClosedError extends Error {
  readonly code = 'ERR_MMAP_CLOSED';

  constructor() {
    super('The Mmap is closed');
  }

  static {
    this.prototype.name = 'MmapClosedError';
  }
}

/** The map cannot move while something that knows its address is under way. */
export class MmapBusyError extends Error {
  readonly code = 'ERR_MMAP_BUSY';

  constructor(pendingCalls: number, numHolders: number) {
    super(
      `The Mmap cannot be resized while asynchronous calls run (${pendingCalls}) ` +
        `or something needs it where it is, such as a protection guard that is not restored (${numHolders})`,
    );
  }

  static {
    this.prototype.name = 'MmapBusyError';
  }
}

/** There are not enough huge pages, or none of that size; `cause` has the system's own words. */
export class HugePagesUnavailableError extends Error {
  readonly code = 'ERR_HUGE_PAGES_UNAVAILABLE';

  constructor(needed: string, cause?: unknown) {
    super(
      `The system has no ${needed}. Huge pages are set aside by the administrator, as vm.nr_hugepages`,
      cause === undefined ? undefined : { cause },
    );
  }

  static {
    this.prototype.name = 'HugePagesUnavailableError';
  }
}

/** A closed {@link MemoryImage} was used. */
export class MemoryImageClosedError extends Error {
  readonly code = 'ERR_MEMORY_IMAGE_CLOSED';

  constructor() {
    super('The MemoryImage is closed');
  }

  static {
    this.prototype.name = 'MemoryImageClosedError';
  }
}

/** This build of the package has nothing to offer on the platform it runs on. */
export class UnsupportedPlatformError extends Error {
  readonly code = 'ERR_UNSUPPORTED_PLATFORM';

  /** @param obstacle - why not, as a sentence; else it is the system itself */
  constructor(platform: string, arch: string, obstacle?: string) {
    const reason =
      obstacle ?? `@guardstripe/mmap runs on 64-bit Linux (x64, arm64), not on ${platform} ${arch}`;
    super(`Unsupported platform: ${reason}`);
  }

  static {
    this.prototype.name = 'UnsupportedPlatformError';
  }
}

/** The native part of koffi could not be loaded; `cause` says why. */
export class FfiUnavailableError extends Error {
  readonly code = 'ERR_FFI_UNAVAILABLE';

  constructor(cause: unknown) {
    const refused =
      cause instanceof Error && 'code' in cause && cause.code === 'ERR_DLOPEN_DISABLED'
        ? "; under Node's --permission, native add-ons need --allow-addons as well"
        : '';
    super(`Cannot load koffi: ${cause instanceof Error ? cause.message : String(cause)}${refused}`, {
      cause,
    });
  }

  static {
    this.prototype.name = 'FfiUnavailableError';
  }
}

/** The runtime refuses array buffers over foreign memory, as Electron does since version 21. */
export class ViewUnsupportedError extends Error {
  readonly code = 'ERR_EXTERNAL_VIEW_UNSUPPORTED';

  constructor(cause: unknown) {
    const runtime = 'electron' in process.versions ? 'Electron' : 'This runtime';
    super(`${runtime} refuses array buffers over memory outside its heap, so no view can be made`, { cause });
  }

  static {
    this.prototype.name = 'ViewUnsupportedError';
  }
}

/** A view that nobody can detach, not even its owner. */
export class ViewNotDetachableError extends Error {
  readonly code = 'ERR_VIEW_NOT_DETACHABLE';

  constructor() {
    super(
      'The view cannot be detached: worker_threads.markAsUntransferable was called on it. It shows its memory until it is collected',
    );
  }

  static {
    this.prototype.name = 'ViewNotDetachableError';
  }
}

/** Neither a map of a file nor the file can change without a descriptor of it, nor where the map is no longer the file's. */
export function notResizable(): Coded {
  const message =
    'A map of a file can be made longer, and its file shorter, only if made with { resizable: true } and never partly replaced';
  return withCode(new Error(message), 'ERR_MMAP_NOT_RESIZABLE');
}

/** A touch of what would be cut off ends the process: SIGBUS. */
export function fileMappedElsewhere(address: number, byteLength: number): Coded {
  const message = `The file cannot be cut there: this process has mapped what lies behind, ${size(byteLength)} at ${hex(address)}`;
  return withCode(new Error(message), 'ERR_MMAP_FILE_MAPPED');
}

/** Only maps of shared memory have a handle. */
export function notShared(): Coded {
  const message = 'The Mmap has no handle: only those of Mmap.shared and Mmap.openShared do';
  return withCode(new Error(message), 'ERR_MMAP_NOT_SHARED');
}

/** A handle outlived the maps that gave it, or never was one. */
export function sharedMemoryGone(pid: number, fd: number, cause?: unknown): Coded {
  const message = `The shared memory is not there: process ${pid} has it no more as its descriptor ${fd}`;
  return withCode(new Error(message, cause === undefined ? undefined : { cause }), 'ERR_MMAP_SHARED_GONE');
}

/** A handle of what threads hold jointly, and none of them holds that any more; or it never was one. */
export function jointThingGone(what: string): Coded {
  const message = `The ${what} is not there: no thread of this process holds it any more, or the handle is not of this process`;
  return withCode(new Error(message), 'ERR_MMAP_SHARED_GONE');
}

/** The process has room to note so many. */
export function tooManyJoint(most: number): Coded {
  const message = `The threads of this process hold ${most} mappings and images jointly, and there is no room for more`;
  return withCode(new Error(message), 'ERR_MMAP_TOO_MANY_SHARED');
}

/** One thread's attachments to one thing. */
export function attachedTooOften(most: number): Coded {
  const message = `This thread is attached ${most} times already`;
  return withCode(new Error(message), 'ERR_MMAP_TOO_MANY_SHARED');
}

/** There is no place that all threads know. */
export function noJoint(obstacle: string | undefined): Coded {
  const message = `Threads cannot hold memory jointly here: ${obstacle ?? 'the process shares nothing'}`;
  return withCode(new Error(message), 'ERR_MMAP_THREADS_UNAVAILABLE');
}

/** The kernel answers "all of it" for the files of others, so that nobody can watch what they read. */
export function residencyHidden(): Coded {
  const message =
    'The system does not tell which pages of a file are in memory to those who may not write it';
  return withCode(new Error(message), 'ERR_MMAP_RESIDENCY_HIDDEN');
}

/** Pages that allow what {@link Access} has no word for. */
export function unknownAccess(address: number, byteLength: number): Coded {
  const message = `The pages at ${hex(address)}, ${size(byteLength)}, allow something that could not be put back`;
  return withCode(new Error(message), 'ERR_MMAP_UNKNOWN_ACCESS');
}

/** A restorer was closed. */
export function restorerClosed(): Coded {
  return withCode(new Error('The PageRestorer was closed'), 'ERR_RESTORER_CLOSED');
}

/** An image cannot be copied any more, and nothing else brings its bytes back. */
export function imageDetached(): Coded {
  const message =
    'The bytes of an image are gone (its buffer was detached), and dropping pages does not bring them back';
  return withCode(new Error(message), 'ERR_RESTORER_IMAGE_DETACHED');
}
