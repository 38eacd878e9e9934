/**
 * Errors of bad arguments, as Node itself throws them (`lib/internal/errors.js`): the same classes, codes and grammar.
 *
 * - `ERR_INVALID_ARG_TYPE`, a `TypeError`: the value is of a kind that can never be right.
 * - `ERR_INVALID_ARG_VALUE`, a `TypeError`: the kind is right and the value is not one of those that can be.
 * - `ERR_INVALID_RETURN_VALUE`, a `TypeError`: a function that was passed gave back something else than it must.
 * - `ERR_OUT_OF_RANGE`, a `RangeError`: a number that is fractional, too small, too large or not aligned.
 *
 * The classes are JavaScript's own: what callers test is `code`, which stays, and bundled copies of one class would be
 * different classes.
 */
import { size } from './sizes.ts';
import { received, shown } from './received.ts';

/** An error with a stable code. */
export type Coded<E extends Error = Error> = E & { readonly code: string };

/** Gives an error its code, as an own property, like Node's. */
export function withCode<E extends Error>(error: E, code: string): Coded<E> {
  return Object.assign(error, { code });
}

/** Options are properties: `options.offset`. */
function kindOf(name: string): 'argument' | 'property' {
  return name.includes('.') ? 'property' : 'argument';
}

/**
 * A value of the wrong kind.
 *
 * @param expected - completes "must be ...": `of type number`, `an instance of Mmap`
 * @param hint - what was probably meant, as a sentence without its full stop
 */
export function invalidArgType(
  name: string,
  expected: string,
  value: unknown,
  hint?: string,
): Coded<TypeError> {
  const more = hint === undefined ? '' : `. ${hint}`;
  const message = `The "${name}" ${kindOf(name)} must be ${expected}. Received ${received(value)}${more}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_TYPE');
}

/**
 * A value of the right kind that cannot be.
 *
 * @param reason - a predicate: `must be one of: 'read', 'write'`
 */
export function invalidArgValue(name: string, reason: string, value: unknown): Coded<TypeError> {
  const message = `The ${kindOf(name)} '${name}' ${reason}. Received ${shown(value)}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
}

/**
 * A number outside of what is allowed.
 *
 * @param rule - completes "It must be ...": `an integer`, `>= 0 && <= 10`
 */
export function outOfRange(name: string, rule: string, value: unknown): Coded<RangeError> {
  return rangeError(name, rule, shown(value));
}

/** The same for a count of bytes or an offset, which is shown as a size too. */
export function bytesOutOfRange(name: string, rule: string, value: number): Coded<RangeError> {
  return rangeError(
    name,
    rule,
    Number.isSafeInteger(value) ? `${shown(value)} = ${size(value)}` : shown(value),
  );
}

/**
 * A function of the caller's gave back what it must not.
 *
 * @param expected - what was wanted: `a boolean`
 */
export function invalidReturnValue(name: string, expected: string, value: unknown): Coded<TypeError> {
  const message = `Expected ${expected} to be returned from the "${name}" function but got ${received(value)}.`;
  return withCode(new TypeError(message), 'ERR_INVALID_RETURN_VALUE');
}

function rangeError(name: string, rule: string, what: string): Coded<RangeError> {
  const message = `The value of "${name}" is out of range. It must be ${rule}. Received ${what}`;
  return withCode(new RangeError(message), 'ERR_OUT_OF_RANGE');
}
