/**
 * What a snapshot's image is made of: pages of its own file, pages of the images that the memory began with, and zeros.
 *
 *     memory   ── zeros ──┬── own ──┬──── image of the parent ────┬── own ──┬── zeros
 *     pages      changed or not       unchanged, 16 pages or more
 *
 * Each part is a mapping in every slot that starts from the image. So short stretches between pages of its own are copied along, and
 * longer ones, too, until there are few enough.
 */
import type { PageRange } from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';
import type { ImagePart } from './image.js';

/** A stretch of pages. Offsets are bytes of the memory. */
export interface Stretch {
  /** What it is taken from: a copy of the memory's bytes, nothing, or the part of the memory's own image with this index. */
  from: 'copy' | 'zeros' | number;
  start: number;
  end: number;
}

/** What there is to look at. */
export interface SnapshotScene {
  /** Of the memory's own image, ascending and apart. */
  readonly parts: readonly ImagePart[];
  /** Reads bytes of a part, from an offset in it on. */
  readonly readPart: (part: ImagePart, offset: number, target: Uint8Array) => void;
  /** What may differ from that, and zeros, ascending; the whole memory where that is not known. */
  readonly changed: readonly PageRange[];
  /** Whole pages. */
  readonly byteLength: number;
  readonly pageBytes: number;
  readonly read: (offset: number, target: Uint8Array) => void;
}

/** Fewer unchanged pages between copied ones are copied along. */
const MIN_SHARED_PAGES = 16;
/** Most stretches that take a mapping. */
const MAX_PARTS = 64;
/** Most bytes that are read at once. */
const CHUNK_BYTES = 2 ** 20;

/**
 * Ascending, without gaps, neighbours of different origin.
 *
 * @throws {@link PoolCorruptedError} for a scene that is not as it must be: bytes would be left out of the image without a word
 */
export function planSnapshot(scene: SnapshotScene): Stretch[] {
  checkScene(scene);
  const found = findStretches(scene);
  let shared = mergeShort(found, MIN_SHARED_PAGES * scene.pageBytes, false);
  for (let least = MIN_SHARED_PAGES * 2; numParts(shared) > MAX_PARTS; least *= 2) {
    shared = mergeShort(found, least * scene.pageBytes, true);
  }
  return shared;
}

function checkScene({ parts, changed, byteLength, pageBytes }: SnapshotScene): void {
  if (byteLength % pageBytes !== 0)
    throw new PoolCorruptedError(`a snapshot is taken of ${byteLength} bytes, which are no whole pages`);
  let at = 0;
  for (const { offset, byteLength: changedBytes } of changed) {
    if (offset % pageBytes !== 0 || changedBytes % pageBytes !== 0)
      throw new PoolCorruptedError(`${changedBytes} changed bytes at ${offset} are no whole pages`);
    if (offset < at) throw new PoolCorruptedError(`changed bytes at ${offset} come after those before ${at}`);
    at = offset + changedBytes;
  }
  at = 0;
  for (const part of parts) {
    if (part.offsetBytes < at)
      throw new PoolCorruptedError(`a part of an image at ${part.offsetBytes} comes after one before ${at}`);
    at = endOf(part);
  }
}

/** Calls `use` with pieces of the memory's bytes from `start` to `end`; each is overwritten by the next. */
export function eachChunk(
  { read }: Pick<SnapshotScene, 'read'>,
  start: number,
  end: number,
  use: (bytes: Uint8Array, offset: number) => void,
): void {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, end - start));
  for (let offset = start; offset < end;) {
    const bytes = buffer.subarray(0, Math.min(buffer.byteLength, end - offset));
    read(offset, bytes);
    use(bytes, offset);
    offset += bytes.byteLength;
  }
}

function numParts(stretches: readonly Stretch[]): number {
  return stretches.filter(({ from }) => from !== 'zeros').length;
}

/** What each page is, as it was found. */
function findStretches(scene: SnapshotScene): Stretch[] {
  const { byteLength, changed, pageBytes } = scene;
  const stretches: Stretch[] = [];
  let at = 0;
  for (const range of changed) {
    const start = Math.min(range.offset, byteLength);
    const end = Math.min(range.offset + range.byteLength, byteLength);
    addUnchanged(stretches, scene, at, start);
    eachChunk(scene, start, end, (bytes, offset) => {
      const began = startOf(scene, bytes.byteLength, offset);
      for (let page = 0; page < bytes.byteLength; page += pageBytes) {
        const upTo = page + pageBytes;
        const from = originOf(scene, bytes.subarray(page, upTo), began.subarray(page, upTo), offset + page);
        add(stretches, from, offset + page, offset + upTo);
      }
    });
    at = end;
  }
  addUnchanged(stretches, scene, at, byteLength);
  return stretches;
}

/** What the memory's own image has from an offset on; anything where that has none. */
function startOf({ parts, readPart }: SnapshotScene, byteLength: number, offset: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (const part of parts) {
    const from = Math.max(part.offsetBytes, offset);
    const to = Math.min(endOf(part), offset + byteLength);
    if (from < to) readPart(part, from - part.offsetBytes, bytes.subarray(from - offset, to - offset));
  }
  return bytes;
}

/** A page may have been written with what was there before, or put back. */
function originOf(
  { parts }: SnapshotScene,
  now: Uint8Array,
  before: Uint8Array,
  offset: number,
): Stretch['from'] {
  const index = parts.findIndex((part) => part.offsetBytes <= offset && offset < endOf(part));
  if (index >= 0 && Buffer.compare(now, before) === 0) return index;
  return isZeros(now) ? 'zeros' : 'copy';
}

function isZeros(page: Uint8Array): boolean {
  const words = new Float64Array(page.buffer, page.byteOffset, page.byteLength / 8);
  // -0 and NaN are no zeros here, and a page that begins with neither is seldom all zeros: the loop ends soon.
  for (const word of words) if (!Object.is(word, 0)) return false;
  return true;
}

function addUnchanged(stretches: Stretch[], { parts }: SnapshotScene, start: number, end: number): void {
  let at = start;
  for (const [index, part] of parts.entries()) {
    const [from, to] = [Math.max(part.offsetBytes, at), Math.min(endOf(part), end)];
    if (from >= to) continue;
    add(stretches, 'zeros', at, from);
    add(stretches, index, from, to);
    at = to;
  }
  add(stretches, 'zeros', at, end);
}

/** Copies along what is shorter than `least`: next to copied pages, or `everywhere`. */
function mergeShort(found: readonly Stretch[], least: number, everywhere: boolean): Stretch[] {
  const merged: Stretch[] = [];
  for (const [i, { from, start, end }] of found.entries()) {
    const isShort = from !== 'copy' && end - start < least;
    const isBetween = merged.at(-1)?.from === 'copy' && found[i + 1]?.from === 'copy';
    add(merged, isShort && (everywhere || isBetween) ? 'copy' : from, start, end);
  }
  return merged;
}

function add(stretches: Stretch[], from: Stretch['from'], start: number, end: number): void {
  if (start >= end) return;
  const last = stretches.at(-1);
  if (last?.from === from) last.end = end;
  else stretches.push({ from, start, end });
}

function endOf({ offsetBytes, byteLength }: ImagePart): number {
  return offsetBytes + byteLength;
}
