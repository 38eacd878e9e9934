/** Dropping the pages of many ranges at once. */

import { invalidArgType, isReadable } from '@guardstripe/common';
import type { Mapping } from '../mapping.js';

/** A run of bytes of a map. */
export interface PageRange {
  /** Offset in the map. */
  readonly offset: number;
  readonly byteLength: number;
}

/** Checks every range before the first page is dropped. */
export function decommitMany(mapping: Mapping, ranges: Iterable<PageRange>): void {
  mapping.assertOpen();
  if (typeof ranges !== 'object' || ranges === null || !isReadable(ranges) || !(Symbol.iterator in ranges)) {
    throw invalidArgType('ranges', 'an iterable of ranges', ranges);
  }
  // Read to the end first: the iterable is the caller's code, and may close or resize the map.
  const asked = Array.from(ranges as Iterable<unknown>, readRange);
  const addresses = new Float64Array(asked.length);
  const byteLengths = new Float64Array(asked.length);
  let count = 0;
  for (const [offset, byteLength] of asked) {
    const start = mapping.startOf(offset, byteLength);
    if (byteLength === 0) continue;
    addresses[count] = start;
    byteLengths[count] = mapping.endOf(offset, byteLength) - start;
    count += 1;
  }
  if (count !== 0) mapping.virtualMemory.decommitMany(addresses, byteLengths, count);
}

function readRange(range: unknown): [offset: number, byteLength: number] {
  if (typeof range !== 'object' || range === null || !isReadable(range)) {
    throw invalidArgType('ranges', 'objects with offset and byteLength', range);
  }
  const { offset, byteLength } = range as PageRange;
  return [offset, byteLength];
}
