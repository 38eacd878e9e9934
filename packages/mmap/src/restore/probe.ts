/** Learning from a few pages how many of those that a walk found were written since the last restore. */

import { PageKind, type PageRuns } from '../platform/page-runs.js';
import type { Contents } from './contents.js';
import type { Found } from './policy.js';

/**
 * Each probe lies elsewhere in its part of the pages: steps of the golden ratio meet every place soon and none twice, and do not keep
 * step with users who write every eighth page.
 */
const STEP = 0.618_033_988_75;
let phase = 0;

/** Counts pages by kind. */
export function count(runs: PageRuns, pageBytes: number, into: Found): void {
  into.own = 0;
  into.zero = 0;
  into.file = 0;
  for (let i = 0; i < runs.count; i++) {
    const pages = (runs.ends[i]! - runs.starts[i]!) / pageBytes;
    if (runs.kinds[i] === PageKind.OWN) into.own += pages;
    else if (runs.kinds[i] === PageKind.ZERO) into.zero += pages;
    else into.file += pages;
  }
}

/**
 * The part, from 0 to 1, of `ownPages` pages that hold their start bytes, by comparing `probes` of them, one in each of as many equal
 * parts.
 */
export function staleness(
  runs: PageRuns,
  ownPages: number,
  probes: number,
  contents: Contents,
  base: number,
  pageBytes: number,
): number {
  const step = ownPages / probes;
  let clean = 0;
  let probe = 0;
  let passed = 0;
  for (let i = 0; i < runs.count && probe < probes; i++) {
    if (runs.kinds[i] !== PageKind.OWN) continue;
    const start = runs.starts[i]! - base;
    const pages = (runs.ends[i]! - base - start) / pageBytes;
    for (; probe < probes; probe++) {
      const page = Math.floor((probe + phase) * step) - passed;
      if (page >= pages) break;
      phase = (phase + STEP) % 1;
      if (contents.isClean(base, start + page * pageBytes, pageBytes)) clean += 1;
    }
    passed += pages;
  }
  return clean / probes;
}
