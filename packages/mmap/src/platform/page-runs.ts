/** What a walk over page tables reports, in arrays that are made once and reused: a walk allocates nothing. */

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
