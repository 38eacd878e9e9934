/**
 * The only way to a slot's pages. A mapping call drops the protection key of the pages it replaces, so in a striped slab a
 * page that was mapped anew would be open to every stripe until its key is put back. Here nothing is ever accessible without
 * it: pages are mapped without access, and the call that opens them colours them.
 *
 *     mmap (no access, no key) ──▶ pkey_mprotect (access and key at once) ──▶ in use ──▶ pkey_mprotect (neither again)
 *
 * The slab belongs to the pool, and sizes were checked where they came in. So the calls go straight to the platform's
 * primitives, after the one comparison that keeps a mistake of ours out of the neighbours' pages.
 */
import { mappingsOfSlot, type SlabLayout } from '@guardstripe/layout';
import type { VirtualMemory } from '@guardstripe/mmap';
import type { ProtectionKey } from '@guardstripe/mpk';
import type { PoolImage } from '../module/image.js';
import { PoolClosedError, PoolCorruptedError } from '../errors.js';

/** The hardware's default, which every page has that nobody coloured (pkeys(7)). */
const NO_KEY = 0;

/** The slab's pages: a map, or what threads share. */
export interface SlabPages {
  readonly address: number;
  readonly byteLength: number;
  /** Has the pages stay whichever thread ends, where several have them; or no more. */
  keepForGood?(isKept?: boolean): void;
  close(): void;
}

/** Changes pages of slots. Offsets are bytes from the slot's start; offsets and lengths are whole host pages. */
export class SlotPages {
  protected readonly virtualMemory: VirtualMemory;
  /** Where slot 0 begins. */
  readonly #firstAddress: number;
  readonly #slotBytes: number;
  readonly #numSlots: number;
  readonly #maxMemoryBytes: number;
  /** The hardware's number of each stripe's key; empty in a slab that is not striped. */
  readonly #keyIds: readonly number[];
  #closed = false;

  constructor(
    slab: SlabPages,
    layout: SlabLayout,
    keys: readonly ProtectionKey[],
    virtualMemory: VirtualMemory,
  ) {
    assertFits(slab, layout, keys);
    assertWholePages(slab, layout, virtualMemory.pageSize);
    this.virtualMemory = virtualMemory;
    this.#firstAddress = slab.address + layout.preSlabGuardBytes;
    this.#slotBytes = layout.slotBytes;
    this.#numSlots = layout.numSlots;
    this.#maxMemoryBytes = layout.maxMemoryBytes;
    this.#keyIds = keys.map((key) => key.id);
  }

  /** Where byte 0 of the slot's memory lies. */
  addressOf(slot: number): number {
    if (!(slot >= 0 && slot < this.#numSlots)) throw new PoolCorruptedError(`there is no slot ${slot}`);
    return this.#firstAddress + slot * this.#slotBytes;
  }

  /**
   * The same, for somebody who goes on from there for so many bytes, none included: in a shared pool another thread has noted how many, and
   * behind the slot's own pages are the neighbour's.
   */
  addressFor(slot: number, byteLength: number): number {
    if (!(byteLength >= 0 && byteLength <= this.#maxMemoryBytes))
      throw new PoolCorruptedError(`slot ${slot} has no ${byteLength} bytes at 0`);
    return this.addressOf(slot);
  }

  /** Lets pages be read and written, by the slot's stripe alone. */
  open(slot: number, offset: number, byteLength: number): void {
    this.allow(slot, this.range(slot, offset, byteLength), byteLength);
  }

  /**
   * Makes any touch of the pages fault. They lose their key, too: it alone would keep them a mapping apart from the pages behind
   * them that were never opened.
   */
  shut(slot: number, offset: number, byteLength: number): void {
    const address = this.range(slot, offset, byteLength);
    if (this.#keyIds.length === 0) this.virtualMemory.protect(address, byteLength, 'none');
    else this.virtualMemory.protectWithKey(address, byteLength, 'none', NO_KEY);
  }

  /** Lays fresh inaccessible pages over the whole slot, whatever was there. */
  blank(slot: number): void {
    const byteLength = this.#maxMemoryBytes;
    if (byteLength > 0) this.virtualMemory.mapZeros(this.range(slot, 0, byteLength), byteLength, 'none');
  }

  /** Lays fresh zero pages, readable and writable, over what was there. */
  zero(slot: number, offset: number, byteLength: number): void {
    const address = this.range(slot, offset, byteLength);
    const striped = this.#keyIds.length > 0;
    this.virtualMemory.mapZeros(address, byteLength, striped ? 'none' : 'read-write');
    if (striped) this.allow(slot, address, byteLength);
  }

  /** Maps an image, copy-on-write, at its place in the slot's memory. */
  mapImage(slot: number, { parts }: PoolImage): void {
    const striped = this.#keyIds.length > 0;
    const access = striped ? 'none' : 'read-write';
    for (const { file, fileOffset, offsetBytes, byteLength } of parts) {
      const address = this.range(slot, offsetBytes, byteLength);
      this.virtualMemory.mapFile(file.fd, fileOffset, address, byteLength, access, 'private');
      if (striped) this.allow(slot, address, byteLength);
    }
  }

  /** Drops pages: they read as zeros, or as the image that is mapped there. */
  drop(slot: number, offset: number, byteLength: number): void {
    this.virtualMemory.decommit(this.range(slot, offset, byteLength), byteLength);
  }

  /** Mappings that a slot takes which has so many pages open, and such an image. */
  mappings(accessiblePages: number, imageFirstPage: number, imagePages: number): number {
    return mappingsOfSlot(accessiblePages, imageFirstPage, imagePages);
  }

  /** The slab is gone, and may be somebody else's: no call reaches the system any more. */
  close(): void {
    this.#closed = true;
  }

  /** Gives pages of the slot access, and with stripes the slot's key in the same call. */
  protected allow(slot: number, address: number, byteLength: number): void {
    const keys = this.#keyIds;
    if (keys.length === 0) this.virtualMemory.protect(address, byteLength, 'read-write');
    else this.virtualMemory.protectWithKey(address, byteLength, 'read-write', keys[slot % keys.length]!);
  }

  /** Where that is, if it is inside of the slot. */
  protected range(slot: number, offset: number, byteLength: number): number {
    if (this.#closed) throw new PoolClosedError('change a memory');
    const pageBytes = this.virtualMemory.pageSize;
    // Also false for what is no number.
    const inside =
      slot >= 0 &&
      slot < this.#numSlots &&
      offset >= 0 &&
      byteLength > 0 &&
      offset + byteLength <= this.#maxMemoryBytes;
    // A power of two: what is below it, without two divisions. Fractions stay inside of the slot.
    if (((offset | byteLength) & (pageBytes - 1)) !== 0)
      throw new PoolCorruptedError(`slot ${slot} has no pages of ${byteLength} bytes at ${offset}`);
    if (!inside) throw new PoolCorruptedError(`slot ${slot} has no ${byteLength} bytes at ${offset}`);
    return this.#firstAddress + slot * this.#slotBytes + offset;
  }
}

/** What is computed from a layout is only right for a slab of that size, and with a key for each of its stripes. */
function assertFits(slab: SlabPages, layout: SlabLayout, keys: readonly ProtectionKey[]): void {
  const { totalSlabBytes, numSlots, preSlabGuardBytes, slotBytes, maxMemoryBytes, numStripes } = layout;
  if (slab.byteLength < totalSlabBytes) {
    throw new PoolCorruptedError(`a slab of ${slab.byteLength} bytes has no room for ${totalSlabBytes}`);
  }
  const end = numSlots === 0 ? 0 : preSlabGuardBytes + (numSlots - 1) * slotBytes + maxMemoryBytes;
  // Also for what is no number.
  if (!(end <= totalSlabBytes))
    throw new PoolCorruptedError(`the last slot ends at ${end}, behind the slab's ${totalSlabBytes} bytes`);
  if (maxMemoryBytes > slotBytes * numStripes) {
    throw new PoolCorruptedError(
      `memories of ${maxMemoryBytes} bytes overlap: the slots are ${slotBytes} apart`,
    );
  }
  if (keys.length !== (numStripes === 1 ? 0 : numStripes)) {
    throw new PoolCorruptedError(`${numStripes} stripes have ${keys.length} keys`);
  }
  if (new Set(keys.map(({ id }) => id)).size !== keys.length || keys.some(({ id }) => id === 0)) {
    throw new PoolCorruptedError('two stripes have one key, or one has the key of everybody');
  }
}

/** What each call then looks at is where in a slot it is: that slots begin at pages is only right for a slab that does. */
function assertWholePages(slab: SlabPages, layout: SlabLayout, pageBytes: number): void {
  const { preSlabGuardBytes, slotBytes, maxMemoryBytes } = layout;
  if (!(slab.address > 0 && slab.address % pageBytes === 0))
    throw new PoolCorruptedError(`a slab begins at ${slab.address}, where no page does`);
  if ([preSlabGuardBytes, slotBytes, maxMemoryBytes].some((bytes) => bytes % pageBytes !== 0))
    throw new PoolCorruptedError(`slots of ${slotBytes} bytes do not begin and end with pages`);
}
