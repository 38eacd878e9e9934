/** What a range goes back to: images at their places, and zeros everywhere else. */

import { bytesOf, bytesOutOfRange, checkBytes, invalidArgType, isInstance } from '@guardstripe/common';
import { types } from 'node:util';

import { Mmap } from '../mmap.js';
import { ffi } from '../platform/ffi.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import { Range, type MapRange } from './range.js';

/** Bytes that a part of a range goes back to. */
export interface RestorerImage {
  /** Bytes from the start of the range to the image; whole pages. */
  readonly offset: number;
  /**
   * The image: bytes, or pages of a map, which are never shown to anybody; whole pages, and not part of the range itself. Nobody may
   * change them. They are copied from by address: while they are in use, the buffer must not be detached, and the map neither be
   * closed nor resized.
   */
  readonly bytes: Uint8Array | MapRange;
  /**
   * Whether an image or a file with these bytes is mapped over the pages, private, so that dropping them brings the bytes back.
   * Else the pages are plain ones, and only copying does.
   */
  readonly mapped: boolean;
}

/** An image with where its bytes are. Offsets of the range. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly address: number;
  readonly mapped: boolean;
  /** Whether the bytes are still there. */
  readonly isThere: () => boolean;
}

/** Pages that one drop restores: zeros and mapped images without a gap. Offsets of the range. */
export interface Droppable {
  readonly start: number;
  readonly end: number;
}

/** Of lists that nobody can change any more: they are checked once. */
const remembered = new WeakMap<readonly RestorerImage[], Contents>();

/**
 * What the images make of a range. Whoever changes images often gives frozen lists of frozen images.
 *
 * @throws as {@link Contents}
 */
export function contentsOf(images: readonly RestorerImage[], virtualMemory: VirtualMemory): Contents {
  const known = remembered.get(images);
  if (known?.virtualMemory === virtualMemory) return known;
  const contents = new Contents(images, virtualMemory);
  if (Object.isFrozen(images) && images.every((image) => Object.isFrozen(image)))
    remembered.set(images, contents);
  return contents;
}

/** Start bytes of a range, and writing them. Offsets are bytes of the range. */
export class Contents {
  /** Bytes of the images that only copying brings back. */
  readonly unmappedBytes: number;
  /** What lies between those images, ascending; the last is open at its end. */
  readonly droppables: readonly Droppable[];
  /** Behind the last image. */
  readonly end: number;
  readonly virtualMemory: VirtualMemory;
  readonly #parts: readonly Part[];

  /** @throws `TypeError` or `RangeError` for images that are out of order, overlap, or are no whole pages. */
  constructor(images: readonly RestorerImage[], virtualMemory: VirtualMemory) {
    this.virtualMemory = virtualMemory;
    if (!Array.isArray(images)) throw invalidArgType('images', 'an instance of Array', images);
    let end = 0;
    this.#parts = (images as readonly RestorerImage[]).map((image) => {
      const part = readImage(image, end, virtualMemory.pageSize);
      ({ end } = part);
      return part;
    });
    this.end = end;
    const unmapped = this.#parts.filter(({ mapped }) => !mapped);
    this.unmappedBytes = unmapped.reduce((sum, part) => sum + part.end - part.start, 0);
    this.droppables = between(unmapped);
  }

  /** Whether all bytes are still there to be copied from. */
  get isAttached(): boolean {
    for (const { isThere } of this.#parts) if (!isThere()) return false;
    return true;
  }

  /** Writes bytes `start` to `end` of the range at `base` as they were at the start. */
  write(base: number, start: number, end: number): void {
    const at = start < this.end ? this.#writeImages(base, start, end) : start;
    if (at < end) this.virtualMemory.fillZeros(base + at, end - at);
  }

  /** The same up to the end of the last image that is met, and returns where that is. */
  #writeImages(base: number, start: number, end: number): number {
    const parts = this.#parts;
    let at = start;
    for (let i = this.#firstBehind(start); i < parts.length; i++) {
      const part = parts[i]!;
      if (part.start >= end) break;
      if (part.start > at) {
        this.virtualMemory.fillZeros(base + at, part.start - at);
        at = part.start;
      }
      const upTo = Math.min(part.end, end);
      this.virtualMemory.copyBytes(part.address + at - part.start, base + at, upTo - at);
      at = upTo;
    }
    return at;
  }

  /** Writes the images alone that dropping does not bring back. Returns how many bytes. */
  writeUnmapped(base: number): number {
    let bytesWritten = 0;
    for (const { start, end, address, mapped } of this.#parts) {
      if (mapped) continue;
      this.virtualMemory.copyBytes(address, base + start, end - start);
      bytesWritten += end - start;
    }
    return bytesWritten;
  }

  /** Whether the page at `start` of the range at `base` holds its start bytes. */
  isClean(base: number, start: number, pageBytes: number): boolean {
    const part = this.#parts[this.#firstBehind(start)];
    const isInside = part !== undefined && part.start <= start;
    const original = isInside ? part.address + start - part.start : zerosAddress(pageBytes);
    return this.virtualMemory.sameBytes(base + start, original, pageBytes);
  }

  /** Whether bytes `start` to `end` touch an image. */
  touchesImage(start: number, end: number): boolean {
    const part = this.#parts[this.#firstBehind(start)];
    return part !== undefined && part.start < end;
  }

  /** Where the next image behind `offset` begins or, if one holds it, where that ends. */
  boundBehind(offset: number): number {
    const part = this.#parts[this.#firstBehind(offset)];
    if (part === undefined) return Infinity;
    return part.start > offset ? part.start : part.end;
  }

  /** Index of the first image that ends behind `offset`; their number if none does. */
  #firstBehind(offset: number): number {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#parts[middle]!.end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A page to compare with. */
let zeros: Uint8Array<ArrayBuffer> | undefined;
let addressOfZeros = 0;

function zerosAddress(pageBytes: number): number {
  if (addressOfZeros === 0) {
    zeros = new Uint8Array(pageBytes);
    // Last: a call that is cut short in between must not leave an address of nothing.
    addressOfZeros = ffi().addressOf(zeros.buffer);
  }
  return addressOfZeros;
}

function between(unmapped: readonly Part[]): Droppable[] {
  const starts = [0, ...unmapped.map(({ end }) => end)];
  const ends = [...unmapped.map(({ start }) => start), Number.POSITIVE_INFINITY];
  return starts.map((start, i) => ({ start, end: ends[i]! })).filter(({ start, end }) => start < end);
}

function readImage(image: RestorerImage, minimum: number, pageSize: number): Part {
  if (typeof image !== 'object' || image === null) throw invalidArgType('images', 'objects', image);
  const { offset, bytes, mapped } = image;
  checkBytes(offset, 'offset');
  const source = isMapRange(bytes) ? pagesOf(bytes, pageSize) : bytesAt(bytes);
  if (typeof mapped !== 'boolean') throw invalidArgType('mapped', 'of type boolean', mapped);
  if (offset % pageSize !== 0)
    throw bytesOutOfRange('offset', `a multiple of the page size, ${pageSize}`, offset);
  if (offset < minimum) throw bytesOutOfRange('offset', 'behind the image before', offset);
  const { byteLength, address, isThere } = source;
  if (byteLength === 0 || byteLength % pageSize !== 0) {
    throw bytesOutOfRange(
      'bytes.byteLength',
      `a multiple of the page size, ${pageSize}, above 0`,
      byteLength,
    );
  }
  return { start: offset, end: offset + byteLength, address, mapped, isThere };
}

type Source = Pick<Part, 'address' | 'isThere'> & { readonly byteLength: number };

function isMapRange(bytes: Uint8Array | Partial<MapRange> | undefined): bytes is MapRange {
  return !ArrayBuffer.isView(bytes) && isInstance(bytes?.map, Mmap);
}

function pagesOf(pages: MapRange, pageSize: number): Source {
  const range = new Range(pages, pageSize);
  const address = range.locate();
  return { address, byteLength: range.byteLength, isThere: () => range.isAt(address) };
}

function bytesAt(given: unknown): Source {
  const bytes = bytesOf(given, 'bytes');
  const { buffer, byteOffset, byteLength } = bytes;
  // The address of a shared buffer cannot be had everywhere (koffi on Node 22).
  if (!types.isArrayBuffer(buffer))
    throw invalidArgType('bytes.buffer', 'an instance of ArrayBuffer', buffer);
  const address = ffi().addressOf(buffer) + byteOffset;
  return { address, byteLength, isThere: () => bytes.byteLength === byteLength };
}
