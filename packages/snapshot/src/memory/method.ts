/**
 * How memories are brought back. All give the same bytes.
 *
 * - `'written'`: the kernel notes which pages are written (`userfaultfd`, Linux 6.7); those are copied back. V8's pages stay its
 *   own. What a restore costs goes with the pages that were written since the last one.
 * - `'laid'`: the saved bytes are mapped over the memory's pages, copy-on-write, and pages of its own are found by a scan
 *   (`PAGEMAP_SCAN`, Linux 6.7). What forks start with.
 * - `'copy'`: everything is compared with the saved bytes, and copied where it differs. Works everywhere.
 */
export type SnapshotMethod = 'written' | 'laid' | 'copy';

export const METHODS: readonly SnapshotMethod[] = ['written', 'laid', 'copy'];

/** The slower of two. */
export function slower(left: SnapshotMethod, right: SnapshotMethod): SnapshotMethod {
  return METHODS.indexOf(left) > METHODS.indexOf(right) ? left : right;
}
