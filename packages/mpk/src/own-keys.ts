/** Which bits of PKRU are ours to change: those of the keys that this package holds. Others in the process may own the rest. */

/** A set of PKRU bits. */
class OwnKeys {
  /** Rights bits of all keys that are held, unsigned. */
  bits = 0;

  add(rights: number): void {
    this.bits = (this.bits | rights) >>> 0;
  }

  remove(rights: number): void {
    this.bits = (this.bits & ~rights) >>> 0;
  }
}

/** The process has one set of keys, and so has this package. */
export const ownKeys = new OwnKeys();
