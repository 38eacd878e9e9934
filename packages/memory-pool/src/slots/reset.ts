/**
 * Back to zeros and image bytes: a {@link PageRestorer} a slot, which chooses its way by what the slot's last resets found, and what it is
 * aimed at, which the slot's record says.
 */
import {
  PageRestorer,
  type RestoreResult,
  type RestorerImage,
  type RestoreStrategy,
  type VirtualMemory,
} from '@guardstripe/mmap';
import { ModuleClosedError } from '../errors.js';
import type { PoolImage } from '../module/image.js';
import type { ImageTable } from './image-table.js';
import type { SlotPages } from './pages.js';
import type { SlotRecords } from './records.js';

/** What a pool decides once. */
export interface ResetOptions {
  readonly virtualMemory: VirtualMemory;
  /** Most bytes that a reset writes, and that a free slot keeps. Whole host pages. */
  readonly writeBackBytes: number;
  readonly keepResidentBytes: number;
  readonly strategies: readonly RestoreStrategy[];
  /** Told of each call that the system refused and that a reset did without. */
  readonly onRefusal: () => void;
}

/** A slot's restorer, and what it takes the slot for. */
interface Aimed {
  readonly restorer: PageRestorer;
  imageId: number;
  accessiblePages: number;
}

/** Resets slots. */
export class SlotReset {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #images: ImageTable;
  readonly #pageBytes: number;
  readonly #options: ResetOptions;
  /** Made at a slot's first reset: most slots of a large pool are never used. */
  readonly #restorers = new Map<number, Aimed>();
  /** What a reset comes to where nothing can be written back. */
  readonly #dropAll = {
    strategy: 'drop' as const,
    bytesWritten: 0,
    bytesDropped: 0,
    bytesResident: 0,
    leftOffset: 0,
    leftBytes: 0,
  };

  constructor(pages: SlotPages, records: SlotRecords, images: ImageTable, options: ResetOptions) {
    this.#pages = pages;
    this.#records = records;
    this.#images = images;
    this.#pageBytes = options.virtualMemory.pageSize;
    this.#options = options;
  }

  /** Writes back what may be, and says what remains to be dropped, as an offset in the slot. The same object, reused. */
  run(slot: number): RestoreResult {
    const restorer = this.#aim(slot);
    if (restorer !== undefined) return restorer.writeBack();
    this.#dropAll.leftBytes = this.#records.accessiblePages(slot) * this.#pageBytes;
    return this.#dropAll;
  }

  /** Puts a slot back at once, the last drop included. */
  runWhole(slot: number): RestoreResult {
    const restorer = this.#aim(slot);
    if (restorer !== undefined) return restorer.restore();
    const result = this.run(slot);
    this.#pages.drop(slot, 0, result.leftBytes);
    return result;
  }

  /** Puts a part of a slot back, in bytes, and drops whole pages of it if it may. Returns how many bytes that were. */
  discard(slot: number, offset: number, byteLength: number, mayDrop: boolean): number {
    const restorer = this.#aim(slot);
    if (restorer !== undefined) return restorer.discard(offset, byteLength, { drop: mayDrop });
    throw new ModuleClosedError('discard a part of a memory');
  }

  /** Drops what a slot keeps in RAM. */
  drop(slot: number): void {
    const aimed = this.#restorers.get(slot);
    const byteLength = this.#records.accessiblePages(slot) * this.#pageBytes;
    if (aimed !== undefined && aimed.accessiblePages * this.#pageBytes === byteLength)
      aimed.restorer.dropAll();
    else this.#pages.drop(slot, 0, byteLength);
  }

  /**
   * The slot's mappings are about to change: the kernel is not to watch them any more, for that would keep them apart from their
   * neighbours.
   */
  unwatch(slot: number): void {
    const restorer = this.#restorers.get(slot)?.restorer;
    if (restorer?.watching === true) restorer.unwatch();
  }

  /** The slab is about to go, and all watching with it. */
  close(): void {
    this.#restorers.clear();
  }

  /** The slot's restorer, told what the slot is now; nothing where the bytes of its image cannot be had. */
  #aim(slot: number): PageRestorer | undefined {
    const records = this.#records;
    const imageId = records.imageId(slot);
    const accessiblePages = records.accessiblePages(slot);
    const image = this.#images.get(imageId);
    // Its mapping in the slot still restores it when its pages are dropped.
    if (image !== undefined && image.bytes === undefined) return undefined;
    const aimed = this.#restorers.get(slot);
    if (aimed === undefined) return this.#make(slot, imageId, accessiblePages, image);
    if (aimed.imageId !== imageId || aimed.accessiblePages !== accessiblePages) {
      aimed.restorer.setRange(this.#range(slot, accessiblePages), { images: imagesOf(image) });
      aimed.imageId = imageId;
      aimed.accessiblePages = accessiblePages;
    }
    return aimed.restorer;
  }

  #make(slot: number, imageId: number, accessiblePages: number, image: PoolImage | undefined): PageRestorer {
    const { virtualMemory, writeBackBytes, keepResidentBytes, strategies, onRefusal } = this.#options;
    const restorer = new PageRestorer(this.#range(slot, accessiblePages), {
      images: imagesOf(image),
      maxWriteBackBytes: writeBackBytes,
      maxResidentBytes: keepResidentBytes,
      strategies,
      onRefusal,
      virtualMemory,
    });
    this.#restorers.set(slot, { restorer, imageId, accessiblePages });
    return restorer;
  }

  #range(slot: number, accessiblePages: number): { readonly address: number; readonly byteLength: number } {
    return { address: this.#pages.addressOf(slot), byteLength: accessiblePages * this.#pageBytes };
  }
}

function imagesOf(image: PoolImage | undefined): RestorerImage[] {
  const bytes = image?.bytes;
  return image === undefined || bytes === undefined
    ? []
    : [{ offset: image.offsetBytes, bytes, mapped: true }];
}
