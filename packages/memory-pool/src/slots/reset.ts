/**
 * Back to zeros and image bytes: a {@link PageRestorer} a slot, which chooses its way by what the slot's last resets found, and what it is
 * aimed at, which the slot's record says.
 */
import {
  PageRestorer,
  type PageRange,
  type RestoreResult,
  type RestorerImage,
  type RestoreStrategy,
  type VirtualMemory,
} from '@guardstripe/mmap';
import { ModuleClosedError, PoolCorruptedError } from '../errors.js';
import type { PoolImage } from '../module/image.js';
import type { Images } from './image-table.js';
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
  image: PoolImage | undefined;
  /** The image's, 0 for none. */
  imageId: number;
  accessiblePages: number;
}

/** Pages of no slot. */
const NOWHERE = -1;

const NO_IMAGES: readonly RestorerImage[] = Object.freeze([]);

/** Resets slots. */
export class SlotReset {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #images: Images;
  readonly #pageBytes: number;
  readonly #options: ResetOptions;
  /** Made at a slot's first reset: most slots of a large pool are never used. */
  readonly #restorers: (Aimed | undefined)[] = [];
  /** What a reset comes to where nothing can be written back. */
  readonly #dropAll = {
    strategy: 'drop' as const,
    bytesWritten: 0,
    bytesDropped: 0,
    bytesResident: 0,
    leftOffset: 0,
    leftBytes: 0,
  };

  constructor(pages: SlotPages, records: SlotRecords, images: Images, options: ResetOptions) {
    this.#pages = pages;
    this.#records = records;
    this.#images = images;
    this.#pageBytes = options.virtualMemory.pageSize;
    this.#options = options;
  }

  /**
   * Writes back what may be, and says what remains to be dropped, as an offset in the slot. The same object, reused. Nothing for a slot
   * that is not to be reset but laid over: its record cannot be trusted, or it has an image that nobody will start from again.
   */
  run(slot: number): RestoreResult | undefined {
    const aimed = this.#restorers[slot];
    // Nearly always: the slot is what it was at its last reset, and so is its image.
    if (
      aimed !== undefined &&
      this.#records.hasShape(slot, aimed.imageId, aimed.accessiblePages) &&
      (aimed.image === undefined || !aimed.image.closed)
    ) {
      return aimed.restorer.writeBack();
    }
    if (this.#records.isLive(slot))
      throw new PoolCorruptedError(`slot ${slot} is reset while a tenant has it`);
    if (this.#records.isTainted(slot) || this.#images.get(this.#records.imageId(slot))?.closed === true) {
      return undefined;
    }
    return this.#aim(slot)?.writeBack() ?? this.#dropOf(slot);
  }

  /** Puts a slot back at once, the last drop included. */
  runWhole(slot: number): RestoreResult {
    const restorer = this.#aim(slot);
    if (restorer !== undefined) return restorer.restore();
    const result = this.#dropOf(slot);
    this.#pages.drop(slot, 0, result.leftBytes);
    return result;
  }

  /** Puts a part of a slot back, in bytes, and drops whole pages of it if it may. Returns how many bytes that were. */
  discard(slot: number, offset: number, byteLength: number, mayDrop: boolean): number {
    const restorer = this.#aim(slot);
    if (restorer !== undefined) return restorer.discard(offset, byteLength, { drop: mayDrop });
    const image = this.#images.get(this.#records.imageId(slot));
    throw image?.refusal ?? new ModuleClosedError('discard a part of a memory');
  }

  /** Pages of a live slot that may differ from its start; nothing where its start bytes cannot be had. */
  changedRanges(slot: number): readonly PageRange[] | undefined {
    return this.#aim(slot)?.changedRanges();
  }

  /** Drops what a slot keeps in RAM. */
  drop(slot: number): void {
    const aimed = this.#restorers[slot];
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
    const restorer = this.#restorers[slot]?.restorer;
    if (restorer?.watching === true) restorer.unwatch();
  }

  /** The slab is about to go, and all watching with it. */
  close(): void {
    this.#restorers.length = 0;
  }

  /** Dropping everything, for a slot of whose image the bytes cannot be had: its mapping restores it then. */
  #dropOf(slot: number): RestoreResult {
    this.#dropAll.leftBytes = this.#records.accessiblePages(slot) * this.#pageBytes;
    return this.#dropAll;
  }

  /** The slot's restorer, told what the slot is now; nothing where the bytes of its image cannot be had. */
  #aim(slot: number): PageRestorer | undefined {
    const records = this.#records;
    const imageId = records.imageId(slot);
    const accessiblePages = records.accessiblePages(slot);
    const image = this.#images.get(imageId);
    const images = image === undefined ? NO_IMAGES : image.toRestore;
    if (images === undefined) return undefined;
    let aimed = this.#restorers[slot];
    if (aimed === undefined) {
      const restorer = this.#make(slot, accessiblePages, images);
      this.#restorers[slot] = aimed = { restorer, image, imageId, accessiblePages };
    } else if (aimed.imageId !== imageId || aimed.accessiblePages !== accessiblePages) {
      // Before: cut short in there, the restorer is aimed at neither.
      aimed.accessiblePages = NOWHERE;
      aimed.restorer.setRange(this.#range(slot, accessiblePages), { images });
      aimed.image = image;
      aimed.imageId = imageId;
      aimed.accessiblePages = accessiblePages;
    }
    return aimed.restorer;
  }

  #make(slot: number, accessiblePages: number, images: readonly RestorerImage[]): PageRestorer {
    const { virtualMemory, writeBackBytes, keepResidentBytes, strategies, onRefusal } = this.#options;
    return new PageRestorer(this.#range(slot, accessiblePages), {
      images,
      maxWriteBackBytes: writeBackBytes,
      maxResidentBytes: keepResidentBytes,
      strategies,
      onRefusal,
      virtualMemory,
    });
  }

  #range(slot: number, accessiblePages: number): { readonly address: number; readonly byteLength: number } {
    const byteLength = accessiblePages * this.#pageBytes;
    return { address: this.#pages.addressFor(slot, byteLength), byteLength };
  }
}
