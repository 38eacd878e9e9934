/**
 * What pools of this thread hand out. A `create` that gives back what it gave before (a library's only instance, a cached one) would let
 * two users into one memory, and an instance that was given up come back.
 */
import { invalidReturnValue } from '@guardstripe/common';

const held = new WeakSet<object>();

/** An instance and its memories, that no other member of any pool may have. */
export class Holding {
  readonly #objects: object[] = [];

  /** @throws `TypeError` `ERR_INVALID_RETURN_VALUE` for what another member has or had when it was given up */
  add(value: unknown): void {
    if (typeof value !== 'object' || value === null || this.#objects.includes(value)) return;
    if (held.has(value)) {
      throw invalidReturnValue('options.create', 'an instance with memories that nobody else has', value);
    }
    held.add(value);
    this.#objects.push(value);
  }

  /** From now on others may have them. */
  letGo(): void {
    for (const object of this.#objects.splice(0)) held.delete(object);
  }
}
