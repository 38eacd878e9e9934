/** The views of a pool that ends. */
import type { ViewsLeft } from '@guardstripe/mmap';
import type { SlotViews } from '../slots/views.js';
import type { WithheldSlots } from './withheld-slots.js';

/**
 * Takes views back, slot by slot. Whatever they leave is told once, and may still be written to: so where that is cut short, the next
 * call goes on with the slot that it was at.
 */
export class EndingViews {
  #slot: number | undefined;
  #left: ViewsLeft | undefined;

  /** @param put - puts a slot away, of whose views that is left; called again for one whose call was cut short */
  end(
    slots: Iterable<number>,
    { views, withheld }: { readonly views: SlotViews; readonly withheld: WithheldSlots },
    put: (slot: number, left: ViewsLeft) => void,
  ): void {
    const endOne = (slot: number): void => {
      this.#left ??= views.end(slot);
      put(slot, this.#left);
      this.#slot = undefined;
    };
    if (this.#slot !== undefined) {
      withheld.forget(this.#slot);
      endOne(this.#slot);
    }
    for (const slot of slots) {
      this.#left = undefined;
      this.#slot = slot;
      endOne(slot);
    }
  }
}
