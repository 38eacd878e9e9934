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
  const { starts, ends, kinds, count: runCount } = runs;
  let own = 0;
  let zero = 0;
  let file = 0;
  // Bytes: one division for all, not one a run.
  for (let i = 0; i < runCount; i++) {
    const bytes = ends[i]! - starts[i]!;
    const kind = kinds[i];
    if (kind === PageKind.OWN) own += bytes;
    else if (kind === PageKind.ZERO) zero += bytes;
    else file += bytes;
  }
  into.own = own / pageBytes;
  into.zero = zero === 0 ? 0 : zero / pageBytes;
  into.file = file === 0 ? 0 : file / pageBytes;
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
  const { starts, ends, kinds, count: runCount } = runs;
  const step = ownPages / probes;
  let clean = 0;
  let probe = 0;
  // Where the next probe lies, and where the run begins, in bytes of own pages.
  let wanted = Math.floor(phase * step) * pageBytes;
  let passed = 0;
  for (let i = 0; i < runCount && probe < probes; i++) {
    if (kinds[i] !== PageKind.OWN) continue;
    const start = starts[i]!;
    const end = passed + ends[i]! - start;
    while (wanted < end && probe < probes) {
      if (contents.isClean(base, start - base + wanted - passed, pageBytes)) clean += 1;
      phase += STEP;
      if (phase >= 1) phase -= 1;
      probe += 1;
      wanted = Math.floor((probe + phase) * step) * pageBytes;
    }
    passed = end;
  }
  return clean / probes;
}
