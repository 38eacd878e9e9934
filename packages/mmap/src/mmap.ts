/**
 * A mapping with an owner: every range is checked before the kernel hears of it, and nothing can be reached through it
 * once it is closed. The class is the face; `mapping.ts` has the state and a picture of it.
 */

import {
  checkBoolean,
  checkByteRange,
  checkBytes,
  checkInteger,
  invalidArgType,
  readOptions,
  hex,
  size,
  showAs,
} from '@guardstripe/common';
import type { Advice } from './operations/advice.js';
import {
  mapAnonymous,
  mapReserved,
  type AnonymousOptions,
  type MmapOptions,
} from './operations/anonymous.js';
import { checkAccess } from './checks.js';
import { decommitMany, type PageRange } from './operations/decommit-many.js';
import { read, readInto, write } from './operations/copy.js';
import { mapFile, type FileLike, type FromFileOptions } from './operations/file-range.js';
import { advise, adviseAsync, lock, sync, syncAsync, unlock, type LockOptions } from './operations/hints.js';
import { MmapHold } from './operations/hold.js';
import { Mapping, type MappedPages } from './mapping.js';
import { checkImagePart, type MemoryImage, type MemoryImagePart } from './memory-image.js';
import { nameOf } from './operations/name.js';
import { pageAccess, type PageAccess } from './operations/page-access.js';
import { protectWhile, type ProtectionGuard } from './operations/protection-guard.js';
import { residentBytes, residentPages, residentRanges } from './operations/residency.js';
import { resize, type ResizeOptions } from './operations/resize.js';
import { notOfThisMap, notOurs, recordOf } from './views/view.js';
import type { Access } from './platform/virtual-memory.js';

/** Options of {@link Mmap.close}. */
export interface CloseOptions {
  /**
   * Give the addresses back at once too. For who knows that nothing he started with a view is still running. Addresses of
   * a view that was transferred away stay withheld all the same. Default false.
   */
  readonly unsafe?: boolean;
}

const TOKEN = Symbol('Mmap');

/** For the classes of this package that work on a map. */
export let mappingOf: (map: Mmap) => Mapping;

let make: (pages: MappedPages) => Mmap;

/**
 * A range of mapped pages. Made by {@link Mmap.reserve}, {@link Mmap.anonymous}, {@link Mmap.accessibleReserved} and
 * {@link Mmap.fromFile}; given back by {@link Mmap.close} or `using`.
 *
 * Offsets and lengths are bytes. Operations on pages take ranges of whole pages inside of the map (`RangeError`
 * otherwise, before any system call); an empty range is a no-op. Each throws {@link MmapClosedError} after `close()`
 * and {@link SystemError} when the system refuses; the asynchronous ones reject.
 */
export class Mmap implements Disposable {
  readonly #mapping: Mapping;

  static {
    mappingOf = (map) => map.#mapping;
    // Not by name: a class that names itself is renamed by the bundler, and its name shows in messages.
    make = (pages) => new this(TOKEN, pages);
    showAs(this.prototype, (map) => {
      const { address, byteLength, isOpen } = map.#mapping;
      return `Mmap { ${size(byteLength)} at ${hex(address)}, ${isOpen ? 'open' : 'closed'} }`;
    });
  }

  private constructor(token: typeof TOKEN, pages: MappedPages) {
    if (token !== TOKEN) {
      const wanted = 'that of this class: use Mmap.reserve, .anonymous, .accessibleReserved or .fromFile';
      throw invalidArgType('token', wanted, token);
    }
    this.#mapping = new Mapping(pages);
  }

  /**
   * Reserves address space: no access, no memory behind it.
   *
   * @param byteLength a multiple of the page size, at least one page.
   */
  static reserve(byteLength: number, options: MmapOptions = {}): Mmap {
    return make(mapReserved('byteLength', 0, byteLength, options));
  }

  /**
   * Maps zeros that can be read and written; memory is taken page by page at the first touch.
   *
   * @throws {@link HugePagesUnavailableError} where `hugePages` are asked for and too few are free.
   */
  static anonymous(byteLength: number, options: AnonymousOptions = {}): Mmap {
    return make(mapAnonymous(byteLength, options));
  }

  /** Reserves `totalBytes`, of which the first `accessibleBytes` can be read and written. Both in whole pages. */
  static accessibleReserved(accessibleBytes: number, totalBytes: number, options: MmapOptions = {}): Mmap {
    return make(mapReserved('totalBytes', accessibleBytes, totalBytes, options));
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
    return make(mapFile(file, options));
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

  /** Lets the range be read and written. */
  makeAccessible(offset: number, byteLength: number): void {
    this.protect(offset, byteLength, 'read-write');
  }

  /** Makes any touch of the range fault. Contents stay. */
  makeInaccessible(offset: number, byteLength: number): void {
    this.protect(offset, byteLength, 'none');
  }

  /** Sets what the range allows. Contents stay. */
  protect(offset: number, byteLength: number, access: Access): void;
  /** Sets what the whole map allows. */
  protect(access: Access): void;
  protect(...args: [Access] | [offset: number, byteLength: number, access: Access]): void {
    const mapping = this.#mapping;
    const [offset, byteLength, access] = args.length === 1 ? [0, mapping.byteLength, args[0]] : args;
    const start = mapping.startOf(offset, byteLength);
    checkAccess(access);
    if (byteLength !== 0)
      mapping.virtualMemory.protect(start, mapping.endOf(offset, byteLength) - start, access);
  }

  /**
   * Sets what the range allows and its protection key, in one system call. Keys are had from `@guardstripe/mpk`; key 0 is
   * every page's default.
   */
  protectWithKey(offset: number, byteLength: number, access: Access, key: number): void {
    const mapping = this.#mapping;
    const start = mapping.startOf(offset, byteLength);
    checkAccess(access);
    checkInteger(key, 'key');
    if (byteLength === 0) return;
    mapping.virtualMemory.protectWithKey(start, mapping.endOf(offset, byteLength) - start, access, key);
  }

  /**
   * Sets what the range allows, until the returned guard is restored or disposed: then each page allows again what it
   * allowed before, wherever that came from. The map cannot be resized meanwhile.
   *
   * ```text
   * { using _ = map.protectWhile(0, map.byteLength, 'read'); nobodyWrites(); }
   * ```
   *
   * @throws `Error` `ERR_MMAP_UNKNOWN_ACCESS` for pages that can be written and executed, made so by others.
   */
  protectWhile(offset: number, byteLength: number, access: Access): ProtectionGuard {
    return protectWhile(this.#mapping, offset, byteLength, access);
  }

  /**
   * Drops the range's pages: anonymous memory reads zeros again, an image or a private file map its original bytes.
   * Locked pages refuse (`EINVAL`).
   */
  decommit(offset: number, byteLength: number): void {
    const mapping = this.#mapping;
    const start = mapping.startOf(offset, byteLength);
    if (byteLength !== 0) mapping.virtualMemory.decommit(start, mapping.endOf(offset, byteLength) - start);
  }

  /**
   * Drops the pages of many ranges, in one system call where the kernel can (Linux 6.13) and else one by one. All are checked
   * before any is dropped. After a refusal of the system each may or may not have been.
   */
  decommitMany(ranges: Iterable<PageRange>): void {
    decommitMany(this.#mapping, ranges);
  }

  /**
   * Maps `image`, or a part of it, over the pages from `offset` on, copy-on-write. All of it must fit. What was there is
   * gone, and so is a protection key on it.
   *
   * @param part which bytes of the image, in whole pages. Default all of them.
   * @throws {@link MemoryImageClosedError} for a closed image.
   */
  mapImageAt(
    image: MemoryImage,
    offset: number,
    access: Access = 'read-write',
    part: MemoryImagePart = {},
  ): void {
    const mapping = this.#mapping;
    const { fd, imageOffset, byteLength } = checkImagePart(image, part, mapping.virtualMemory.pageSize);
    const start = mapping.exactStartOf(offset, byteLength);
    checkAccess(access);
    if (byteLength === 0) return;
    mapping.virtualMemory.mapFile(fd, imageOffset, start, byteLength, access, 'private');
    mapping.replaced(start, byteLength);
  }

  /** Replaces the range by fresh zero pages, whatever was mapped there. A protection key on it is gone. */
  remapAsZerosAt(offset: number, byteLength: number, access: Access = 'none'): void {
    const mapping = this.#mapping;
    const start = mapping.startOf(offset, byteLength);
    checkAccess(access);
    if (byteLength === 0) return;
    const mapBytes = mapping.endOf(offset, byteLength) - start;
    mapping.virtualMemory.mapZeros(start, mapBytes, access);
    mapping.replaced(start, mapBytes);
  }

  /**
   * Writes changed pages of a shared file map to the file, and waits until they are there. Takes any bytes; the pages that
   * hold them are written whole. Without arguments, all of the map.
   */
  sync(offset?: number, byteLength?: number): void {
    sync(this.#mapping, offset, byteLength);
  }

  /** {@link sync} on another thread. `close()` may be called meanwhile: the pages go when the call ends. */
  syncAsync(offset?: number, byteLength?: number): Promise<void> {
    return syncAsync(this.#mapping, offset, byteLength);
  }

  /** Tells the system how a range of pages will be used. See {@link Advice} for what there is. */
  advise(offset: number, byteLength: number, advice: Advice): void;
  /** Tells the system how the whole map will be used. */
  advise(advice: Advice): void;
  advise(...args: [Advice] | [offset: number, byteLength: number, advice: Advice]): void {
    const [offset, byteLength, advice] = args.length === 1 ? [0, this.byteLength, args[0]] : args;
    advise(this.#mapping, offset, byteLength, advice);
  }

  /**
   * {@link advise} on another thread, for the hints that take their time: `'willneed'`, `'populate-read'`,
   * `'populate-write'`, `'collapse'`, `'pageout'`. `close()` may be called meanwhile: the pages go when the call ends.
   */
  adviseAsync(offset: number, byteLength: number, advice: Advice): Promise<void>;
  /** {@link advise} of the whole map, on another thread. */
  adviseAsync(advice: Advice): Promise<void>;
  adviseAsync(...args: [Advice] | [offset: number, byteLength: number, advice: Advice]): Promise<void> {
    const [offset, byteLength, advice] = args.length === 1 ? [0, this.byteLength, args[0]] : args;
    return adviseAsync(this.#mapping, offset, byteLength, advice);
  }

  /**
   * Keeps pages in memory, all of the range (without arguments, of the map) or, after a refusal, none of it. Pages without access
   * cannot be brought in and refuse (`ENOMEM`), as does a range beyond `RLIMIT_MEMLOCK`.
   */
  lock(offset = 0, byteLength = this.byteLength - offset, options: LockOptions = {}): void {
    lock(this.#mapping, offset, byteLength, options);
  }

  /** Lets pages go again; without arguments, all of the map. One call undoes any number of locks. */
  unlock(offset = 0, byteLength = this.byteLength - offset): void {
    unlock(this.#mapping, offset, byteLength);
  }

  /**
   * Bytes in memory now, in whole pages, among the pages that hold a range of any bytes. For a file map, those the system
   * has cached, read through this map or not. Without arguments, of all of the map.
   *
   * @throws `Error` `ERR_MMAP_RESIDENCY_HIDDEN` for a file that this process may not write: the system says "all of it" then.
   */
  resident(offset?: number, byteLength?: number): number {
    return residentBytes(this.#mapping, offset, byteLength);
  }

  /**
   * For each page that holds a part of the range, 1 if it is in memory now and 0 if not.
   *
   * @throws `RangeError` for more than 2^28 pages; {@link residentRanges} answers for those.
   */
  residentPages(offset?: number, byteLength?: number): Uint8Array {
    return residentPages(this.#mapping, offset, byteLength);
  }

  /** The pages that are in memory now, as {@link residentPages} finds them, in runs; for maps of any length. */
  residentRanges(offset?: number, byteLength?: number): PageRange[] {
    return residentRanges(this.#mapping, offset, byteLength);
  }

  /**
   * Makes the map longer or shorter; it moves when there is no room behind it. Every view is detached, as growing a
   * `WebAssembly.Memory` does, and `address` read anew. New pages read zeros, or the file, and allow what the last page
   * does. To grow, all pages must be of one kind: same access, no image over a part of them (`EFAULT` otherwise); and of
   * the usual size (`EINVAL` for huge pages). A file map can grow if made with `resizable`, and if no image or zeros were
   * mapped over it.
   *
   * @param newByteLength whole pages; for a file map any number of bytes. At least one.
   * @throws `RangeError` past the end of the file, without `growFile`.
   * @throws {@link MmapBusyError} while asynchronous calls run or a guard of {@link protectWhile} is not restored.
   */
  resize(newByteLength: number, options: ResizeOptions = {}): void {
    resize(this.#mapping, newByteLength, options);
  }

  /**
   * Names the range, by default all of it, in `/proc/self/maps`: `[anon:NAME]`. `null` takes the name away. For maps of no file.
   *
   * @param name at most 79 printable ASCII characters, none of ``[]\$` ``.
   * @returns false where the kernel knows no names (before Linux 5.17, or built without them); nothing has changed then.
   */
  name(name: string | null, offset = 0, byteLength?: number): boolean {
    return nameOf(this.#mapping, name, offset, byteLength);
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

  /** What the pages that hold a range of bytes allow now, asked of the system. Without arguments, those of the map. */
  pageAccess(offset?: number, byteLength?: number): PageAccess[] {
    return pageAccess(this.#mapping, offset, byteLength);
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
