/** The pages that a restorer works on, and where they are now. */

import {
  bytesOutOfRange,
  checkBytes,
  checkObject,
  checkPages,
  invalidArgType,
  isInstance,
} from '@guardstripe/common';
import type { Mapping } from '../mapping.js';
import { Mmap } from '../mmap.js';
import { mappingOf } from '../mmap-pages.js';

/** Pages of a map. */
export interface MapRange {
  readonly map: Mmap;
  /** Bytes from the start of the map; whole pages. Default 0. */
  readonly offset?: number;
  /** Whole pages. Default: to the end of the map. */
  readonly byteLength?: number;
}

/**
 * Pages that no {@link Mmap} owns, such as those of a `WebAssembly.Memory`. The caller vouches for them: for as long as
 * the restorer is open they are mapped there, private, readable and writable, and nobody maps or drops pages in them.
 */
export interface ForeignRange {
  /** Whole pages. */
  readonly address: number;
  /** Whole pages. */
  readonly byteLength: number;
}

/** Pages of a map, or foreign ones. */
export type RestorerRange = MapRange | ForeignRange;

/** A checked range. */
export class Range {
  readonly byteLength: number;
  readonly #mapping: Mapping | undefined;
  /** Of the map, or of the address space. */
  readonly #offset: number;

  /** @throws `TypeError` or `RangeError` for what is no range of whole pages, {@link MmapClosedError} for a closed map. */
  constructor(range: RestorerRange, pageSize: number) {
    checkObject(range, 'range');
    if ('map' in range) {
      const { map, offset = 0, byteLength } = range;
      if (!isInstance(map, Mmap)) throw invalidArgType('range.map', 'an instance of Mmap', map);
      const mapping = mappingOf(map);
      checkBytes(offset, 'range.offset');
      const asked = byteLength ?? Math.max(0, mapping.byteLength - offset);
      mapping.startOf(offset, asked);
      if (mapping.leadBytes !== 0 || mapping.endOf(offset, asked) - mapping.address - offset !== asked) {
        throw bytesOutOfRange('range', 'whole pages', asked);
      }
      [this.#mapping, this.#offset, this.byteLength] = [mapping, offset, asked];
    } else {
      const { address, byteLength } = range;
      checkPages(address, 'range.address', pageSize, 1);
      checkPages(byteLength, 'range.byteLength', pageSize, 0);
      if (byteLength > Number.MAX_SAFE_INTEGER - address) {
        throw bytesOutOfRange(
          'range.byteLength',
          'such that the end of the range is a safe integer',
          byteLength,
        );
      }
      [this.#mapping, this.#offset, this.byteLength] = [undefined, address, byteLength];
    }
  }

  /** Whether the pages can still be there. */
  get isOpen(): boolean {
    return this.#mapping === undefined || this.#mapping.isOpen;
  }

  /** Whether the pages are there, and where they were. */
  isAt(address: number): boolean {
    const mapping = this.#mapping;
    if (mapping === undefined) return this.#offset === address;
    const { isOpen, byteLength } = mapping;
    return (
      isOpen && mapping.address + this.#offset === address && this.#offset + this.byteLength <= byteLength
    );
  }

  /**
   * Where the first page is.
   *
   * @throws {@link MmapClosedError} if the map was closed, `RangeError` if it became too short.
   */
  locate(): number {
    const mapping = this.#mapping;
    return mapping === undefined ? this.#offset : mapping.startOf(this.#offset, this.byteLength);
  }

  /** Keeps the map where it is, by the count of those who want that. */
  pin(by: 1 | -1): void {
    if (this.#mapping !== undefined) this.#mapping.pins += by;
  }
}
