/**
 * A mapping with an owner: every range is checked before the kernel hears of it, and nothing can be reached through it
 * once it is closed. The class is the face, with its pages in `mmap-pages.ts`; `mapping.ts` has the state and a picture
 * of it.
 */

import {
  checkBoolean,
  checkByteRange,
  checkBytes,
  invalidArgType,
  readOptions,
  hex,
  size,
  showAs,
} from '@guardstripe/common';
import {
  mapAnonymous,
  mapReserved,
  type AnonymousOptions,
  type MmapOptions,
} from './operations/anonymous.js';
import { read, readInto, write } from './operations/copy.js';
import { mapFile, type FileLike, type FromFileOptions } from './operations/file-range.js';
import { MmapHold } from './operations/hold.js';
import type { MappedPages, SharedMemoryHandle } from './mapped-pages.js';
import { Mapping } from './mapping.js';
import { MmapPages } from './mmap-pages.js';
import { resize, type ResizeOptions } from './operations/resize.js';
import {
  handleOf,
  mapHandle,
  mapShared,
  type OpenSharedOptions,
  type SharedOptions,
} from './operations/shared-memory.js';
import { notOfThisMap, notOurs, recordOf } from './views/view.js';

/** Options of {@link Mmap.close}. */
export interface CloseOptions {
  /**
   * Give the addresses back at once too. For who knows that nothing he started with a view is still running. Addresses of
   * a view that was transferred away stay withheld all the same. Default false.
   */
  readonly unsafe?: boolean;
}

const TOKEN = Symbol('Mmap');

/** For the functions of this package that make maps elsewhere. */
export let makeMap: (pages: MappedPages) => Mmap;

/**
 * A range of mapped pages. Made by {@link Mmap.reserve}, {@link Mmap.anonymous}, {@link Mmap.accessibleReserved},
 * {@link Mmap.fromFile}, {@link Mmap.shared} and {@link Mmap.openShared}; given back by {@link Mmap.close} or `using`.
 *
 * Offsets and lengths are bytes. Ranges must lie inside of the map, and begin and end with a page where an operation does not
 * say that it takes any bytes (`RangeError` otherwise, before any system call); an empty range is a no-op. Each throws
 * {@link MmapClosedError} after `close()` and {@link SystemError} when the system refuses; the asynchronous ones reject.
 */
export class Mmap extends MmapPages implements Disposable {
  readonly #mapping: Mapping;

  static {
    // Not by name: a class that names itself is renamed by the bundler, and its name shows in messages.
    makeMap = (pages) => new this(TOKEN, pages);
    showAs(this.prototype, (map) => {
      const { address, byteLength, isOpen } = map.#mapping;
      return `Mmap { ${size(byteLength)} at ${hex(address)}, ${isOpen ? 'open' : 'closed'} }`;
    });
  }

  private constructor(token: typeof TOKEN, pages: MappedPages) {
    if (token !== TOKEN) {
      const wanted =
        'that of this class: use Mmap.reserve, .anonymous, .accessibleReserved, .fromFile or .shared';
      throw invalidArgType('token', wanted, token);
    }
    const mapping = new Mapping(pages);
    super(mapping);
    this.#mapping = mapping;
  }

  /**
   * Reserves address space: no access, no memory behind it.
   *
   * @param byteLength a multiple of the page size, at least one page.
   */
  static reserve(byteLength: number, options: MmapOptions = {}): Mmap {
    return makeMap(mapReserved('byteLength', 0, byteLength, options));
  }

  /**
   * Maps zeros that can be read and written; memory is taken page by page at the first touch.
   *
   * @throws {@link HugePagesUnavailableError} where `hugePages` are asked for and too few are free.
   */
  static anonymous(byteLength: number, options: AnonymousOptions = {}): Mmap {
    return makeMap(mapAnonymous(byteLength, options));
  }

  /** Reserves `totalBytes`, of which the first `accessibleBytes` can be read and written. Both in whole pages. */
  static accessibleReserved(accessibleBytes: number, totalBytes: number, options: MmapOptions = {}): Mmap {
    return makeMap(mapReserved('totalBytes', accessibleBytes, totalBytes, options));
  }

  /**
   * Maps a file, or a part of it. Neither offset nor length need be page-aligned. A descriptor stays the caller's and may be
   * closed at once; a path is opened and closed here. Shrinking the file under the map makes touching the lost
   * pages end the process (SIGBUS).
   *
   * An empty file gives an empty map, which can grow if made with `resizable`.
   *
   * @throws `TypeError` for what is not a regular file.
   * @throws `RangeError` for a range past the end of the file.
   * @throws {@link SystemError} as the system has it: ENOENT, EACCES, EBADF.
   */
  static fromFile(file: FileLike, options: FromFileOptions = {}): Mmap {
    return makeMap(mapFile(file, options));
  }

  /**
   * Maps zeros that other threads and processes can map, too: {@link share} says where they are. Their length is sealed: no process
   * can cut them under the others. The memory lives as long as any map of it. `decommit` drops none of it.
   *
   * ```ts
   * using map = Mmap.shared(65_536);
   * using other = Mmap.openShared(map.share()); // mostly: in another thread or process
   * other.write(0, Uint8Array.of(1));
   * console.log(map.read(0, 1)[0]); // 1
   * ```
   *
   * @param byteLength any number of bytes, at least one.
   */
  static shared(byteLength: number, options: SharedOptions = {}): Mmap {
    return makeMap(mapShared(byteLength, options));
  }

  /**
   * Maps the memory of a handle that {@link share} gave, in any thread or process of the same user. Nothing is trusted but what the
   * system says: a handle whose maps were closed, or that names another file, is refused.
   *
   * @throws `Error` `ERR_MMAP_SHARED_GONE` where the memory is not there any more.
   * @throws {@link SystemError} `EACCES` for a process that may not look into the other.
   */
  static openShared(handle: SharedMemoryHandle, options: OpenSharedOptions = {}): Mmap {
    return makeMap(mapHandle(handle, options));
  }

  /**
   * Address of offset 0; another one after {@link resize}. A number kept beyond {@link close} points at nothing, or at
   * somebody else's pages.
   */
  get address(): number {
    return this.#mapping.address;
  }

  /** Bytes in the map, as asked for. */
  get byteLength(): number {
    return this.#mapping.byteLength;
  }

  /** True from `close()` on, also while an asynchronous call still keeps the pages. */
  get closed(): boolean {
    return !this.#mapping.isOpen;
  }

  /**
   * Makes the map longer or shorter; it moves when there is no room behind it. Every view is detached, as growing a
   * `WebAssembly.Memory` does, and `address` read anew. New pages read zeros, or the file, and allow what the last page
   * does. To grow, all pages must be of one kind: same access, no image over a part of them (`EFAULT` otherwise); and of
   * the usual size (`EINVAL` for huge pages). A file map can grow, and cut its file, if made with `resizable`, and if no image or
   * zeros were mapped over it.
   *
   * @param newByteLength whole pages; for a file map any number of bytes. At least one.
   * @throws `RangeError` past the end of the file, without `growFile`.
   * @throws `Error` `ERR_MMAP_FILE_MAPPED` with `shrinkFile`, while this process has mapped a part that would be lost.
   * @throws {@link MmapBusyError} while asynchronous calls run or a guard of {@link Mmap.protectWhile} is not restored.
   */
  resize(newByteLength: number, options: ResizeOptions = {}): void {
    resize(this.#mapping, newByteLength, options);
  }

  /**
   * Where other threads and processes find this memory, as plain data for `postMessage`, `process.send` or JSON. They must open it
   * ({@link Mmap.openShared}) before this map is closed, and have a descriptor and maps of their own then.
   *
   * @throws `Error` `ERR_MMAP_NOT_SHARED` for other maps than those of {@link Mmap.shared} and {@link Mmap.openShared}.
   */
  share(): SharedMemoryHandle {
    return handleOf(this.#mapping);
  }

  /**
   * An `ArrayBuffer` over a range of bytes of any alignment: the same one for the same range as long as it is attached.
   * Touching bytes that are not accessible ends the process. `close()`, `resize()` and {@link detachView} detach it; it cannot
   * be transferred or posted.
   */
  view(offset = 0, byteLength?: number): ArrayBuffer {
    const mapping = this.#mapping;
    mapping.assertOpen();
    checkBytes(offset, 'offset');
    const viewBytes = byteLength === undefined ? Math.max(0, mapping.byteLength - offset) : byteLength;
    checkByteRange(offset, viewBytes, mapping.byteLength);
    return mapping.view(offset, viewBytes);
  }

  /**
   * Detaches a view of this map now. V8 counts a view's whole length as memory, so this is worth doing for large ones. A view
   * that is detached already is left alone.
   *
   * @throws `TypeError` for a buffer that is no view of this map.
   * @throws {@link ViewNotDetachableError} for a view that `worker_threads.markAsUntransferable` was called on (Node 24
   *   and later).
   */
  detachView(view: ArrayBuffer): void {
    this.#mapping.assertOpen();
    if (!this.#mapping.hasMade(view)) {
      throw recordOf(view) === undefined ? notOurs(view) : notOfThisMap(view);
    }
    this.#mapping.detachView(view);
  }

  /**
   * Detaches every view, then gives the pages back: memory, file and descriptor at once, or when the last asynchronous call of
   * this map ends. Operations that were started with a view (`fs.read`, a socket's write) keep its address, detached or not; so
   * the *addresses* of a map that had views become nobody else's before the engine has collected them all
   * ({@link withheldAddresses}). Zeros lie there meanwhile.
   *
   * Idempotent. If the system refuses, the map is still open (its views are detached) and closing can be tried again.
   */
  close(options: CloseOptions = {}): void {
    const { unsafe = false } = readOptions(options, ['unsafe']);
    checkBoolean(unsafe, 'options.unsafe');
    this.#mapping.close(unsafe);
  }

  /**
   * {@link close}, and waits until the pages were given back: for asynchronous calls that still run, and for every {@link hold}.
   * Rejects if the system refuses; closing can be tried again.
   */
  async closeAsync(options: CloseOptions = {}): Promise<void> {
    this.close(options);
    await this.#mapping.whenClosed();
  }

  /**
   * Says that somebody whom JavaScript does not see uses the pages, such as a native library that was given the address. Until
   * the hold is released, `close()` leaves the pages where they are, and `resize()` throws {@link MmapBusyError}. A map
   * is not collected while it is held.
   */
  hold(): MmapHold {
    return new MmapHold(this.#mapping);
  }

  /**
   * Copies bytes out of the map, without a view. Where a view would end the process (pages without access, or that a file lost),
   * this throws.
   *
   * @throws {@link SystemError} `EFAULT` for bytes that cannot be read.
   */
  read(offset: number, byteLength: number): Uint8Array<ArrayBuffer> {
    return read(this.#mapping, offset, byteLength);
  }

  /** {@link read} into `target`, as many bytes as that is long. */
  readInto(target: Uint8Array, offset = 0): void {
    readInto(this.#mapping, target, offset);
  }

  /**
   * Copies bytes into the map, without a view.
   *
   * @throws {@link SystemError} `EFAULT` for pages that cannot be written, such as those of a read-only map; what lies before
   *   them in the range may have been written then.
   */
  write(offset: number, bytes: Uint8Array): void {
    write(this.#mapping, offset, bytes);
  }

  /** {@link closeAsync}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.closeAsync();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
