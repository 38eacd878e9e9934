/** The views a map has handed out, so that each range has one and all can be detached. */

import { createView, detachView } from './view.js';

/** Views by offset, then by length; detached ones are replaced when asked for again. */
export class ViewTable {
  readonly #views = new Map<number, Map<number, ArrayBuffer>>();

  /** The attached view of a range, made if there is none. `address` is that of the range. */
  get(address: number, offset: number, byteLength: number): ArrayBuffer {
    const known = this.#views.get(offset)?.get(byteLength);
    if (known !== undefined && !known.detached) return known;
    const view = createView(address, byteLength);
    let sameOffset = this.#views.get(offset);
    if (sameOffset === undefined) this.#views.set(offset, (sameOffset = new Map<number, ArrayBuffer>()));
    sameOffset.set(byteLength, view);
    return view;
  }

  /** Forgets one view, by identity. */
  delete(view: ArrayBuffer): void {
    for (const [offset, sameOffset] of this.#views) {
      for (const [byteLength, candidate] of sameOffset) {
        if (candidate !== view) continue;
        sameOffset.delete(byteLength);
        if (sameOffset.size === 0) this.#views.delete(offset);
        return;
      }
    }
  }

  /** Detaches all, and forgets them. */
  detachAll(): void {
    for (const sameOffset of this.#views.values()) {
      for (const view of sameOffset.values()) detachView(view);
    }
    this.#views.clear();
  }
}
