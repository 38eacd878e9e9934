/** What can be done with the pages of a map, whoever made it and however it is looked at. */

import { checkInteger } from '@guardstripe/common';
import { checkAccess } from './checks.js';
import type { Mapping } from './mapping.js';
import { checkImagePart, type MemoryImage, type MemoryImagePart } from './memory-image.js';
import type { Advice } from './operations/advice.js';
import { decommitMany, type PageRange } from './operations/decommit-many.js';
import { advise, adviseAsync, lock, sync, syncAsync, unlock, type LockOptions } from './operations/hints.js';
import { nameOf } from './operations/name.js';
import { pageAccess, type PageAccess } from './operations/page-access.js';
import { protectWhile, type ProtectionGuard } from './operations/protection-guard.js';
import { residentBytes, residentPages, residentRanges } from './operations/residency.js';
import type { Access } from './platform/virtual-memory.js';

/** For the classes of this package that work on a map. */
export let mappingOf: (map: MmapPages) => Mapping;

/** The operations on pages that every {@link Mmap} has. */
export abstract class MmapPages {
  readonly #mapping: Mapping;

  static {
    mappingOf = (map) => map.#mapping;
  }

  /** @internal */
  constructor(mapping: Mapping) {
    this.#mapping = mapping;
  }

  /** Lets the range be read and written: {@link protect}. */
  makeAccessible(offset: number, byteLength: number): void {
    this.protect(offset, byteLength, 'read-write');
  }

  /** Makes any touch of the range fault: {@link protect}. Contents stay. */
  makeInaccessible(offset: number, byteLength: number): void {
    this.protect(offset, byteLength, 'none');
  }

  /**
   * Sets what the range allows. Contents stay. It must start on a page; where it ends within one, all of that page is meant, as
   * `mprotect(2)` has it.
   */
  protect(offset: number, byteLength: number, access: Access): void;
  /** Sets what the whole map allows. */
  protect(access: Access): void;
  protect(...args: [Access] | [offset: number, byteLength: number, access: Access]): void {
    const mapping = this.#mapping;
    const [offset, byteLength, access] = args.length === 1 ? [0, mapping.byteLength, args[0]] : args;
    const start = mapping.openStartOf(offset, byteLength);
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
   * {@link protect} until the returned guard is restored or disposed: then each page allows again what it
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

  /**
   * Tells the system how a range will be used. See {@link Advice} for what there is. Takes any bytes; the advice is of the
   * pages that hold them. `'free'` alone, which lets go of bytes, takes whole pages.
   */
  advise(offset: number, byteLength: number, advice: Advice): void;
  /** Tells the system how the whole map will be used. */
  advise(advice: Advice): void;
  advise(...args: [Advice] | [offset: number, byteLength: number, advice: Advice]): void {
    const [offset, byteLength, advice] = args.length === 1 ? [0, this.#mapping.byteLength, args[0]] : args;
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
    const [offset, byteLength, advice] = args.length === 1 ? [0, this.#mapping.byteLength, args[0]] : args;
    return adviseAsync(this.#mapping, offset, byteLength, advice);
  }

  /**
   * Keeps in memory the pages that hold a range of any bytes, all of them (without arguments, of the map) or, after a refusal,
   * none. Pages without access cannot be brought in and refuse (`ENOMEM`), as does a range beyond `RLIMIT_MEMLOCK`.
   */
  lock(offset?: number, byteLength?: number, options: LockOptions = {}): void {
    lock(this.#mapping, offset, byteLength, options);
  }

  /**
   * Lets the pages go that hold a range of any bytes, their other bytes too; without arguments, all of the map. One call undoes any
   * number of locks.
   */
  unlock(offset?: number, byteLength?: number): void {
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
   * Names the range, by default all of it, in `/proc/self/maps`: `[anon:NAME]`. `null` takes the name away. For maps of no file.
   *
   * @param name at most 79 printable ASCII characters, none of ``[]\$` ``.
   * @returns false where the kernel knows no names (before Linux 5.17, or built without them); nothing has changed then.
   */
  name(name: string | null, offset = 0, byteLength?: number): boolean {
    return nameOf(this.#mapping, name, offset, byteLength);
  }

  /** What the pages that hold a range of bytes allow now, asked of the system. Without arguments, those of the map. */
  pageAccess(offset?: number, byteLength?: number): PageAccess[] {
    return pageAccess(this.#mapping, offset, byteLength);
  }
}
