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
import { ModuleClosedError } from '../errors.js';
import type { ImageTable } from './image-table.js';
import type { MappingBudget } from './mapping-budget.js';
import type { PoolImage } from '../module/image.js';
import type { SlotPages } from './pages.js';
import { SlotState, type SlotRecords } from './records.js';

/** The pages of all slots: what may be done to them, in the order that keeps tenants apart. */
export class SlotMemory {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #images: ImageTable;
  readonly #budget: MappingBudget;
  readonly #pageBytes: number;
  /** Of the budget, what this pool's slots hold. */
  #mappings = 0;

  constructor(
    pages: SlotPages,
    records: SlotRecords,
    images: ImageTable,
    budget: MappingBudget,
    pageBytes: number,
  ) {
    this.#pages = pages;
    this.#records = records;
    this.#images = images;
    this.#budget = budget;
    this.#pageBytes = pageBytes;
  }

  /** Takes a slot for a tenant: its record becomes `UNKNOWN`, and its pages are such that nobody else's bytes are there. */
  take(slot: number): void {
    if (this.#records.takeState(slot) !== SlotState.UNKNOWN) return;
    this.#pages.blank(slot);
    this.#account(-this.#mappingsOf(slot));
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
    const wantedPages = this.#pagesOf(byteLength);
    if (records.imageId(slot) !== wanted || records.accessiblePages(slot) !== wantedPages) {
      this.#change(
        slot,
        shape(wantedPages, this.#firstPageOf(image), this.#pagesOf(image?.byteLength ?? 0)),
        () => {
          if (records.imageId(slot) !== wanted) this.#removeImage(slot);
          this.#setAccessible(slot, wantedPages);
          if (image !== undefined && records.imageId(slot) !== wanted) this.#mapImage(slot, image);
        },
      );
    }
    records.setByteLength(slot, byteLength);
  }

  /** Opens what of the first `byteLength` bytes is not open yet. */
  grow(slot: number, byteLength: number): void {
    const records = this.#records;
    const wantedPages = this.#pagesOf(byteLength);
    if (wantedPages > records.accessiblePages(slot)) {
      this.#change(slot, shape(wantedPages, records.imageFirstPage(slot), records.imagePages(slot)), () => {
        try {
          this.#setAccessible(slot, wantedPages);
        } catch (error) {
          records.setTainted(slot, true);
          throw error;
        }
      });
    }
    records.setByteLength(slot, byteLength);
  }

  /** Forgets a free slot's image: zeros over exactly its range, so that what else is resident stays. */
  removeImage(slot: number): void {
    if (this.#records.imageId(slot) === 0) return;
    this.#change(slot, shape(this.#records.accessiblePages(slot), 0, 0), () => this.#removeImage(slot));
  }

  /** The slab is gone, and every mapping with it. */
  close(): void {
    this.#account(-this.#mappings);
  }

  #removeImage(slot: number): void {
    const records = this.#records;
    if (records.imageId(slot) === 0) return;
    const offset = records.imageFirstPage(slot) * this.#pageBytes;
    this.#pages.zero(slot, offset, records.imagePages(slot) * this.#pageBytes);
    this.#forgetImage(slot);
  }

  /** Makes a change that leaves the slot with `wanted` mappings, if the budget has room, and accounts for what became of it. */
  #change(slot: number, wanted: number, change: () => void): void {
    const before = this.#mappingsOf(slot);
    if (wanted > before) this.#budget.check(wanted - before);
    try {
      change();
    } finally {
      this.#account(this.#mappingsOf(slot) - before);
    }
  }

  #mappingsOf(slot: number): number {
    const records = this.#records;
    return shape(records.accessiblePages(slot), records.imageFirstPage(slot), records.imagePages(slot));
  }

  #account(mappings: number): void {
    this.#mappings += mappings;
    this.#budget.add(mappings);
  }

  #pagesOf(byteLength: number): number {
    return Math.ceil(byteLength / this.#pageBytes);
  }

  #firstPageOf(image: PoolImage | undefined): number {
    return image === undefined ? 0 : image.offsetBytes / this.#pageBytes;
  }

  /** A surplus left by an earlier tenant must not be readable beyond this one's end, though its contents are clean. */
  #setAccessible(slot: number, wantedPages: number): void {
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

/**
 * Mappings that a slot takes: what is accessible, in up to three pieces around an image, and the inaccessible rest, which
 * they part from the next slot's. Nothing while all of it is inaccessible.
 */
function shape(accessiblePages: number, imageFirstPage: number, imagePages: number): number {
  if (accessiblePages === 0) return 0;
  if (imagePages === 0) return 2;
  const before = imageFirstPage > 0 ? 1 : 0;
  const behind = imageFirstPage + imagePages < accessiblePages ? 1 : 0;
  return before + 1 + behind + 1;
}
