/** Who the calling thread is, and who else is still there. */

/**
 * What a shared allocator asks about threads. It is handed in, so that the package needs no operating system; whoever hands it
 * in answers for it.
 */
export interface Threads {
  /** The calling thread: an integer from 1 to 2^30 - 1 that no other thread that ever used the allocator has or had. */
  readonly self: number;
  /**
   * Whether a thread may still run. `false` must be certain and final: what the thread held is taken away from it. That
   * `terminate()` was called is no such certainty; that the worker's `'exit'` event was heard is.
   */
  isAlive(thread: number): boolean;
}

/** How often a thread could not have a lock at once, since it is attached. */
export interface LockCounts {
  /** It was taken. */
  waits: number;
  /** It was a thread's that had ended, or a call's that was broken off, and what it guards was made anew. */
  takeovers: number;
}

/** The calling thread and its patience. */
export interface Me extends Threads {
  /** How often a taken lock is looked at before the thread lies down. */
  readonly spins: number;
  /** The thread's own: a count of all would be one more thing that they write to at the same time. */
  readonly locks: LockCounts;
}
