/**
 * The only way to a slot's pages. A mapping call drops the protection key of the pages it replaces, so in a striped slab a
 * page that was mapped anew would be open to every stripe until its key is put back. Here nothing is ever accessible without
 * it: pages are mapped without access, and the call that opens them colours them.
 *
 *     mmap (no access, no key) ──▶ pkey_mprotect (access and key at once) ──▶ in use ──▶ mprotect (keeps the key)
 */
import type { SlabLayout } from '@guardstripe/layout';
import type { Mmap } from '@guardstripe/mmap';
import type { ProtectionKey } from '@guardstripe/mpk';
import type { PoolImage } from '../module/image.js';

/** Changes pages of slots. Offsets are bytes from the slot's start; offsets and lengths are whole host pages. */
export class SlotPages {
  readonly #slab: Mmap;
  readonly #layout: SlabLayout;
  /** One a stripe; empty in a slab that is not striped. */
  readonly #keys: readonly ProtectionKey[];

  constructor(slab: Mmap, layout: SlabLayout, keys: readonly ProtectionKey[]) {
    this.#slab = slab;
    this.#layout = layout;
    this.#keys = keys;
  }

  /** Lets pages be read and written, by the slot's stripe alone. */
  open(slot: number, offset: number, byteLength: number): void {
    const start = this.#layout.slotOffset(slot) + offset;
    const key = this.#key(slot);
    if (key === undefined) this.#slab.makeAccessible(start, byteLength);
    else key.protect({ map: this.#slab, offset: start, byteLength }, 'read-write');
  }

  /** Makes any touch of the pages fault. */
  shut(slot: number, offset: number, byteLength: number): void {
    this.#slab.makeInaccessible(this.#layout.slotOffset(slot) + offset, byteLength);
  }

  /** Lays fresh inaccessible pages over the whole slot, whatever was there. */
  blank(slot: number): void {
    this.#slab.remapAsZerosAt(this.#layout.slotOffset(slot), this.#layout.maxMemoryBytes, 'none');
  }

  /** Lays fresh zero pages, readable and writable, over what was there. */
  zero(slot: number, offset: number, byteLength: number): void {
    const start = this.#layout.slotOffset(slot) + offset;
    if (this.#key(slot) === undefined) {
      this.#slab.remapAsZerosAt(start, byteLength, 'read-write');
      return;
    }
    this.#slab.remapAsZerosAt(start, byteLength, 'none');
    this.open(slot, offset, byteLength);
  }

  /** Maps an image, copy-on-write, at its place in the slot's memory. */
  mapImage(slot: number, image: PoolImage): void {
    const start = this.#layout.slotOffset(slot) + image.offsetBytes;
    if (this.#key(slot) === undefined) {
      this.#slab.mapImageAt(image.image, start);
      return;
    }
    this.#slab.mapImageAt(image.image, start, 'none');
    this.open(slot, image.offsetBytes, image.byteLength);
  }

  #key(slot: number): ProtectionKey | undefined {
    return this.#keys.length === 0 ? undefined : this.#keys[this.#layout.stripeOf(slot)];
  }
}
