/** Checks of what callers pass in, one function a rule. Each returns nothing and throws before anything is done. */
import { outOfRange, wrongType } from './errors.js';

/** The smallest page of any processor that Node runs on. A smaller number is a mistake in the unit. */
const MIN_PAGE_BYTES = 4096;

/** The largest page that Linux maps on x86-64 and arm64; it also keeps the power-of-two test within 31 bits. */
const MAX_PAGE_BYTES = 2 ** 30;

/** The page size that is meant when none is given, in bytes: that of x86-64. */
export const DEFAULT_PAGE_SIZE = 4096;

/** `value` is an integer from `min` to `max`, both included. */
export function checkInteger(
  value: unknown,
  name: string,
  min = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} and <= ${max}`, value);
}

/** `value` is `true` or `false`. */
export function checkBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw wrongType(name, 'of type boolean', value);
}

/** `value` is an object with fields to read: not null, not an array, not a function. */
export function checkObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(name, 'an object', value);
  }
}

/** `value` can be the page size of a host: a power of two from 4 KiB to 1 GiB. */
export function checkPageSize(value: unknown, name = 'pageSize'): asserts value is number {
  checkInteger(value, name, MIN_PAGE_BYTES, MAX_PAGE_BYTES);
  if ((value & (value - 1)) !== 0) throw outOfRange(name, 'a power of two', value);
}
