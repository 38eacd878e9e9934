/**
 * What a table's entry or a global holds, saved twice: as it is, for the target that it was taken of, and in words that hold
 * for any instance of the module, for forks. A function of one instance must never get into another: it would go on to use the
 * first one's memory.
 */
import { WrongTargetError } from '../errors.js';
import { ExactNaN } from './float-bits.js';
import type { Target } from './target.js';

/**
 * - `'plain'`: a number, a BigInt or null, the same in every instance.
 * - `'exported'`: a function that is this one of the target's exports.
 * - `'numbered'`: another function of WebAssembly, by its number in its module.
 * - `'foreign'`: anything else; it belongs to the target that it was found in.
 */
export type Reference =
  | { readonly kind: 'plain'; readonly value: unknown }
  | { readonly kind: 'exported'; readonly index: number }
  | { readonly kind: 'numbered'; readonly number: string; readonly length: number }
  | { readonly kind: 'foreign' };

const FOREIGN: Reference = { kind: 'foreign' };
const NULL: Reference = { kind: 'plain', value: null };

/** Describes values of one target. */
export function describer(target: Target): (value: unknown) => Reference {
  const indices = new Map(target.exported.map((value, index) => [value, index]));
  return (value) => {
    if (value === null) return NULL;
    if (typeof value === 'function') {
      const index = indices.get(value);
      if (index !== undefined) return { kind: 'exported', index };
      return /^\d+$/.test(value.name)
        ? { kind: 'numbered', number: value.name, length: value.length }
        : FOREIGN;
    }
    const isPlain = typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNaN;
    return isPlain ? { kind: 'plain', value } : FOREIGN;
  };
}

/** Whether an entry or a global need not be written. A NaN need: its bits are not seen. */
export function isSame(current: unknown, saved: unknown): boolean {
  return Object.is(current, saved) && !Number.isNaN(saved);
}

/**
 * The value in another instance of the module that a reference means there. `current` is what is in its place now: a function
 * that is not exported can only be found there, where the module itself has put it.
 *
 * @throws {@link WrongTargetError} if it cannot be told
 */
export function translate(reference: Reference, current: unknown, other: Target, where: string): unknown {
  switch (reference.kind) {
    case 'plain':
      return reference.value;
    case 'exported':
      return other.exported[reference.index];
    case 'numbered':
      if (
        typeof current === 'function' &&
        current.name === reference.number &&
        current.length === reference.length
      ) {
        return current;
      }
      throw new WrongTargetError(
        `${where} holds a function that was put there later and is not exported, so its twin cannot be found`,
      );
    case 'foreign':
      throw new WrongTargetError(`${where} holds an object of the host, which belongs to the first instance`);
  }
}
