/** Keeping pages for those whom JavaScript does not see: a native library that was given the address. */

import type { Mapping } from '../mapping.js';

/** Maps that are held. Nobody collects one whose address native code may be using. */
const heldMappings = new Map<Mapping, number>();

/** Made by {@link Mmap.hold}. Made for `using`. */
export class MmapHold implements Disposable {
  #mapping: Mapping | undefined;
  /** Address of the map's offset 0, as long as the hold lasts. */
  readonly address: number;
  /** Bytes from there on. */
  readonly byteLength: number;

  /** @internal */
  constructor(mapping: Mapping) {
    mapping.assertOpen();
    this.#mapping = mapping;
    this.address = mapping.address;
    this.byteLength = mapping.byteLength;
    heldMappings.set(mapping, (heldMappings.get(mapping) ?? 0) + 1);
    mapping.begin();
  }

  get released(): boolean {
    return this.#mapping === undefined;
  }

  /** The native user is done. If the map was closed meanwhile and nobody else uses it, its pages go now. Idempotent. */
  release(): void {
    const mapping = this.#mapping;
    if (mapping === undefined) return;
    this.#mapping = undefined;
    const others = heldMappings.get(mapping)! - 1;
    if (others === 0) heldMappings.delete(mapping);
    else heldMappings.set(mapping, others);
    mapping.end();
  }

  /** The same as `release()`. */
  [Symbol.dispose](): void {
    this.release();
  }
}
