/**
 * Checks of what callers pass in, one function a rule. Each returns nothing and throws before anything is done, in every
 * build. The order of arguments is that of Node's own validators: the value, its name, its bounds.
 */
import { bytesOutOfRange, invalidArgType, invalidArgValue, outOfRange } from './errors.ts';
import { hex, size } from './sizes.ts';
import { shown } from './received.ts';

/** The smallest page of any processor that Node runs on. A smaller number is a mistake in the unit. */
const MIN_PAGE_BYTES = 4096;

/** The largest page that Linux maps on x86-64 and arm64; it also keeps the power-of-two test within 31 bits. */
const MAX_PAGE_BYTES = 2 ** 30;

/** `value` is an integer from `min` to `max`, both included. */
export function checkInteger(
  value: unknown,
  name: string,
  min = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
}

/** `value` is a whole number of bytes from `min` to `max`; errors show sizes in hex and in words. */
export function checkBytes(
  value: unknown,
  name: string,
  min = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw bytesOutOfRange(name, `>= ${min} && <= ${max}`, value);
}

/** `value` is a whole number of pages in bytes, at least `minPages` of them. */
export function checkPages(
  value: unknown,
  name: string,
  pageSize: number,
  minPages: 0 | 1,
): asserts value is number {
  checkBytes(value, name);
  if (value % pageSize !== 0) throw bytesOutOfRange(name, `a multiple of the page size, ${pageSize}`, value);
  if (value < minPages * pageSize)
    throw bytesOutOfRange(name, `at least one page of ${pageSize} bytes`, value);
}

/** `byteLength` bytes from `offset` on lie inside of `totalBytes`. */
export function checkByteRange(
  offset: unknown,
  byteLength: unknown,
  totalBytes: number,
  offsetName = 'offset',
  lengthName = 'byteLength',
): void {
  checkBytes(offset, offsetName);
  checkBytes(byteLength, lengthName);
  if (offset > totalBytes) {
    throw bytesOutOfRange(offsetName, `at most the whole length, ${size(totalBytes)}`, offset);
  }
  // Subtracted, not added: the sum of two safe integers need not be one.
  if (byteLength > totalBytes - offset) {
    const rule = `at most ${size(totalBytes - offset)} behind ${offsetName} ${hex(offset)}`;
    throw bytesOutOfRange(lengthName, rule, byteLength);
  }
}

/** `value` can be the page size of a host: a power of two from 4 KiB to 1 GiB. */
export function checkPageSize(value: unknown, name = 'pageSize'): asserts value is number {
  checkBytes(value, name, MIN_PAGE_BYTES, MAX_PAGE_BYTES);
  if ((value & (value - 1)) !== 0) throw bytesOutOfRange(name, 'a power of two', value);
}

/** `value` is `true` or `false`. */
export function checkBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
}

/** `value` is text. */
export function checkString(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
}

/** `value` can be called. */
export function checkFunction(
  value: unknown,
  name: string,
): asserts value is (...args: readonly never[]) => unknown {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value);
}

/** `value` is an object with fields to read: not null, not an array, not a function, not a revoked proxy. */
export function checkObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || !isReadable(value) || Array.isArray(value)) {
    throw invalidArgType(name, 'of type object', value);
  }
}

/** `value` is one of a few; the message lists them. */
export function checkOneOf<T extends string | number>(
  value: unknown,
  name: string,
  allowed: readonly T[],
): asserts value is T {
  if (!(allowed as readonly unknown[]).includes(value)) {
    throw invalidArgValue(name, `must be one of: ${allowed.map((each) => shown(each)).join(', ')}`, value);
  }
}

/** A class, also one whose constructor is private. */
interface Maker<T> {
  readonly prototype: T;
  readonly name: string;
  [Symbol.hasInstance](value: unknown): boolean;
}

/** `value` was made by `maker`. */
export function checkInstance<T>(value: unknown, name: string, maker: Maker<T>): asserts value is T {
  if (!isInstance(value, maker)) throw invalidArgType(name, `an instance of ${maker.name}`, value);
}

/** `instanceof` that has an answer for revoked proxies too, where the operator throws. */
export function isInstance<T>(value: unknown, maker: Maker<T>): value is T {
  try {
    return maker[Symbol.hasInstance](value);
  } catch {
    return false;
  }
}

/** Whether an object can be read at all: a revoked proxy throws whatever is asked of it. */
export function isReadable(value: object): boolean {
  try {
    Object.getPrototypeOf(value);
    return true;
  } catch {
    return false;
  }
}

/** `value` can stand in for a platform's primitives; its calls are not tried. */
export function checkVirtualMemory(
  value: unknown,
  name = 'options.virtualMemory',
): asserts value is { readonly pageSize: number } {
  if (typeof value !== 'object' || value === null || !isReadable(value) || !('pageSize' in value)) {
    throw invalidArgType(name, 'a VirtualMemory', value);
  }
}
