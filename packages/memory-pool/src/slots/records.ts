/**
 * What the pool remembers of every slot, in one typed array, so that sharing it with other threads is a change of
 * buffer. All zeros is the state of a slot nobody has used: nothing needs filling when a pool is made.
 *
 *     slot 0        slot 1        slot 2
 *     [12 words]    [12 words]    [12 words]   ...
 *
 *     word 0 state           3 image first page   6..7 byte length (float64)
 *          1 generation      4 image pages        8 next  ┐ of the owning store's
 *          2 image id        5 accessible pages   9 prev  ┘ list, as slot + 1
 *                                                10 owner
 *                                                11 tainted
 */

/**
 * What may be assumed of a slot's pages when the next tenant takes it.
 *
 * - `UNMAPPED`: never used; everything is inaccessible, as the reservation left it.
 * - `UNKNOWN`: entered when a tenant takes the slot and left only by a reset that succeeded, so it also covers a failed
 *   allocation, a failed reset and a tenant that never came back. Before its next use, the slot is laid over with fresh
 *   inaccessible pages.
 * - `PREVIOUSLY_USED`: reset. Every accessible page reads as zeros, or as the image the record names.
 */
export const SlotState = { UNMAPPED: 0, UNKNOWN: 1, PREVIOUSLY_USED: 2 } as const;
/** One of {@link SlotState}. */
export type SlotState = (typeof SlotState)[keyof typeof SlotState];

const WORDS_PER_SLOT = 12;
const STATE = 0;
const GENERATION = 1;
const IMAGE_ID = 2;
const IMAGE_FIRST_PAGE = 3;
const IMAGE_PAGES = 4;
const ACCESSIBLE_PAGES = 5;
const BYTE_LENGTH_F64 = 3;
const NEXT = 8;
const PREVIOUS = 9;
const OWNER = 10;
const TAINTED = 11;

/** The records of all slots of a pool. Callers pass slots of the pool only; nothing here checks a bound. */
export class SlotRecords {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;

  constructor(numSlots: number) {
    const buffer = new ArrayBuffer(numSlots * WORDS_PER_SLOT * Int32Array.BYTES_PER_ELEMENT);
    this.#words = new Int32Array(buffer);
    this.#floats = new Float64Array(buffer);
  }

  /** Takes the record, leaving `UNKNOWN` behind, and returns what it was. */
  takeState(slot: number): SlotState {
    const at = slot * WORDS_PER_SLOT + STATE;
    const state = this.#words[at] as SlotState;
    this.#words[at] = SlotState.UNKNOWN;
    return state;
  }

  /** Puts the record back: the slot was reset. */
  putPreviouslyUsed(slot: number): void {
    this.#words[slot * WORDS_PER_SLOT + STATE] = SlotState.PREVIOUSLY_USED;
  }

  /** Says that nothing may be assumed of the slot any more. */
  putUnknown(slot: number): void {
    this.#words[slot * WORDS_PER_SLOT + STATE] = SlotState.UNKNOWN;
  }

  state(slot: number): SlotState {
    return this.#words[slot * WORDS_PER_SLOT + STATE] as SlotState;
  }

  /** Odd while a tenant lives in the slot. Each allocation and each free moves it on, so a stale handle never matches. */
  generation(slot: number): number {
    return this.#words[slot * WORDS_PER_SLOT + GENERATION]!;
  }

  /** Whether a tenant lives in the slot. */
  isLive(slot: number): boolean {
    return (this.generation(slot) & 1) === 1;
  }

  /** Starts or ends a tenancy, and returns the new generation. */
  nextGeneration(slot: number): number {
    const at = slot * WORDS_PER_SLOT + GENERATION;
    const generation = (this.#words[at]! + 1) | 0;
    this.#words[at] = generation;
    return generation;
  }

  /** The image mapped in the slot, 0 for none. */
  imageId(slot: number): number {
    return this.#words[slot * WORDS_PER_SLOT + IMAGE_ID]!;
  }

  imageFirstPage(slot: number): number {
    return this.#words[slot * WORDS_PER_SLOT + IMAGE_FIRST_PAGE]! >>> 0;
  }

  imagePages(slot: number): number {
    return this.#words[slot * WORDS_PER_SLOT + IMAGE_PAGES]! >>> 0;
  }

  setImage(slot: number, imageId: number, firstPage: number, pages: number): void {
    const at = slot * WORDS_PER_SLOT;
    this.#words[at + IMAGE_ID] = imageId;
    this.#words[at + IMAGE_FIRST_PAGE] = firstPage;
    this.#words[at + IMAGE_PAGES] = pages;
  }

  clearImage(slot: number): void {
    this.setImage(slot, 0, 0, 0);
  }

  /** Pages from the slot's start that are accessible. */
  accessiblePages(slot: number): number {
    return this.#words[slot * WORDS_PER_SLOT + ACCESSIBLE_PAGES]! >>> 0;
  }

  setAccessiblePages(slot: number, pages: number): void {
    this.#words[slot * WORDS_PER_SLOT + ACCESSIBLE_PAGES] = pages;
  }

  /** Bytes of the tenant's memory; at most its accessible pages. */
  byteLength(slot: number): number {
    return this.#floats[(slot * WORDS_PER_SLOT) / 2 + BYTE_LENGTH_F64]!;
  }

  setByteLength(slot: number, byteLength: number): void {
    this.#floats[(slot * WORDS_PER_SLOT) / 2 + BYTE_LENGTH_F64] = byteLength;
  }

  /** Whether a system call failed halfway through a change: the record may be wrong, and no reset can be trusted. */
  isTainted(slot: number): boolean {
    return this.#words[slot * WORDS_PER_SLOT + TAINTED] !== 0;
  }

  setTainted(slot: number, tainted: boolean): void {
    this.#words[slot * WORDS_PER_SLOT + TAINTED] = Number(tainted);
  }

  /** The store that owns the tenant, 0 for none. */
  owner(slot: number): number {
    return this.#words[slot * WORDS_PER_SLOT + OWNER]!;
  }

  /** Puts the slot at the head of its store's list and returns the new head; heads and links are slot + 1, 0 is none. */
  link(slot: number, owner: number, head: number): number {
    const at = slot * WORDS_PER_SLOT;
    this.#words[at + OWNER] = owner;
    this.#words[at + NEXT] = head;
    this.#words[at + PREVIOUS] = 0;
    if (head !== 0) this.#words[(head - 1) * WORDS_PER_SLOT + PREVIOUS] = slot + 1;
    return slot + 1;
  }

  /** Takes the slot out of its store's list and returns the new head. */
  unlink(slot: number, head: number): number {
    const at = slot * WORDS_PER_SLOT;
    const next = this.#words[at + NEXT]!;
    const previous = this.#words[at + PREVIOUS]!;
    if (next !== 0) this.#words[(next - 1) * WORDS_PER_SLOT + PREVIOUS] = previous;
    if (previous !== 0) this.#words[(previous - 1) * WORDS_PER_SLOT + NEXT] = next;
    this.#words[at + OWNER] = 0;
    this.#words[at + NEXT] = 0;
    this.#words[at + PREVIOUS] = 0;
    return previous === 0 ? next : head;
  }
}
