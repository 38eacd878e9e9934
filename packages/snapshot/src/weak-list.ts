/**
 * Objects that may be collected, each once. Those that were are dropped now and then, so that the list is at most twice what is alive.
 */
export class WeakList<T extends object> {
  readonly #members = new WeakSet<T>();
  #references: WeakRef<T>[] = [];
  #pruneAt = 64;

  add(value: T): void {
    if (this.#members.has(value)) return;
    if (this.#references.length >= this.#pruneAt) {
      this.#references = this.#references.filter((reference) => reference.deref() !== undefined);
      this.#pruneAt = Math.max(64, 2 * this.#references.length);
    }
    this.#references.push(new WeakRef(value));
    this.#members.add(value);
  }

  /** Those that are alive now. */
  living(): T[] {
    return this.#references.flatMap((reference) => reference.deref() ?? []);
  }
}
