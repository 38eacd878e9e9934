/**
 * A slot's pages through its life. The slab is one reservation without access; a slot opens from its start:
 *
 *     slotOffset
 *     ├── zeros ──┬── image ──┬── zeros ──┬──────── inaccessible ────────┤ next slot
 *     │           └ imageFirstPage        │                              │
 *     └────────── accessiblePages ────────┴── up to maxMemoryBytes ──────┘
 *
 *     unmapped ──▶ unknown (in use) ──reset──▶ previously used ──▶ unknown (in use) ...
 *                      └── anything failed ──▶ unknown (free): laid over before its next use
 *
 * Every function leaves the record telling the truth when a system call fails: what it says is accessible is at least
 * what is, what it says is mapped is what is, and the state stays `UNKNOWN`.
 */
import { ModuleClosedError } from './errors.js';
import type { ImageTable } from './image-table.js';
import type { PoolImage } from './pool-image.js';
import type { SlotPages } from './slot-pages.js';
import { SlotState, type SlotRecords } from './slot-records.js';

/** The pages of all slots: what may be done to them, in the order that keeps tenants apart. */
export class SlotMemory {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #images: ImageTable;
  readonly #pageBytes: number;

  constructor(pages: SlotPages, records: SlotRecords, images: ImageTable, pageBytes: number) {
    this.#pages = pages;
    this.#records = records;
    this.#images = images;
    this.#pageBytes = pageBytes;
  }

  /** Takes a slot for a tenant: its record becomes `UNKNOWN`, and its pages are such that nobody else's bytes are there. */
  take(slot: number): void {
    if (this.#records.takeState(slot) !== SlotState.UNKNOWN) return;
    this.#pages.blank(slot);
    this.#records.setAccessiblePages(slot, 0);
    this.#forgetImage(slot);
    this.#records.setTainted(slot, false);
  }

  /**
   * Makes a taken slot into a memory of `byteLength` bytes that starts as zeros and `image`.
   * The slot must be clean, the size at most the slot's, and the image inside the size.
   */
  instantiate(slot: number, byteLength: number, image: PoolImage | undefined): void {
    const records = this.#records;
    const wanted = image === undefined ? 0 : image.id;
    if (records.imageId(slot) !== wanted) this.removeImage(slot);
    this.#setAccessible(slot, byteLength);
    if (image !== undefined && records.imageId(slot) !== wanted) this.#mapImage(slot, image);
    records.setByteLength(slot, byteLength);
  }

  /** Opens what of the first `byteLength` bytes is not open yet. */
  grow(slot: number, byteLength: number): void {
    if (Math.ceil(byteLength / this.#pageBytes) > this.#records.accessiblePages(slot)) {
      try {
        this.#setAccessible(slot, byteLength);
      } catch (error) {
        this.#records.setTainted(slot, true);
        throw error;
      }
    }
    this.#records.setByteLength(slot, byteLength);
  }

  /** Forgets a free slot's image: zeros over exactly its range, so that what else is resident stays. */
  removeImage(slot: number): void {
    const records = this.#records;
    if (records.imageId(slot) === 0) return;
    const offset = records.imageFirstPage(slot) * this.#pageBytes;
    this.#pages.zero(slot, offset, records.imagePages(slot) * this.#pageBytes);
    this.#forgetImage(slot);
  }

  /** A surplus left by an earlier tenant must not be readable beyond this one's end, though its contents are clean. */
  #setAccessible(slot: number, byteLength: number): void {
    const wantedPages = Math.ceil(byteLength / this.#pageBytes);
    const pages = this.#records.accessiblePages(slot);
    if (pages === wantedPages) return;
    const wanted = wantedPages * this.#pageBytes;
    const open = pages * this.#pageBytes;
    if (open < wanted) this.#pages.open(slot, open, wanted - open);
    else this.#pages.shut(slot, wanted, open - wanted);
    this.#records.setAccessiblePages(slot, wantedPages);
  }

  #forgetImage(slot: number): void {
    this.#images.release(this.#records.imageId(slot));
    this.#records.clearImage(slot);
  }

  #mapImage(slot: number, image: PoolImage): void {
    // It was open when the allocation was asked for; the slot was waited for since.
    if (image.image.closed) throw new ModuleClosedError('allocate a memory');
    this.#pages.mapImage(slot, image);
    this.#images.retain(image);
    this.#records.setImage(
      slot,
      image.id,
      image.offsetBytes / this.#pageBytes,
      image.byteLength / this.#pageBytes,
    );
  }
}
