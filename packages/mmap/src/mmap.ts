/**
 * A mapping with an owner: every range is checked before the kernel hears of it, and nothing can be reached through it
 * once it is closed.
 *
 * ```
 *            address                                          address + byteLength
 *               |<-------------------- byteLength -------------------->|
 *   |<- lead ->|
 *   |<--------------------------- mapBytes ------------------------------------->|
 *   mapAddress (page boundary)                                        page boundary
 * ```
 *
 * Lead and tail exist only where a file was mapped from within a page or ends within one. The first page is then
 * reached by a range that starts at offset 0, the last by one that ends at `byteLength`.
 */

import {
  checkAccess,
  checkBytes,
  checkInteger,
  checkOptions,
  checkPages,
  checkVirtualMemory,
} from './checks.js';
import { invalidArgType, invalidArgValue, MmapClosedError, outOfRange } from './errors.js';
import { mapFile, type FromFileOptions, type MappedFile } from './file-range.js';
import { hex, size } from './format.js';
import { forgetLeak, watchForLeak } from './leak-net.js';
import { MemoryImage } from './memory-image.js';
import { platform } from './platform.js';
import { detachView } from './view.js';
import { ViewTable } from './view-table.js';
import type { Access, VirtualMemory } from './virtual-memory.js';

/** Options of the constructors of {@link Mmap}. */
export interface MmapOptions {
  /** The platform to use. Default {@link platform}. */
  readonly virtualMemory?: VirtualMemory;
}

/**
 * Stands for the mapped pages. The map holds it, and so does every view (in {@link lifetimes}): it is collected when
 * the last of them is gone, and not before may the pages go.
 */
class Lifetime {
  readonly mapAddress: number;
  readonly mapBytes: number;

  constructor(virtualMemory: VirtualMemory, mapAddress: number, mapBytes: number) {
    this.mapAddress = mapAddress;
    this.mapBytes = mapBytes;
    watchForLeak(this, `Mmap of ${size(mapBytes)} at ${hex(mapAddress)}`, () =>
      virtualMemory.unmap(mapAddress, mapBytes),
    );
  }
}

const lifetimes = new WeakMap<ArrayBuffer, Lifetime>();

const TOKEN = Symbol('Mmap');

/**
 * A range of mapped pages. Made by {@link Mmap.reserve}, {@link Mmap.anonymous}, {@link Mmap.accessibleReserved} and
 * {@link Mmap.fromFile}; given back by {@link Mmap.close} or `using`.
 *
 * Offsets and lengths are bytes. Operations on pages take ranges of whole pages inside of the map (`RangeError`
 * otherwise, before any system call); an empty range is a no-op. Each throws {@link MmapClosedError} after `close()`
 * and {@link SystemError} when the system refuses.
 */
export class Mmap implements Disposable {
  /** Address of offset 0. A number kept beyond {@link close} points at nothing, or at somebody else's pages. */
  readonly address: number;
  /** Bytes in the map, as asked for. */
  readonly byteLength: number;
  readonly #virtualMemory: VirtualMemory;
  readonly #pageSize: number;
  readonly #lifetime: Lifetime;
  readonly #views = new ViewTable();
  #closed = false;

  /** @internal */
  constructor(token: typeof TOKEN, mapped: MappedFile) {
    if (token !== TOKEN)
      throw new TypeError('Use Mmap.reserve, .anonymous, .accessibleReserved or .fromFile');
    this.#virtualMemory = mapped.virtualMemory;
    this.#pageSize = mapped.virtualMemory.pageSize;
    this.#lifetime = new Lifetime(mapped.virtualMemory, mapped.mapAddress, mapped.mapBytes);
    this.address = mapped.mapAddress + mapped.leadBytes;
    this.byteLength = mapped.byteLength;
  }

  /**
   * Reserves address space: no access, no memory behind it.
   *
   * @param byteLength a multiple of the page size, at least one page.
   */
  static reserve(byteLength: number, options: MmapOptions = {}): Mmap {
    return reserved('byteLength', 0, byteLength, options);
  }

  /** Maps zeros that can be read and written; memory is taken page by page at the first touch. */
  static anonymous(byteLength: number, options: MmapOptions = {}): Mmap {
    return reserved('byteLength', byteLength, byteLength, options);
  }

  /** Reserves `totalBytes`, of which the first `accessibleBytes` can be read and written. Both in whole pages. */
  static accessibleReserved(accessibleBytes: number, totalBytes: number, options: MmapOptions = {}): Mmap {
    return reserved('totalBytes', accessibleBytes, totalBytes, options);
  }

  /**
   * Maps a file, or a part of it. Neither offset nor length need be page-aligned. A descriptor stays the caller's and may be
   * closed at once; a path is opened and closed here. Shrinking the file under the map makes touching the lost
   * pages end the process (SIGBUS).
   *
   * @throws {TypeError} for an empty file or one that is not a regular file.
   * @throws {RangeError} for a range past the end of the file.
   * @throws {SystemError} as the system has it: ENOENT, EACCES, EBADF.
   */
  static fromFile(file: number | string | URL, options: FromFileOptions = {}): Mmap {
    return make(mapFile(file, options));
  }

  get closed(): boolean {
    return this.#closed;
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
  protect(offset: number, byteLength: number, access: Access): void {
    const start = this.#startOf(offset, byteLength);
    checkAccess(access);
    if (byteLength !== 0) this.#virtualMemory.protect(start, this.#endOf(offset, byteLength) - start, access);
  }

  /**
   * Sets what the range allows and its protection key, in one system call. Keys are had from `@guardstripe/mpk`; key 0 is
   * every page's default.
   */
  protectWithKey(offset: number, byteLength: number, access: Access, key: number): void {
    const start = this.#startOf(offset, byteLength);
    checkAccess(access);
    checkInteger('key', key);
    if (byteLength === 0) return;
    this.#virtualMemory.protectWithKey(start, this.#endOf(offset, byteLength) - start, access, key);
  }

  /**
   * Drops the range's pages and their memory. What is read next: zeros in anonymous memory, the image where one is mapped,
   * the file in a private file map. A shared file map only loses its place in the page table.
   */
  decommit(offset: number, byteLength: number): void {
    const start = this.#startOf(offset, byteLength);
    if (byteLength !== 0) this.#virtualMemory.decommit(start, this.#endOf(offset, byteLength) - start);
  }

  /**
   * Maps `image` over the pages from `offset` on, copy-on-write. Its whole length must fit. What was there is gone, and
   * so is a protection key on it.
   *
   * @throws {MemoryImageClosedError} for a closed image.
   */
  mapImageAt(image: MemoryImage, offset: number, access: Access = 'read-write'): void {
    if (!(image instanceof MemoryImage)) throw invalidArgType('image', 'a MemoryImage', image);
    const start = this.#startOf(offset, image.byteLength);
    const { fd } = image;
    checkAccess(access);
    if (image.byteLength === 0) return;
    const mapBytes = this.#endOf(offset, image.byteLength) - start;
    this.#virtualMemory.mapFile(fd, 0, start, mapBytes, access, 'private');
  }

  /** Replaces the range by fresh zero pages, whatever was mapped there. A protection key on it is gone. */
  remapAsZerosAt(offset: number, byteLength: number, access: Access = 'none'): void {
    const start = this.#startOf(offset, byteLength);
    checkAccess(access);
    if (byteLength !== 0)
      this.#virtualMemory.mapZeros(start, this.#endOf(offset, byteLength) - start, access);
  }

  /**
   * An `ArrayBuffer` over a range of bytes of any alignment: the same one for the same range as long as it is attached.
   * Touching bytes that are not accessible ends the process. `close()` and {@link detachView} detach it; it cannot
   * be transferred or posted.
   */
  view(offset = 0, byteLength?: number): ArrayBuffer {
    if (this.#closed) throw new MmapClosedError();
    const viewBytes = byteLength ?? Math.max(0, this.byteLength - offset);
    checkBytes(offset, viewBytes, this.byteLength);
    const view = this.#views.get(this.address + offset, offset, viewBytes);
    lifetimes.set(view, this.#lifetime);
    return view;
  }

  /**
   * Detaches a view of this map now. V8 counts a view's whole length as memory, so this is worth doing for large ones. A view
   * that is detached already is left alone.
   *
   * @throws {TypeError} for a buffer that is no view of this map.
   */
  detachView(view: ArrayBuffer): void {
    if (this.#closed) throw new MmapClosedError();
    if (!(view instanceof ArrayBuffer)) throw invalidArgType('view', 'an ArrayBuffer', view);
    if (lifetimes.get(view) !== this.#lifetime) throw invalidArgValue('view', 'a view of this Mmap', view);
    detachView(view);
    this.#views.delete(view);
  }

  /**
   * Detaches every view, then gives the pages back. Idempotent. If the system refuses, the map is still open (its views are
   * detached) and closing can be tried again.
   */
  close(): void {
    if (this.#closed) return;
    this.#views.detachAll();
    this.#virtualMemory.unmap(this.#lifetime.mapAddress, this.#lifetime.mapBytes);
    this.#closed = true;
    forgetLeak(this.#lifetime);
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Checks a range of pages; the address of its first page. */
  #startOf(offset: number, byteLength: number): number {
    if (this.#closed) throw new MmapClosedError();
    checkBytes(offset, byteLength, this.byteLength);
    const start = offset === 0 ? this.#lifetime.mapAddress : this.address + offset;
    const pageSize = this.#pageSize;
    if (start % pageSize !== 0) {
      throw outOfRange('offset', `0 or on a page boundary (pages of ${pageSize} bytes)`, offset);
    }
    if (this.#endOf(offset, byteLength) % pageSize !== 0 && byteLength !== 0) {
      const rule = `such that the range ends on a page boundary (pages of ${pageSize} bytes) or with the map`;
      throw outOfRange('byteLength', rule, byteLength);
    }
    return start;
  }

  /** The address behind the last page of a checked range. */
  #endOf(offset: number, byteLength: number): number {
    const { mapAddress, mapBytes } = this.#lifetime;
    return offset + byteLength === this.byteLength
      ? mapAddress + mapBytes
      : this.address + offset + byteLength;
  }
}

/** Reserves, and opens the front; what was reserved is given back if opening fails. */
function reserved(name: string, accessibleBytes: number, totalBytes: number, options: MmapOptions): Mmap {
  checkOptions(options);
  const { virtualMemory = platform() } = options;
  checkVirtualMemory(virtualMemory);
  const { pageSize } = virtualMemory;
  checkPages(name, totalBytes, pageSize, 1);
  checkPages('accessibleBytes', accessibleBytes, pageSize, 0);
  if (accessibleBytes > totalBytes) {
    throw outOfRange('accessibleBytes', `at most totalBytes, ${size(totalBytes)}`, accessibleBytes);
  }
  const mapAddress = virtualMemory.reserve(totalBytes);
  if (accessibleBytes > 0) {
    try {
      virtualMemory.protect(mapAddress, accessibleBytes, 'read-write');
    } catch (error) {
      virtualMemory.unmap(mapAddress, totalBytes);
      throw error;
    }
  }
  return make({ virtualMemory, mapAddress, mapBytes: totalBytes, leadBytes: 0, byteLength: totalBytes });
}

/** Outside of the class: a class that names itself is renamed by the bundler, and its name shows in messages. */
function make(mapped: MappedFile): Mmap {
  return new Mmap(TOKEN, mapped);
}
