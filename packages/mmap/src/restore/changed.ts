/** What may differ from the start, found without changing anything. */

import { checkRuns, PageKind, type PageRuns } from '../platform/page-runs.js';
import type { Target } from './target.js';

/** Told of a run of pages, as offsets of the range. */
export type VisitRun = (start: number, end: number) => void;

/** Visits what may differ from the start, ascending. `runs` is written over. */
export function eachChanged(target: Target, isWatched: boolean, runs: PageRuns, visit: VisitRun): void {
  const { contents, virtualMemory, range } = target;
  const { byteLength } = range;
  if (byteLength === 0) return;
  // The map may be closed.
  range.locate();
  if (!isWatched && !virtualMemory.canScanDirtyPages) {
    visit(0, byteLength);
    return;
  }
  let known = 0;
  if (isWatched) known = visitRuns(target, isWatched, runs, 0, byteLength, visit);
  else {
    for (const { start, end } of contents.droppables) {
      if (start >= byteLength) break;
      if (known < start) visit(known, start);
      known = visitRuns(target, isWatched, runs, start, Math.min(end, byteLength), visit);
    }
  }
  if (known < byteLength) visit(known, byteLength);
}

function visitRuns(
  { virtualMemory, contents, range }: Target,
  isWatched: boolean,
  runs: PageRuns,
  start: number,
  end: number,
  visit: VisitRun,
): number {
  const base = range.locate();
  for (let at = base + start; at < base + end; at = runs.walkEnd) {
    if (isWatched) virtualMemory.scanWrittenPages(at, base + end - at, runs);
    else virtualMemory.scanPages(at, base + end - at, runs);
    checkRuns(runs, at, base + end - at);
    for (let i = 0; i < runs.count; i++) {
      const [from, to] = [runs.starts[i]! - base, runs.ends[i]! - base];
      const isOwn = runs.kinds[i] === PageKind.OWN;
      if (isOwn || (runs.kinds[i] === PageKind.ZERO && contents.touchesImage(from, to))) visit(from, to);
    }
  }
  return end;
}
