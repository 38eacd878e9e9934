/** Keeping of a range only the pages that its last user wrote, and dropping all that lies between them. */

import { PageKind, type PageRuns } from '../platform/page-runs.js';
import { Gaps } from './gaps.js';
import type { Target } from './target.js';

/** Shared by all of a thread: one range is pruned at a time. */
export const gaps = new Gaps();

/** Writes only pages that differ from the start, and collects the gaps between them, which hold nothing that anybody needs. */
export function pruneRuns(target: Target, base: number, runs: PageRuns): void {
  const { result, contents, virtualMemory, maxBytes } = target;
  const pageBytes = virtualMemory.pageSize;
  for (let i = 0; i < runs.count; i++) {
    if (runs.kinds[i] !== PageKind.OWN) continue;
    const end = runs.ends[i]! - base;
    for (let page = runs.starts[i]! - base; page < end; page += pageBytes) {
      if (result.bytesWritten >= maxBytes || contents.isClean(base, page, pageBytes)) continue;
      target.write(base, page, page + pageBytes);
      gaps.keep(virtualMemory, base + page, base + page + pageBytes);
    }
  }
  result.bytesResident = result.bytesWritten;
}
