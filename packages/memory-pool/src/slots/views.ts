/** The JavaScript views of live memories: at most one a slot, made late, and detached when the slot's tenancy ends. */
import { createView, detachView } from '@guardstripe/mmap';

/** Where a view holds on to its pool. */
const KEEPER = Symbol('guardstripe.pool');

/** Views by slot. */
export class SlotViews {
  readonly #keeper: object;
  readonly #views = new Map<number, ArrayBuffer>();
  /** Views whose memories were collected: only somebody outside may still hold them. */
  readonly #weakViews = new Map<number, WeakRef<ArrayBuffer>>();

  /** @param keeper - lives as long as any view does */
  constructor(keeper: object) {
    this.#keeper = keeper;
  }

  /** The slot's view, made at first use: V8 counts a view's whole length as memory to be collected. */
  open(slot: number, address: number, byteLength: number): ArrayBuffer {
    let view = this.#views.get(slot);
    if (view === undefined) {
      view = createView(address, byteLength);
      // Whoever keeps no more than the view keeps the slab.
      Object.defineProperty(view, KEEPER, { value: this.#keeper });
      this.#views.set(slot, view);
    }
    return view;
  }

  /** Keeps the slot's view weakly from now on, and returns it if there is one and it lives. */
  weaken(slot: number): ArrayBuffer | undefined {
    const view = this.#views.get(slot);
    if (view === undefined) return this.#weakViews.get(slot)?.deref();
    this.#views.delete(slot);
    this.#weakViews.set(slot, new WeakRef(view));
    return view;
  }

  /** Detaches the slot's view, so that nobody reaches the slot's bytes through it any more. */
  revoke(slot: number): void {
    const view = this.#views.get(slot) ?? this.#weakViews.get(slot)?.deref();
    if (view === undefined) return;
    this.#views.delete(slot);
    this.#weakViews.delete(slot);
    detachView(view);
  }

  /** Detaches all of them. */
  revokeAll(): void {
    for (const slot of [...this.#views.keys(), ...this.#weakViews.keys()]) this.revoke(slot);
    this.#weakViews.clear();
  }
}
