/**
 * Byte counts that are whole pages, as a type of their own. A number gets the brand only by a check or by rounding up,
 * and keeps it only through the operations here: a sum, a product with a count, and a difference of whole pages are
 * whole pages again. So nothing that takes a {@link PageAlignedBytes} has to check it once more.
 *
 * The brand does not say which page size; values of different page sizes must not be mixed. A layout has one.
 *
 * Why `Number.isSafeInteger` of the result is enough: a sum or product of integers that is at most 2^53 - 1 is exact in
 * a double, and one that is larger rounds to 2^53 or more, never back into the safe range.
 */
import {
  bytesOutOfRange,
  checkBytes,
  checkInteger,
  checkPageSize,
  checkString,
  size,
  formatHexBytes,
} from '@guardstripe/common';
import { SlabTooLargeError } from './errors.js';

declare const pageAligned: unique symbol;

/** An integer count of bytes, at least 0, at most `Number.MAX_SAFE_INTEGER`, and a multiple of the page size. */
export type PageAlignedBytes = number & {
  /** The brand; no value has it. */
  readonly [pageAligned]: true;
};

/** No bytes at all, a multiple of every page size. */
export const ZERO_BYTES = 0 as PageAlignedBytes;

/**
 * Brands a count that is already whole pages.
 *
 * @param bytes - a safe integer, at least 0, a multiple of `pageSize`
 * @param pageSize - a power of two from 4 KiB to 1 GiB
 * @param name - what the error message calls the count
 * @throws `TypeError` (`ERR_INVALID_ARG_TYPE`) if it is not a number, `RangeError` (`ERR_OUT_OF_RANGE`) if it is
 *   negative, fractional, beyond the safe integers or not aligned
 */
export function pageAlignedBytes(bytes: number, pageSize: number, name = 'bytes'): PageAlignedBytes {
  checkString(name, 'name');
  checkPageSize(pageSize);
  checkBytes(bytes, name);
  if (bytes % pageSize !== 0) throw bytesOutOfRange(name, `a multiple of the page size, ${pageSize}`, bytes);
  return bytes as PageAlignedBytes;
}

/**
 * The least whole number of pages that holds `bytes`.
 *
 * @param bytes - a safe integer, at least 0
 * @param pageSize - a power of two from 4 KiB to 1 GiB
 * @param name - what an error message calls the count
 * @throws `TypeError` or `RangeError` as {@link pageAlignedBytes}; {@link SlabTooLargeError} if the next page boundary
 *   is beyond the safe integers
 */
export function roundUpToPage(bytes: number, pageSize: number, name = 'bytes'): PageAlignedBytes {
  checkString(name, 'name');
  checkPageSize(pageSize);
  checkBytes(bytes, name);
  const excessBytes = bytes % pageSize;
  if (excessBytes === 0) return bytes as PageAlignedBytes;
  const roundedBytes = bytes + (pageSize - excessBytes);
  if (!Number.isSafeInteger(roundedBytes))
    throw tooLarge(bytesText(name, bytes), 'rounded up to whole pages');
  return roundedBytes as PageAlignedBytes;
}

/**
 * `left + right`, exactly.
 *
 * @param leftName - what an error message calls the first addend
 * @param rightName - what it calls the second
 * @throws {@link SlabTooLargeError} if the sum is beyond the safe integers
 */
export function addBytes(
  left: PageAlignedBytes,
  right: PageAlignedBytes,
  leftName = 'left',
  rightName = 'right',
): PageAlignedBytes {
  checkString(leftName, 'leftName');
  checkString(rightName, 'rightName');
  checkBytes(left, leftName);
  checkBytes(right, rightName);
  const sumBytes = left + right;
  if (!Number.isSafeInteger(sumBytes)) {
    throw tooLarge(bytesText(leftName, left), `+ ${bytesText(rightName, right)}`);
  }
  return sumBytes as PageAlignedBytes;
}

/**
 * `bytes * count`, exactly.
 *
 * @param count - how many times; a safe integer, at least 0
 * @param name - what an error message calls the bytes
 * @param countName - what it calls the count
 * @throws {@link SlabTooLargeError} if the product is beyond the safe integers; `TypeError` or `RangeError` for a bad
 *   count
 */
export function multiplyBytes(
  bytes: PageAlignedBytes,
  count: number,
  name = 'bytes',
  countName = 'count',
): PageAlignedBytes {
  checkString(name, 'name');
  checkString(countName, 'countName');
  checkBytes(bytes, name);
  checkInteger(count, countName);
  const productBytes = bytes * count;
  if (!Number.isSafeInteger(productBytes)) throw tooLarge(bytesText(name, bytes), `* ${countName} ${count}`);
  return productBytes as PageAlignedBytes;
}

/** `left - right`, or 0 where `right` is the larger. */
export function subtractOrZero(left: PageAlignedBytes, right: PageAlignedBytes): PageAlignedBytes {
  return left > right ? ((left - right) as PageAlignedBytes) : ZERO_BYTES;
}

/** The larger of two counts. */
export function maxBytes(left: PageAlignedBytes, right: PageAlignedBytes): PageAlignedBytes {
  return left > right ? left : right;
}

function bytesText(name: string, bytes: number): string {
  return `${name} ${size(bytes)}`;
}

function tooLarge(operand: string, operation: string): SlabTooLargeError {
  return new SlabTooLargeError(
    `The slab exceeds addressable memory: ${operand} ${operation} is more than ` +
      `${formatHexBytes(Number.MAX_SAFE_INTEGER)} bytes`,
  );
}
