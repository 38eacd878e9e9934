/** What a walk over page tables reports, in arrays that are made once and reused: a walk allocates nothing. */

import { hex } from '@guardstripe/common';
import { SystemError } from '../errors.js';

/** What is said of an answer that makes no sense. asm-generic/errno.h. */
const EPROTO = 71;

/** Whose bytes a present page holds. */
export const PageKind = {
  /** Its own: written, in memory or swapped out. */
  OWN: 0,
  /** The system's one page of zeros, after a read of an untouched page; or, with `use_zero_pages` of KSM, of a written one. */
  ZERO: 1,
  /** A mapped file's, after a read. */
  FILE: 2,
} as const;

/** Runs of pages of one kind each: run `i` is `[starts[i], ends[i])`, in addresses, whole pages, ascending. */
export interface PageRuns {
  /** As long as `ends` and `kinds`: the most runs that one call may report. */
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Whose bytes: 0 the page's own, 1 the system's zeros, 2 a mapped file's. */
  readonly kinds: Uint8Array;
  /** Runs found. */
  count: number;
  /** Where the walk stopped: the end of the range, or earlier when there was no room for another run. */
  walkEnd: number;
}

/** Room for `maxRuns` runs. */
export function pageRuns(maxRuns: number): PageRuns {
  return {
    starts: new Float64Array(maxRuns),
    ends: new Float64Array(maxRuns),
    kinds: new Uint8Array(maxRuns),
    count: 0,
    walkEnd: 0,
  };
}

/**
 * Sees that what a walk over a range found lies in it, in order and once, and that the walk got on. To be asked before anything is done by
 * the answer: pages outside of the range are somebody else's.
 *
 * @throws {@link SystemError} `EPROTO`: whoever can do without the walk goes on as after a refusal
 */
export function checkRuns(runs: Omit<PageRuns, 'kinds'>, address: number, byteLength: number): void {
  const { starts, ends, count, walkEnd } = runs;
  const end = address + byteLength;
  if (!(count >= 0 && count <= starts.length))
    throw wrongAnswer(address, byteLength, 'number of runs', count);
  if (!(walkEnd > address && walkEnd <= end)) throw wrongAnswer(address, byteLength, 'walk end', walkEnd);
  let known = address;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    if (!(start >= known)) throw wrongAnswer(address, byteLength, 'run start', start);
    known = ends[i]!;
    if (!(known > start && known <= end)) throw wrongAnswer(address, byteLength, 'run end', known);
  }
}

function wrongAnswer(address: number, byteLength: number, what: string, value: number): SystemError {
  return new SystemError(EPROTO, { syscall: 'ioctl', address, byteLength, details: { [what]: hex(value) } });
}
