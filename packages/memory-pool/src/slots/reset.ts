/**
 * Back to zeros and image bytes. Dropping pages does it (a private mapping reads its file, or zeros, again), and costs a
 * system call and a fault for every page the next tenant touches. Writing the bytes back keeps the pages:
 *
 *     accessible:  ├──── may stay resident: written back ────┼──── the rest: dropped ────┤
 *     with a scan: only the dirty pages are written          ▲ where the scan stopped
 *     without:     every byte is written                     ▲ keepResidentBytes
 */
import { createView, detachView, SystemError, type DirtyPages, type VirtualMemory } from '@guardstripe/mmap';
import type { ImageTable } from './image-table.js';
import type { PoolImage } from '../module/image.js';
import type { SlotPages } from './pages.js';
import type { SlotRecords } from './records.js';

/** Most dirty regions that one scan reports; what lies behind them is dropped. */
const MAX_DIRTY_REGIONS = 64;

/** Ways to reset a slot: write dirty pages back, write a whole range back, only drop pages. */
export const RESET_STRATEGIES = ['scan', 'write', 'decommit'] as const;
/** How a slot was reset. */
export type ResetStrategy = (typeof RESET_STRATEGIES)[number];

/** What a reset did, and what is left to drop. One object, reused: a reset allocates nothing. */
export interface ResetResult {
  strategy: ResetStrategy;
  /** Bytes written back, which stay resident. */
  bytesWritten: number;
  /** What must be dropped before the slot is clean, as bytes from the slot's start; 0 bytes for nothing. */
  dropOffset: number;
  dropBytes: number;
}

/** What a pool decides once. */
export interface ResetOptions {
  readonly virtualMemory: VirtualMemory;
  /** Whole host pages. */
  readonly keepResidentBytes: number;
  readonly scan: boolean;
  /** Told of each scan that the system refused. */
  readonly onFailedScan: () => void;
}

/** Resets slots in the way that the settings and the kernel allow. */
export class SlotReset {
  readonly result: ResetResult = { strategy: 'decommit', bytesWritten: 0, dropOffset: 0, dropBytes: 0 };
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #images: ImageTable;
  readonly #virtualMemory: VirtualMemory;
  readonly #pageBytes: number;
  readonly #keepBytes: number;
  readonly #scan: boolean;
  readonly #onFailedScan: () => void;
  readonly #dirty: DirtyPages;
  /** Made at a slot's first reset and kept: a view costs more than the copying. Detached when the pool closes. */
  readonly #views = new Map<number, Uint8Array>();

  constructor(
    pages: SlotPages,
    records: SlotRecords,
    images: ImageTable,
    { virtualMemory, keepResidentBytes, scan, onFailedScan }: ResetOptions,
  ) {
    this.#pages = pages;
    this.#records = records;
    this.#images = images;
    this.#virtualMemory = virtualMemory;
    this.#pageBytes = virtualMemory.pageSize;
    this.#keepBytes = keepResidentBytes;
    this.#scan = scan;
    this.#onFailedScan = onFailedScan;
    this.#dirty = {
      starts: new Float64Array(MAX_DIRTY_REGIONS),
      ends: new Float64Array(MAX_DIRTY_REGIONS),
      count: 0,
      walkEnd: 0,
    };
  }

  /** Writes back what may stay, and says in {@link SlotReset.result} what remains to be dropped. */
  run(slot: number): ResetResult {
    const accessibleBytes = this.#records.accessiblePages(slot) * this.#pageBytes;
    const keptBytes = Math.min(this.#keepBytes, accessibleBytes);
    if (keptBytes === 0) return this.#drop(0, accessibleBytes, 'decommit', 0);
    const image = this.#images.get(this.#records.imageId(slot));
    // Where an image's bytes cannot be had, its mapping in the slot still restores them when its pages are dropped.
    if (image !== undefined && image.bytes === undefined)
      return this.#drop(0, accessibleBytes, 'decommit', 0);
    if (this.#scan && accessibleBytes > this.#pageBytes) {
      const address = this.#pages.addressOf(slot);
      if (this.#findDirty(address, accessibleBytes))
        return this.#writeDirty(slot, address, accessibleBytes, image);
    }
    this.#restore(slot, 0, keptBytes, image);
    return this.#drop(keptBytes, accessibleBytes, 'write', keptBytes);
  }

  /** Detaches the internal views: the slab is about to go. */
  close(): void {
    for (const view of this.#views.values()) detachView(view.buffer as ArrayBuffer);
    this.#views.clear();
  }

  #findDirty(address: number, accessibleBytes: number): boolean {
    try {
      const maxPages = this.#keepBytes / this.#pageBytes;
      this.#virtualMemory.scanDirtyPages(address, accessibleBytes, maxPages, this.#dirty);
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#onFailedScan();
      return false;
    }
  }

  #writeDirty(
    slot: number,
    address: number,
    accessibleBytes: number,
    image: PoolImage | undefined,
  ): ResetResult {
    const { count, starts, ends, walkEnd } = this.#dirty;
    let written = 0;
    for (let i = 0; i < count; i++) {
      const start = starts[i]! - address;
      const end = ends[i]! - address;
      this.#restore(slot, start, end, image);
      written += end - start;
    }
    return this.#drop(walkEnd - address, accessibleBytes, 'scan', written);
  }

  #drop(from: number, to: number, strategy: ResetStrategy, bytesWritten: number): ResetResult {
    const { result } = this;
    result.strategy = strategy;
    result.bytesWritten = bytesWritten;
    result.dropOffset = from;
    result.dropBytes = to - from;
    return result;
  }

  /** Writes bytes `start` to `end` of a memory as they were at its start: zeros, image, zeros. */
  #restore(slot: number, start: number, end: number, image: PoolImage | undefined): void {
    const bytes = this.#view(slot, end);
    const contents = image?.bytes;
    if (image === undefined || contents === undefined) {
      bytes.fill(0, start, end);
      return;
    }
    const imageStart = Math.min(Math.max(image.offsetBytes, start), end);
    const imageEnd = Math.min(Math.max(image.offsetBytes + image.byteLength, start), end);
    if (start < imageStart) bytes.fill(0, start, imageStart);
    if (imageStart < imageEnd) {
      bytes.set(contents.subarray(imageStart - image.offsetBytes, imageEnd - image.offsetBytes), imageStart);
    }
    if (imageEnd < end) bytes.fill(0, imageEnd, end);
  }

  #view(slot: number, byteLength: number): Uint8Array {
    const view = this.#views.get(slot);
    if (view !== undefined && view.byteLength >= byteLength) return view;
    if (view !== undefined) detachView(view.buffer as ArrayBuffer);
    const accessibleBytes = this.#records.accessiblePages(slot) * this.#pageBytes;
    const fresh = new Uint8Array(createView(this.#pages.addressOf(slot), accessibleBytes));
    this.#views.set(slot, fresh);
    return fresh;
  }
}
