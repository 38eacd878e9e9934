/**
 * A slot's pages through its life. The slab is one reservation without access; a slot opens from its start:
 *
 *     addressOf(slot)
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
import { SystemError } from '@guardstripe/mmap';
import { ModuleClosedError, PoolCorruptedError } from '../errors.js';
import type { Images } from './image-table.js';
import { openFurther, shutEnd, type Sized } from './live-size.js';
import type { MappingBudget } from './mapping-budget.js';
import type { PoolImage } from '../module/image.js';
import type { SlotPages } from './pages.js';
import type { SlotReset } from './reset.js';
import { SlotState, type SlotRecords } from './records.js';

/** What the slots' memory is made of. */
export interface SlotMemoryParts {
  readonly pages: SlotPages;
  readonly records: SlotRecords;
  readonly images: Images;
  readonly reset: SlotReset;
  readonly budget: MappingBudget;
}

/** The pages of all slots: what may be done to them, in the order that keeps tenants apart. */
export class SlotMemory {
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #images: Images;
  readonly #reset: SlotReset;
  readonly #budget: MappingBudget;
  readonly #pageBytes: number;
  readonly #sized: Sized;
  /** Of the budget, what this pool's slots hold. */
  #mappings = 0;

  constructor({ pages, records, images, reset, budget }: SlotMemoryParts, pageBytes: number) {
    this.#pages = pages;
    this.#records = records;
    this.#images = images;
    this.#reset = reset;
    this.#budget = budget;
    this.#pageBytes = pageBytes;
    this.#sized = { pages, records, pageBytes };
  }

  /**
   * Takes a free slot for a tenant and makes it a memory of `byteLength` bytes that starts as zeros and `image`. Its record
   * becomes `UNKNOWN`, and stays so if this fails. The size is at most the slot's, and the image inside the size.
   */
  occupy(slot: number, byteLength: number, image: PoolImage | undefined): void {
    const records = this.#records;
    const pages = Math.ceil(byteLength / this.#pageBytes);
    if (image !== undefined && image.offsetBytes + image.byteLength > pages * this.#pageBytes) {
      throw new PoolCorruptedError(
        `image ${image.id} ends behind the memory in slot ${slot}, of ${byteLength} bytes`,
      );
    }
    if (records.takeState(slot) === SlotState.UNKNOWN) this.#blank(slot);
    // What a module's next memory meets nearly always: the last one's shape, and nothing to do.
    if (!records.hasShape(slot, image === undefined ? 0 : image.id, pages)) this.#reshape(slot, pages, image);
  }

  /** Opens what of the first `byteLength` bytes is not open yet. */
  grow(slot: number, byteLength: number): void {
    const records = this.#records;
    const pages = Math.ceil(byteLength / this.#pageBytes);
    if (byteLength < records.byteLength(slot))
      throw new PoolCorruptedError(`slot ${slot} grows to ${byteLength} bytes, which are fewer`);
    if (pages > records.accessiblePages(slot)) {
      const before = this.mappingsOf(slot);
      const extra = this.#images.get(records.imageId(slot))?.extraMappings ?? 0;
      const wanted =
        this.#pages.mappings(pages, records.imageFirstPage(slot), records.imagePages(slot)) + extra;
      if (wanted > before) this.#take(wanted - before);
      try {
        openFurther(this.#sized, slot, pages);
      } catch (error) {
        this.#account(before - wanted);
        throw error;
      }
    }
    records.setByteLength(slot, byteLength);
  }

  /** Shuts what lies behind the first `byteLength` bytes of a live memory, which hold their start bytes already. */
  shrink(slot: number, byteLength: number): void {
    const records = this.#records;
    if (byteLength > records.byteLength(slot))
      throw new PoolCorruptedError(`slot ${slot} shrinks to ${byteLength} bytes, which are more`);
    const before = this.mappingsOf(slot);
    this.#reset.unwatch(slot);
    shutEnd(this.#sized, slot, byteLength);
    this.#account(this.mappingsOf(slot) - before);
  }

  /** Mappings that the pool's slots hold. */
  get mappings(): number {
    return this.#mappings;
  }

  /** Forgets a free slot's image: zeros over exactly its range, so that what else is resident stays. */
  removeImage(slot: number): void {
    const records = this.#records;
    if (records.imageId(slot) === 0) return;
    this.#assertFree(slot, 'loses its image');
    const before = this.mappingsOf(slot);
    this.#reset.unwatch(slot);
    this.#removeImage(slot);
    this.#account(this.mappingsOf(slot) - before);
  }

  /**
   * Drops what a slot holds that nobody may have yet: every accessible byte reads as zero from now on. The accessible pages
   * stay so, for somebody may touch them still.
   */
  layZeros(slot: number): void {
    const records = this.#records;
    const byteLength = records.accessiblePages(slot) * this.#pageBytes;
    if (byteLength === 0) return;
    this.#assertFree(slot, 'is laid over');
    this.#reset.unwatch(slot);
    if (records.imageId(slot) === 0 && this.#drops(slot)) return;
    const before = this.mappingsOf(slot);
    this.#pages.zero(slot, 0, byteLength);
    this.#forgetImage(slot);
    this.#account(this.mappingsOf(slot) - before);
  }

  /**
   * Lays fresh inaccessible pages over a free slot, so that it holds neither memory nor an image nor mappings, and returns how many
   * mappings went. Refused by the system, it throws, and the slot's state is `UNKNOWN`.
   */
  surrender(slot: number): number {
    const records = this.#records;
    const mappings = this.mappingsOf(slot);
    if (mappings === 0) return 0;
    records.putUnknown(slot);
    this.#blank(slot);
    records.putPreviouslyUsed(slot);
    return mappings;
  }

  /** The slab is gone, and every mapping with it. */
  close(): void {
    this.#account(-this.mappings);
  }

  /** Gives the slot another image, or size, or both. */
  #reshape(slot: number, pages: number, image: PoolImage | undefined): void {
    const records = this.#records;
    const imageId = records.imageId(slot);
    const isOther = imageId !== (image === undefined ? 0 : image.id);
    const present = isOther ? this.#images.get(imageId) : image;
    const before = this.#basicMappings(slot) + (present === undefined ? 0 : present.extraMappings);
    const wanted =
      image === undefined
        ? this.#pages.mappings(pages, 0, 0)
        : this.#pages.mappings(
            pages,
            image.offsetBytes / this.#pageBytes,
            image.byteLength / this.#pageBytes,
          ) + image.extraMappings;
    // Until it is done the larger number: cut short, the pool must not count fewer than its slots hold, for those go again.
    const counted = Math.max(wanted, before);
    if (wanted > before) this.#take(wanted - before);
    this.#reset.unwatch(slot);
    try {
      if (isOther) this.#uncover(slot, image);
      this.#setAccessible(slot, pages);
      if (isOther && image !== undefined) this.#mapImage(slot, image);
    } catch (error) {
      this.#account(this.mappingsOf(slot) - counted);
      throw error;
    }
    if (wanted < counted) this.#account(wanted - counted);
  }

  /** Mappings that the slot takes now. */
  mappingsOf(slot: number): number {
    const extra = this.#images.get(this.#records.imageId(slot))?.extraMappings ?? 0;
    return this.#basicMappings(slot) + extra;
  }

  /** The same without what an image of several parts takes more. */
  #basicMappings(slot: number): number {
    const records = this.#records;
    const [first, pages] = [records.imageFirstPage(slot), records.imagePages(slot)];
    return this.#pages.mappings(records.accessiblePages(slot), first, pages);
  }

  #blank(slot: number): void {
    const records = this.#records;
    this.#assertFree(slot, 'is laid over');
    this.#reset.unwatch(slot);
    const before = this.mappingsOf(slot);
    this.#pages.blank(slot);
    records.setAccessiblePages(slot, 0);
    this.#forgetImage(slot);
    this.#account(-before);
    records.setTainted(slot, false);
  }

  #removeImage(slot: number): void {
    const records = this.#records;
    if (records.imageId(slot) === 0) return;
    const offset = records.imageFirstPage(slot) * this.#pageBytes;
    this.#pages.zero(slot, offset, records.imagePages(slot) * this.#pageBytes);
    this.#forgetImage(slot);
  }

  /** Zeros over what of the slot's image the next one will not lie over, so that image after image is one mapping call, not two. */
  #uncover(slot: number, next: PoolImage | undefined): void {
    const records = this.#records;
    const id = records.imageId(slot);
    if (id === 0) return;
    // Between its parts the one before would show.
    if (next?.isSolid === false) {
      this.#removeImage(slot);
      return;
    }
    const first = records.imageFirstPage(slot);
    const end = first + records.imagePages(slot);
    const nextFirst = next === undefined ? end : Math.min(next.offsetBytes / this.#pageBytes, end);
    const nextEnd =
      next === undefined ? end : Math.max((next.offsetBytes + next.byteLength) / this.#pageBytes, first);
    // The image is left at neither end, or outside of the next one altogether: all of it goes in one call.
    if ((first < nextFirst && nextEnd < end) || nextFirst >= end || nextEnd <= first) {
      this.#removeImage(slot);
      return;
    }
    const [from, to] = first < nextFirst ? [first, nextFirst] : [Math.min(nextEnd, end), end];
    if (from === to) return;
    this.#pages.zero(slot, from * this.#pageBytes, (to - from) * this.#pageBytes);
    const left = from === first ? to : first;
    records.setImage(slot, id, left, end - first - (to - from));
  }

  /** The cheaper way to zeros, where pages can be dropped: locked ones cannot. */
  #drops(slot: number): boolean {
    try {
      this.#reset.drop(slot);
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return false;
    }
  }

  /** Counts mappings before they are made. @throws {@link PoolMappingsError} */
  #take(mappings: number): void {
    this.#budget.take(mappings);
    this.note(mappings);
  }

  /** Counts mappings that came, or, with a negative number, that went. */
  #account(mappings: number): void {
    this.note(mappings);
    this.#budget.add(mappings);
  }

  /** Notes that the pool's slots hold more mappings, or fewer. */
  protected note(mappings: number): void {
    if (!(this.#mappings + mappings >= 0))
      throw new PoolCorruptedError(`${-mappings} mappings go, of ${this.#mappings}`);
    this.#mappings += mappings;
  }

  /** A surplus left by an earlier tenant must not be readable beyond this one's end, though its contents are clean. */
  #setAccessible(slot: number, wantedPages: number): void {
    const records = this.#records;
    const pages = records.accessiblePages(slot);
    if (pages === wantedPages) return;
    const wanted = wantedPages * this.#pageBytes;
    const open = pages * this.#pageBytes;
    if (open < wanted) this.#pages.open(slot, open, wanted - open);
    else this.#pages.shut(slot, wanted, open - wanted);
    records.setAccessiblePages(slot, wantedPages);
  }

  /** What takes a memory's bytes away is for slots that nobody has. */
  #assertFree(slot: number, what: string): void {
    if (this.#records.isLive(slot))
      throw new PoolCorruptedError(`slot ${slot} ${what} while a tenant has it`);
  }

  /** In this order: cut short, it leaves an image that is kept too long, never a record of one that is not kept. */
  #forgetImage(slot: number): void {
    const imageId = this.#records.imageId(slot);
    this.#records.clearImage(slot);
    this.#images.release(imageId);
  }

  /** Maps an image, over what is left of the one before. */
  #mapImage(slot: number, image: PoolImage): void {
    // It was open when the allocation was asked for; the slot was waited for since.
    if (image.closed) throw new ModuleClosedError('allocate a memory');
    this.#pages.mapImage(slot, image);
    const before = this.#records.imageId(slot);
    this.#images.retain(image);
    this.#records.setImage(
      slot,
      image.id,
      image.offsetBytes / this.#pageBytes,
      image.byteLength / this.#pageBytes,
    );
    this.#images.release(before);
  }
}
