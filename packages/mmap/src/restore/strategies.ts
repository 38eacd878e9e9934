/** Ways to restore, and what one restore did. */

/** Ways to restore. */
export const RESTORE_STRATEGIES = ['scan', 'watch', 'copy', 'drop'] as const;
/**
 * How a range was restored:
 * - `'scan'`: pages of its own were found by `PAGEMAP_SCAN` and written back.
 * - `'watch'`: the kernel noted which pages were written since the last restore, by write protection; those were written back.
 * - `'copy'`: everything was written, up to the limits.
 * - `'drop'`: the pages were dropped.
 */
export type RestoreStrategy = (typeof RESTORE_STRATEGIES)[number];

/** What a restore did. One object a restorer, reused. */
export interface RestoreResult {
  readonly strategy: RestoreStrategy;
  /** Bytes that were written back. */
  readonly bytesWritten: number;
  /** Bytes, resident or not, whose pages were dropped. */
  readonly bytesDropped: number;
  /** Bytes of its own that the range keeps in RAM, at most. */
  readonly bytesResident: number;
  /** Where the pages lie that {@link PageRestorer.writeBack} left to drop. */
  readonly leftOffset: number;
  /** Their length; 0 after {@link PageRestorer.restore}. */
  readonly leftBytes: number;
}
