/** The views of a map by what they show, so that the same range gives the same view. Holds none of them. */

import { isAttached } from './view.js';

/** Entries below which looking for dead ones is not worth it. */
const MIN_SWEEP = 1024;

export class RangeViews {
  readonly #views = new Map<number, Map<number, WeakRef<ArrayBuffer>>>();
  #numEntries = 0;
  #sweepAt = MIN_SWEEP;

  /** The attached view of a range, made by `make` if there is none. */
  get(offset: number, byteLength: number, make: () => ArrayBuffer): ArrayBuffer {
    let sameOffset = this.#views.get(offset);
    const known = sameOffset?.get(byteLength);
    const view = known?.deref();
    if (view !== undefined && isAttached(view)) return view;
    const made = make();
    if (sameOffset === undefined)
      this.#views.set(offset, (sameOffset = new Map<number, WeakRef<ArrayBuffer>>()));
    sameOffset.set(byteLength, new WeakRef(made));
    if (known === undefined && ++this.#numEntries >= this.#sweepAt) this.#sweep();
    return made;
  }

  clear(): void {
    this.#views.clear();
    this.#numEntries = 0;
  }

  /** Forgets views that are detached or collected; so rarely that each view pays for a constant number of looks. */
  #sweep(): void {
    for (const [offset, sameOffset] of this.#views) {
      for (const [byteLength, known] of sameOffset) {
        const view = known.deref();
        if (view !== undefined && isAttached(view)) continue;
        sameOffset.delete(byteLength);
        this.#numEntries -= 1;
      }
      if (sameOffset.size === 0) this.#views.delete(offset);
    }
    this.#sweepAt = Math.max(MIN_SWEEP, 2 * this.#numEntries);
  }
}
