/**
 * What the pool remembers of every slot, in one buffer, so that sharing it with other threads is a change of buffer. All
 * zeros is the state of a slot nobody has used: nothing needs filling when a pool is made. A record is a cache line:
 *
 *     slot 0        slot 1        slot 2
 *     [64 bytes]    [64 bytes]    [64 bytes]   ...
 *
 *     float64  0 generation          3 image id           int32  12 state
 *              1 byte length         4 image first page          13 next      ┐ of the owning store's
 *              2 accessible pages    5 image pages               14 previous  ┘ list, as slot + 1
 *                                                                15 marks
 *
 * What counts something is a double: none of them can wrap, whatever the size of a memory and however often a slot is used.
 */
import { mappingsOfSlot } from '@guardstripe/layout';
import { PoolCorruptedError } from '../errors.js';

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

const RECORD_BYTES = 64;
const FLOATS = RECORD_BYTES / Float64Array.BYTES_PER_ELEMENT;
const WORDS = RECORD_BYTES / Int32Array.BYTES_PER_ELEMENT;
const GENERATION = 0;
const BYTE_LENGTH = 1;
const ACCESSIBLE_PAGES = 2;
const IMAGE_ID = 3;
const IMAGE_FIRST_PAGE = 4;
const IMAGE_PAGES = 5;
const STATE = 12;
const NEXT = 13;
const PREVIOUS = 14;
const MARKS = 15;

/** On a store's list. */
const OWNED = 1;
/** A system call failed halfway through a change. */
const TAINTED = 2;
/** In a pool that threads share: a safe view was handed out in this tenancy. */
const VIEWED = 4;
/** Nobody gets the slot any more, whichever thread finds it. */
const RETIRED = 8;

/** Bytes that the records of so many slots take. */
export function recordBytes(numSlots: number): number {
  return numSlots * RECORD_BYTES;
}

/** A store's list of slots: the first one plus one, 0 for none, and how many there are. */
export interface SlotList {
  head: number;
  length: number;
}

/**
 * The records of all slots of a pool. What reads takes a slot of the pool on trust; what changes who has a slot, or what is
 * known of its pages, checks that the record is in the state that the change starts from: a slot in two hands would be two tenants
 * in one memory.
 */
export class SlotRecords {
  readonly #floats: Float64Array;
  readonly #words: Int32Array;

  /**
   * @param buffer - where they are; zeros for slots that nobody has used
   * @param byteOffset - where they begin there
   */
  constructor(
    numSlots: number,
    buffer: ArrayBufferLike = new ArrayBuffer(recordBytes(numSlots)),
    byteOffset = 0,
  ) {
    if (buffer.byteLength - byteOffset < recordBytes(numSlots)) {
      throw new PoolCorruptedError(`${numSlots} slots have no records of ${buffer.byteLength} bytes`);
    }
    this.#floats = new Float64Array(buffer, byteOffset, numSlots * FLOATS);
    this.#words = new Int32Array(buffer, byteOffset, numSlots * WORDS);
  }

  /** Takes a free slot's record, leaving `UNKNOWN` behind, and returns what it was. */
  takeState(slot: number): SlotState {
    const at = slot * WORDS;
    const state = this.#words[at + STATE] as SlotState | undefined;
    // No number of ours: a slot that the pool has not, or a record that somebody wrote over.
    if (state === undefined || state > SlotState.PREVIOUSLY_USED) throw bad(slot, `is in state ${state}`);
    if ((this.#words[at + MARKS]! & OWNED) !== 0) throw bad(slot, 'is taken while a tenant has it');
    this.#words[at + STATE] = SlotState.UNKNOWN;
    return state;
  }

  /** Puts the record back: the slot was reset. */
  putPreviouslyUsed(slot: number): void {
    const at = slot * WORDS;
    const isReset = this.#words[at + STATE] === SlotState.UNKNOWN && this.#words[at + MARKS] === 0;
    if (!isReset) throw bad(slot, 'is given back while a tenant has it, or while its pages are not known');
    this.#words[at + STATE] = SlotState.PREVIOUSLY_USED;
  }

  /** Says that nothing may be assumed of the slot any more. */
  putUnknown(slot: number): void {
    const at = slot * WORDS;
    if ((this.#words[at + MARKS]! & OWNED) !== 0) throw bad(slot, 'is given back while a tenant has it');
    this.#words[at + STATE] = SlotState.UNKNOWN;
  }

  /** Odd while a tenant lives in the slot. Each allocation and each free moves it on, so a stale handle never matches. */
  generation(slot: number): number {
    return this.#floats[slot * FLOATS + GENERATION]!;
  }

  /** Whether the tenancy of that generation still lives in the slot. */
  isCurrent(slot: number, generation: number): boolean {
    return this.#floats[slot * FLOATS + GENERATION] === generation;
  }

  /** Whether a tenant lives in the slot. */
  isLive(slot: number): boolean {
    return isOdd(this.generation(slot));
  }

  /** Starts a tenancy: the slot gets its size, and is the first on its store's list. Returns the tenancy's generation. */
  startTenancy(slot: number, byteLength: number, list: SlotList): number {
    const at = slot * WORDS;
    const generation = this.#floats[slot * FLOATS + GENERATION]! + 1;
    // Also for no number, where the slot is none of the pool's.
    if (!isOdd(generation)) throw bad(slot, 'gets a second tenant');
    if (this.#words[at + STATE] !== SlotState.UNKNOWN) throw bad(slot, 'gets a tenant before it was taken');
    const { head } = list;
    // A list that was cut elsewhere: freeing the store's memories would end in a stranger's.
    if (head !== 0 && this.#words[(head - 1) * WORDS + PREVIOUS] !== 0)
      throw bad(slot, 'meets a list without a start');
    this.#words[at + NEXT] = head;
    this.#words[at + PREVIOUS] = 0;
    this.#words[at + MARKS] = this.#words[at + MARKS]! | OWNED;
    if (head !== 0) this.#words[(head - 1) * WORDS + PREVIOUS] = slot + 1;
    list.head = slot + 1;
    list.length++;
    this.#floats[slot * FLOATS + BYTE_LENGTH] = byteLength;
    this.#floats[slot * FLOATS + GENERATION] = generation;
    return generation;
  }

  /** Ends a tenancy: the slot has no size and is on no list any more. Returns the bytes that the memory had. */
  endTenancy(slot: number, list: SlotList): number {
    const words = this.#words;
    const floats = this.#floats;
    const at = slot * WORDS;
    const next = words[at + NEXT]!;
    const previous = words[at + PREVIOUS]!;
    if ((words[at + MARKS]! & OWNED) === 0) throw bad(slot, 'ends a tenancy that it has not');
    const isListed =
      previous === 0 ? list.head === slot + 1 : words[(previous - 1) * WORDS + NEXT] === slot + 1;
    if (!isListed || list.length <= 0) throw bad(slot, "is not on its store's list");
    if (next !== 0 && words[(next - 1) * WORDS + PREVIOUS] !== slot + 1)
      throw bad(slot, 'is followed by one that it does not follow');
    if (next !== 0) words[(next - 1) * WORDS + PREVIOUS] = previous;
    if (previous !== 0) words[(previous - 1) * WORDS + NEXT] = next;
    else list.head = next;
    list.length--;
    words[at + NEXT] = 0;
    words[at + PREVIOUS] = 0;
    words[at + MARKS] = words[at + MARKS]! & ~(OWNED | VIEWED);
    const byteLength = floats[slot * FLOATS + BYTE_LENGTH]!;
    floats[slot * FLOATS + BYTE_LENGTH] = 0;
    floats[slot * FLOATS + GENERATION] = floats[slot * FLOATS + GENERATION]! + 1;
    return byteLength;
  }

  /**
   * Has a tenancy go on as another one's: no handle of it holds any more, and its list is whoever's who knows its first slot. Returns its
   * generation from now on.
   */
  passOn(slot: number): number {
    if (!this.isLive(slot)) throw bad(slot, 'is passed on, and nobody has it');
    return (this.#floats[slot * FLOATS + GENERATION] = this.nextGeneration(slot));
  }

  /** The generation that {@link SlotRecords.passOn} will give. */
  nextGeneration(slot: number): number {
    return this.generation(slot) + 2;
  }

  /** Ends a tenancy of a pool that ends: its store's list ends with it. */
  abandon(slot: number): void {
    if (!this.isLive(slot)) throw bad(slot, 'ends a tenancy that it has not');
    const at = slot * WORDS + MARKS;
    this.#words[at] = this.#words[at]! & ~(OWNED | VIEWED);
    this.#floats[slot * FLOATS + BYTE_LENGTH] = 0;
    this.#floats[slot * FLOATS + GENERATION] = this.generation(slot) + 1;
  }

  /**
   * Takes over the record of a thread that ended while it held the slot, which it may have done in the middle of any change: it had
   * no tenant any more, and nothing may be assumed of its pages.
   */
  takeOver(slot: number): void {
    if (this.isWithheld(slot)) throw bad(slot, 'is taken over though somebody may still reach it');
    const at = slot * WORDS;
    this.#words[at + STATE] = SlotState.UNKNOWN;
    this.#words[at + NEXT] = 0;
    this.#words[at + PREVIOUS] = 0;
    this.#words[at + MARKS] = TAINTED;
    this.#floats[slot * FLOATS + BYTE_LENGTH] = 0;
    if (this.isLive(slot)) this.#floats[slot * FLOATS + GENERATION] = this.generation(slot) + 1;
  }

  /** A safe view of the slot was handed out: until its tenancy ends, whoever has it may move it to another thread. */
  setViewed(slot: number): void {
    if (!this.isLive(slot)) throw bad(slot, 'is viewed by nobody');
    const at = slot * WORDS + MARKS;
    this.#words[at] = this.#words[at]! | VIEWED;
  }

  /** Nobody gets the slot any more. */
  setRetired(slot: number): void {
    const at = slot * WORDS + MARKS;
    this.#words[at] = this.#words[at]! | RETIRED;
  }

  /** Whether views of the slot may be somewhere though nobody lives in it. */
  isWithheld(slot: number): boolean {
    return (this.#words[slot * WORDS + MARKS]! & (VIEWED | RETIRED)) !== 0;
  }

  /** The next slot on its store's list plus one, 0 for none. */
  nextOwned(slot: number): number {
    if (!this.isOwned(slot)) throw bad(slot, "is not on its store's list");
    return this.#words[slot * WORDS + NEXT]!;
  }

  /** Whether the slot is on a store's list. */
  isOwned(slot: number): boolean {
    return (this.#words[slot * WORDS + MARKS]! & OWNED) !== 0;
  }

  /** Whether the slot, which nobody has, surely has this very image, 0 for none, and this many accessible pages. */
  hasShape(slot: number, imageId: number, accessiblePages: number): boolean {
    const at = slot * FLOATS;
    return (
      this.#floats[at + IMAGE_ID] === imageId &&
      this.#floats[at + ACCESSIBLE_PAGES] === accessiblePages &&
      this.#words[slot * WORDS + MARKS] === 0
    );
  }

  /** Mappings that the slot takes now. */
  mappings(slot: number): number {
    const at = slot * FLOATS;
    const floats = this.#floats;
    return mappingsOfSlot(
      floats[at + ACCESSIBLE_PAGES]!,
      floats[at + IMAGE_FIRST_PAGE]!,
      floats[at + IMAGE_PAGES]!,
    );
  }

  /** The image mapped in the slot, 0 for none. */
  imageId(slot: number): number {
    return this.#floats[slot * FLOATS + IMAGE_ID]!;
  }

  imageFirstPage(slot: number): number {
    return this.#floats[slot * FLOATS + IMAGE_FIRST_PAGE]!;
  }

  imagePages(slot: number): number {
    return this.#floats[slot * FLOATS + IMAGE_PAGES]!;
  }

  setImage(slot: number, imageId: number, firstPage: number, pages: number): void {
    const at = slot * FLOATS;
    if (imageId !== 0 && !(firstPage >= 0 && pages > 0))
      throw bad(slot, `gets an image of ${pages} pages at page ${firstPage}`);
    this.#floats[at + IMAGE_ID] = imageId;
    this.#floats[at + IMAGE_FIRST_PAGE] = firstPage;
    this.#floats[at + IMAGE_PAGES] = pages;
  }

  clearImage(slot: number): void {
    this.setImage(slot, 0, 0, 0);
  }

  /** Pages from the slot's start that are accessible. */
  accessiblePages(slot: number): number {
    return this.#floats[slot * FLOATS + ACCESSIBLE_PAGES]!;
  }

  setAccessiblePages(slot: number, pages: number): void {
    if (!(pages >= 0)) throw bad(slot, `gets ${pages} accessible pages`);
    this.#floats[slot * FLOATS + ACCESSIBLE_PAGES] = pages;
  }

  /** Bytes of the tenant's memory, at most its accessible pages; 0 without a tenant. */
  byteLength(slot: number): number {
    return this.#floats[slot * FLOATS + BYTE_LENGTH]!;
  }

  setByteLength(slot: number, byteLength: number): void {
    if (!(byteLength >= 0) || !this.isLive(slot)) throw bad(slot, `gets ${byteLength} bytes for nobody`);
    this.#floats[slot * FLOATS + BYTE_LENGTH] = byteLength;
  }

  /** Whether a system call failed halfway through a change: the record may be wrong, and no reset can be trusted. */
  isTainted(slot: number): boolean {
    return (this.#words[slot * WORDS + MARKS]! & TAINTED) !== 0;
  }

  setTainted(slot: number, tainted: boolean): void {
    const at = slot * WORDS + MARKS;
    const others = this.#words[at]! & ~TAINTED;
    this.#words[at] = tainted ? others | TAINTED : others;
  }
}

/** Of an integer of any size, without the division of doubles that `%` is; no for what is no number. */
function isOdd(integer: number): boolean {
  return (integer & 1) === 1;
}

function bad(slot: number, what: string): PoolCorruptedError {
  return new PoolCorruptedError(`slot ${slot} ${what}`);
}
