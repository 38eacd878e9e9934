/**
 * What an {@link Mmap} is inside: where its pages are, who looks at them, and whether they may go.
 *
 * ```
 *            address                                          address + byteLength
 *               |<-------------------- byteLength -------------------->|
 *   |<- lead ->|
 *   |<--------------------------- mapBytes ------------------------------------->|
 *   mapAddress (granule boundary)                                   granule boundary
 * ```
 *
 * Lead and tail exist only where a file was mapped from within a page or ends within one, or where huge pages were asked for
 * part of one. The first page is then reached by a range that starts at offset 0, the last by one that ends at `byteLength`.
 */

import { bytesOutOfRange, checkByteRange, checkBytes } from '@guardstripe/common';
import { MmapClosedError, ViewNotDetachableError } from './errors.js';
import { forgetLeak } from './leak-net.js';
import { closeFile, giveBackPages, Lifetime } from './lifetime.js';
import type { MappedFile, MappedPages } from './mapped-pages.js';
import { PageSet } from './operations/page-set.js';
import type { Access, VirtualMemory } from './platform/virtual-memory.js';
import type { JointHold } from './process/joint/things.js';
import { ViewLedger } from './views/ledger.js';
import { RangeViews } from './views/range-views.js';
import { Reach } from './views/withheld.js';

/** Pages that allow the same: a range of bytes from the map's first page, and their access. */
export interface AccessRange {
  readonly start: number;
  readonly end: number;
  readonly access: Access;
}

/** What a guard of protectWhile did to a range of bytes from the map's first page. */
export interface GuardLayer {
  readonly start: number;
  readonly end: number;
  /** What to put back. */
  before: readonly AccessRange[];
}

/**
 * - `open`: in use.
 * - `closing`: closed for the user; the pages go when the last asynchronous call ends. Stays so if the system then
 *   refuses, until closing is tried again.
 * - `closed`: given back.
 */
type State = 'open' | 'closing' | 'closed';

export class Mapping {
  readonly virtualMemory: VirtualMemory;
  readonly granuleBytes: number;
  readonly leadBytes: number;
  readonly file: MappedFile | undefined;
  readonly hold: JointHold | undefined;
  address: number;
  byteLength: number;
  /** An image or zeros were mapped over pages, so what lies behind the last one need not be more of the same. */
  hasReplacedPages: boolean;
  /** Its pages were offered to KSM, which may turn zeros that lie over an image into the system's one page of zeros. */
  isMergeable = false;
  /** What guards of protectWhile did that are not restored, in the order they were made. */
  readonly guards = new Set<GuardLayer>();
  /** Others who need the map to stay where it is. */
  pins: number;
  /** Pages that were locked, as ranges from the map's first page. */
  readonly locked = new PageSet();
  readonly #lifetime: Lifetime;
  readonly #ledger: ViewLedger;
  readonly #views = new RangeViews();
  #pendingCalls = 0;
  readonly #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #state: State = 'open';

  constructor(pages: MappedPages) {
    const { virtualMemory, mapAddress, mapBytes, byteLength, file, hold } = pages;
    this.virtualMemory = virtualMemory;
    this.granuleBytes = pages.granuleBytes ?? virtualMemory.pageSize;
    this.leadBytes = pages.leadBytes;
    this.file = file;
    this.hold = hold;
    // Nothing is known of what other threads did to the pages; and they stay where those find them.
    this.hasReplacedPages = hold !== undefined;
    this.pins = hold === undefined ? 0 : 1;
    const state = { fd: file?.fd, reach: new Reach(), isExposed: false, hold };
    this.#lifetime = new Lifetime({ virtualMemory, mapAddress, mapBytes, ...state });
    this.#ledger = new ViewLedger(this.#lifetime);
    this.address = mapAddress + this.leadBytes;
    this.byteLength = byteLength;
  }

  get mapAddress(): number {
    return this.#lifetime.resources.mapAddress;
  }

  get mapBytes(): number {
    return this.#lifetime.resources.mapBytes;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get pendingCalls(): number {
    return this.#pendingCalls;
  }

  assertOpen(): void {
    if (this.#state !== 'open') throw new MmapClosedError();
  }

  /** Checks a range that starts on a page, and may end within one; the address of its first page. */
  openStartOf(offset: number, byteLength: number): number {
    this.assertOpen();
    checkByteRange(offset, byteLength, this.byteLength);
    const start = offset === 0 ? this.mapAddress : this.address + offset;
    const granule = this.granuleBytes;
    if (start % granule !== 0) {
      throw bytesOutOfRange('offset', `0 or on a page boundary (pages of ${granule} bytes)`, offset);
    }
    return start;
  }

  /** Checks a range of whole pages; the address of its first page. */
  startOf(offset: number, byteLength: number): number {
    const start = this.openStartOf(offset, byteLength);
    const granule = this.granuleBytes;
    const end = offset + byteLength;
    if (end !== this.byteLength && (this.address + end) % granule !== 0 && byteLength !== 0) {
      const rule = `such that the range ends on a page boundary (pages of ${granule} bytes) or with the map`;
      throw bytesOutOfRange('byteLength', rule, byteLength);
    }
    return start;
  }

  /** {@link startOf} where the page at an offset must begin there, and the range end with a page: neither a first nor a last part of one. */
  exactStartOf(offset: number, byteLength: number): number {
    this.assertOpen();
    checkByteRange(offset, byteLength, this.byteLength);
    const granule = this.granuleBytes;
    const start = this.address + offset;
    if (start % granule !== 0)
      throw bytesOutOfRange('offset', `on a page boundary (pages of ${granule} bytes)`, offset);
    if (byteLength % granule !== 0)
      throw bytesOutOfRange('byteLength', `whole pages of ${granule} bytes`, byteLength);
    return start;
  }

  /** The address behind the last page of a checked range, a part of a page counting as a whole one. */
  endOf(offset: number, byteLength: number): number {
    const end = offset + byteLength;
    return end === this.byteLength
      ? this.mapAddress + this.mapBytes
      : Math.ceil((this.address + end) / this.granuleBytes) * this.granuleBytes;
  }

  /**
   * Whether a page of zeros that is the system's own may have been written all the same: it may lie over other bytes, and have been merged.
   */
  get mistrustsZeros(): boolean {
    const hasOriginals = this.file !== undefined || this.hasReplacedPages;
    return hasOriginals && (this.isMergeable || this.virtualMemory.mergesEqualPages());
  }

  /** Fresh pages lie in a range: whatever was known of the old ones is not so any more. */
  replaced(start: number, byteLength: number): void {
    this.hasReplacedPages = true;
    this.locked.delete(start - this.mapAddress, start - this.mapAddress + byteLength);
  }

  /** A run of pages as a range of the map. A first or last page may hold more of a file than the map shows. */
  rangeOf(start: number, end: number): { offset: number; byteLength: number } {
    const offset = Math.max(0, start - this.address);
    return { offset, byteLength: Math.min(this.byteLength, end - this.address) - offset };
  }

  /** {@link pagesHolding} of what may be left out: all of the map, or all behind an offset. */
  pagesAround(
    offset = 0,
    byteLength?: number,
    pageSize = this.virtualMemory.pageSize,
  ): { start: number; byteLength: number } {
    this.assertOpen();
    checkBytes(offset, 'offset');
    const rest = Math.max(0, this.byteLength - offset);
    return this.pagesHolding(offset, byteLength === undefined ? rest : byteLength, pageSize);
  }

  /** Checks a range of bytes; the pages that hold them, whole. No bytes, no pages. `pageSize` may be that of huge pages. */
  pagesHolding(offset: number, byteLength: number, pageSize: number): { start: number; byteLength: number } {
    this.assertOpen();
    checkByteRange(offset, byteLength, this.byteLength);
    const first = this.address + offset;
    const start = first - (first % pageSize);
    const end = byteLength === 0 ? start : Math.ceil((first + byteLength) / pageSize) * pageSize;
    return { start, byteLength: end - start };
  }

  view(offset: number, byteLength: number): ArrayBuffer {
    const view = this.#views.get(offset, byteLength, () =>
      this.#ledger.make(this.address + offset, byteLength),
    );
    this.#lifetime.resources.isExposed = this.#ledger.isExposed;
    return view;
  }

  hasMade(view: unknown): view is ArrayBuffer {
    return this.#ledger.has(view);
  }

  detachView(view: ArrayBuffer): void {
    const outcome = this.#ledger.detach(view);
    this.#lifetime.resources.isExposed = this.#ledger.isExposed;
    if (outcome === 'undetachable') throw new ViewNotDetachableError();
  }

  /** Whether an address that this map leaves behind could be reached through a view, now or later. */
  get isWatched(): boolean {
    return this.#lifetime.resources.isExposed || !this.#lifetime.resources.reach.isFree;
  }

  /**
   * Ends every view. The address range they showed is known by the returned reach, for whatever part of it the map leaves.
   */
  endViews(unsafe = false): Reach {
    const { resources } = this.#lifetime;
    const ledger = this.#ledger;
    resources.reach.book((whenCollected) =>
      unsafe ? ledger.endUnsafe(whenCollected) : ledger.end(whenCollected),
    );
    this.#views.clear();
    resources.isExposed = false;
    return resources.reach;
  }

  /** Takes over what a resize made of the pages. */
  moveTo(mapAddress: number, mapBytes: number, byteLength: number): void {
    forgetLeak(this.#lifetime);
    const { resources } = this.#lifetime;
    // Nobody has a view of the new place.
    if (mapAddress !== resources.mapAddress) resources.reach = new Reach();
    resources.mapAddress = mapAddress;
    if (mapBytes < resources.mapBytes) this.locked.delete(mapBytes, resources.mapBytes);
    resources.mapBytes = mapBytes;
    this.#lifetime.watch();
    this.address = mapAddress + this.leadBytes;
    this.byteLength = byteLength;
  }

  /** Runs a call on another thread. Its pages stay mapped and the mapping uncollected until it settles. */
  async holdDuring(call: () => Promise<void>): Promise<void> {
    this.begin();
    try {
      await call();
    } finally {
      this.end();
    }
  }

  /** Somebody uses the pages from now on: they neither move nor go. */
  begin(): void {
    this.#pendingCalls += 1;
  }

  end(): void {
    this.#pendingCalls -= 1;
    if (this.#pendingCalls === 0 && this.#state === 'closing') this.#closeLate();
  }

  /** Settles when the pages were given back, or when that was refused. */
  whenClosed(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /**
   * Detaches every view and gives the pages back, or leaves that to the last call that still runs. `unsafe` gives back
   * the addresses too, whatever was started with a view.
   */
  close(unsafe: boolean): void {
    if (this.#state === 'closed') return;
    this.endViews(unsafe);
    if (this.#pendingCalls > 0) this.#state = 'closing';
    else this.#release();
  }

  #closeLate(): void {
    try {
      this.#release();
    } catch (error) {
      // The state says so, close() tries again, and so does the leak net in the end.
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    }
  }

  #release(): void {
    giveBackPages(this.#lifetime.resources);
    // From here on the address may be somebody else's: nothing below may lead to a second unmap.
    this.#state = 'closed';
    forgetLeak(this.#lifetime);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    closeFile(this.#lifetime.resources);
  }
}
