/** What pages allow, for callers. */

import type { Mapping } from '../mapping.js';
import type { Access } from '../platform/virtual-memory.js';

/** A run of bytes of a map whose pages allow the same. */
export interface PageAccess {
  /** Offset in the map. */
  readonly offset: number;
  readonly byteLength: number;
  /** `'other'` for pages that can be written and executed, made so by others. */
  readonly access: Access | 'other';
}

export function pageAccess(mapping: Mapping, offset?: number, byteLength?: number): PageAccess[] {
  const pages = mapping.pagesAround(offset, byteLength);
  if (pages.byteLength === 0) return [];
  return mapping.virtualMemory.accessOf(pages.start, pages.byteLength).map((run) => ({
    ...mapping.rangeOf(run.address, run.address + run.byteLength),
    access: run.access,
  }));
}
