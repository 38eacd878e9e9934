/** Bytes of memories, compared and copied in whole pages. Nothing here needs an operating system. */
import { WASM_PAGE_BYTES } from '../target/webassembly.js';

/** A run of bytes of a memory. */
export interface PageRun {
  readonly offset: number;
  readonly byteLength: number;
}

/** What a memory holds where it is not zero: runs, ascending and apart, and their bytes one behind the other. */
export interface Contents {
  /** Bytes of the memory. */
  readonly byteLength: number;
  readonly runs: readonly PageRun[];
  readonly bytes: Uint8Array;
}

/** Bytes of a page, of the smallest that Linux has where it cannot be asked. */
export const SMALLEST_PAGE_BYTES = 4096;

const ZEROS = new Uint8Array(WASM_PAGE_BYTES);

/** Zeros between two runs that are saved with them, for fewer and longer runs. */
const MAX_GAP_BYTES = 16 * SMALLEST_PAGE_BYTES;

/** By `memcmp`, several times as fast as a loop. */
function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function isZero(bytes: Uint8Array): boolean {
  return isEqual(bytes, bytes.byteLength === ZEROS.byteLength ? ZEROS : ZEROS.subarray(0, bytes.byteLength));
}

/** Runs of pages that are not all zeros. */
export function findContents(bytes: Uint8Array, pageSize: number): PageRun[] {
  const runs: { offset: number; byteLength: number }[] = [];
  for (let chunk = 0; chunk < bytes.byteLength; chunk += WASM_PAGE_BYTES) {
    const chunkEnd = Math.min(chunk + WASM_PAGE_BYTES, bytes.byteLength);
    if (isZero(bytes.subarray(chunk, chunkEnd))) continue;
    for (let offset = chunk; offset < chunkEnd; offset += pageSize) {
      const end = Math.min(offset + pageSize, chunkEnd);
      if (isZero(bytes.subarray(offset, end))) continue;
      const last = runs.at(-1);
      if (last !== undefined && offset - (last.offset + last.byteLength) <= MAX_GAP_BYTES)
        last.byteLength = end - last.offset;
      else runs.push({ offset, byteLength: end - offset });
    }
  }
  return runs;
}

/** The runs' bytes in one array of their own. */
export function compact(bytes: Uint8Array, runs: readonly PageRun[]): Uint8Array {
  const copy = new Uint8Array(runs.reduce((sum, run) => sum + run.byteLength, 0));
  let at = 0;
  for (const { offset, byteLength } of runs) {
    copy.set(bytes.subarray(offset, offset + byteLength), at);
    at += byteLength;
  }
  return copy;
}

/** One stretch of a memory beside what it should hold; `undefined` stands for zeros. */
type Visit = (offset: number, byteLength: number, wanted: Uint8Array | undefined) => void;

/** Goes over all of a memory of `byteLength` bytes, of which those behind the saved ones should be zeros. */
function eachStretch(contents: Contents, byteLength: number, visit: Visit): void {
  let end = 0;
  let at = 0;
  for (const run of contents.runs) {
    if (run.offset > end) visit(end, run.offset - end, undefined);
    visit(run.offset, run.byteLength, contents.bytes.subarray(at, at + run.byteLength));
    at += run.byteLength;
    end = run.offset + run.byteLength;
  }
  if (byteLength > end) visit(end, byteLength - end, undefined);
}

/** Calls back for each piece of at most `pieceBytes` whose bytes are not the wanted ones. */
function eachDifference(
  bytes: Uint8Array,
  contents: Contents,
  pieceBytes: number,
  visit: (offset: number, byteLength: number, wanted: Uint8Array | undefined) => void,
): void {
  eachStretch(contents, bytes.byteLength, (start, stretchBytes, stretch) => {
    for (let from = 0; from < stretchBytes; from += pieceBytes) {
      const length = Math.min(pieceBytes, stretchBytes - from);
      const current = bytes.subarray(start + from, start + from + length);
      const wanted = stretch?.subarray(from, from + length);
      const same = wanted === undefined ? isZero(current) : isEqual(current, wanted);
      if (!same) visit(start + from, length, wanted);
    }
  });
}

/**
 * Makes a memory hold the contents, and zeros behind them. Pieces that are right already are only read: a page that was never
 * touched takes no memory, and one that is shared with a fork stays so.
 *
 * @param within - where anything else may be: all of it, or runs, ascending and apart
 */
export function copyBack(bytes: Uint8Array, contents: Contents, within?: readonly PageRun[]): void {
  for (const { offset, byteLength } of within ?? [{ offset: 0, byteLength: bytes.byteLength }]) {
    const part = within === undefined ? contents : sliceContents(contents, { offset, byteLength });
    const view = bytes.subarray(offset, offset + byteLength);
    eachDifference(view, part, WASM_PAGE_BYTES, (start, length, wanted) => {
      if (wanted === undefined) view.fill(0, start, start + length);
      else view.set(wanted, start);
    });
  }
}

/** What is in either of two lists of runs, ascending and apart, as such a list. */
export function joinRuns(left: readonly PageRun[], right: readonly PageRun[]): readonly PageRun[] {
  if (left.length === 0) return right;
  if (right.length === 0) return left;
  const joined: { offset: number; byteLength: number }[] = [];
  for (const { offset, byteLength } of [...left, ...right].toSorted((a, b) => a.offset - b.offset)) {
    const last = joined.at(-1);
    if (last === undefined || last.offset + last.byteLength < offset) joined.push({ offset, byteLength });
    else last.byteLength = Math.max(last.byteLength, offset + byteLength - last.offset);
  }
  return joined;
}

/** Pages whose bytes are not the wanted ones, as ascending runs with neighbours joined. */
export function differences(
  bytes: Uint8Array,
  contents: Contents,
  pageSize: number,
  within: readonly PageRun[] = [{ offset: 0, byteLength: bytes.byteLength }],
): PageRun[] {
  const runs: { offset: number; byteLength: number }[] = [];
  const add = (offset: number, byteLength: number): void => {
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.byteLength === offset) last.byteLength += byteLength;
    else runs.push({ offset, byteLength });
  };
  for (const range of within) {
    const part = sliceContents(contents, range);
    const view = bytes.subarray(range.offset, range.offset + range.byteLength);
    eachDifference(view, part, pageSize, (offset, byteLength) => add(range.offset + offset, byteLength));
  }
  return runs;
}

/** The contents of a range, with offsets from its start. */
function sliceContents(contents: Contents, { offset, byteLength }: PageRun): Contents {
  const runs: PageRun[] = [];
  const end = offset + byteLength;
  let at = 0;
  let first = 0;
  let length = 0;
  for (const run of contents.runs) {
    const from = Math.max(run.offset, offset);
    const to = Math.min(run.offset + run.byteLength, end);
    if (from < to) {
      if (runs.length === 0) first = at + (from - run.offset);
      runs.push({ offset: from - offset, byteLength: to - from });
      length += to - from;
    }
    at += run.byteLength;
  }
  return { byteLength, runs, bytes: contents.bytes.subarray(first, first + length) };
}
