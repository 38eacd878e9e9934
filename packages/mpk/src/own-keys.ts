/** Which bits of PKRU are ours to change: those of the keys that this package holds. Others in the process may own the rest. */
import { rightsOf } from './pkru.js';

/** The keys that are held now. */
export class OwnKeys<Key extends { readonly id: number }> {
  /** Rights bits of all keys that are held, unsigned. */
  bits = 0;
  /** How often a key was given back: a mask that was checked since the last time needs no other look. */
  releases = 0;
  readonly #held = new Set<Key>();

  add(key: Key): void {
    this.#held.add(key);
    this.bits = (this.bits | rightsOf(key.id)) >>> 0;
  }

  remove(key: Key): void {
    this.#held.delete(key);
    this.bits = (this.bits & ~rightsOf(key.id)) >>> 0;
    this.releases++;
  }

  [Symbol.iterator](): Iterator<Key> {
    return this.#held.values();
  }
}
