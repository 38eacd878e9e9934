/** A pool's numbers. */

/** What one of the threads has that share a pool. */
export interface ThreadMetrics {
  /** Its number in `node:worker_threads`; 0 for the main thread. */
  readonly threadId: number;
  /** Memories that its tenants hold. */
  readonly liveMemories: number;
  /** Its allocations that wait for a slot. */
  readonly waitingAllocations: number;
}

/** What there is to say of the threads that share a pool. */
export interface SharedPoolMetrics {
  /** Those that have the pool and live, each as it was when it was looked at: others go on meanwhile. */
  readonly threads: readonly ThreadMetrics[];
  /** Allocations that wait for a slot, in all of them. */
  readonly waitingAllocations: number;
  /** Threads that ended without closing the pool, by `terminate()` for one, of those that were found so far. */
  readonly endedThreads: number;
  /** Slots that such threads held, or that a close by force ended, and that were taken since: each was laid over with fresh pages. */
  readonly recoveredMemories: number;
  /** This thread's. How often it found a lock of the index allocator taken by another one. */
  readonly lockWaits: number;
  /** This thread's. How often it took such a lock over from a thread that had ended with it, and made the shard's lists anew. */
  readonly lockTakeovers: number;
}

/**
 * What `MemoryPool.metrics` counts. Of a pool that threads share, what all of them have, unless it says that it is this
 * thread's: those are what it alone can know of.
 */
export interface PoolMetrics {
  /** Memories that tenants hold. */
  readonly liveMemories: number;
  /** Of them, those of stores that a thread has released and none has adopted yet. */
  readonly inFlightMemories: number;
  /** Slots used before and free now, kept for their modules. */
  readonly unusedWarmMemories: number;
  /**
   * This thread's. Slots whose memory was freed and whose `buffer` was not collected yet: nobody gets them before. They cost
   * address space, and no RAM.
   */
  readonly coolingMemories: number;
  /** This thread's. Slots that nobody gets any more, because somebody transferred a view of them away. */
  readonly retiredMemories: number;
  /** This thread's. Collections that the pool asked the engine for. */
  readonly collections: number;
  /** Bytes that free slots keep in RAM. */
  readonly unusedBytesResident: number;
  /**
   * Bytes of the images that slots have mapped, live and free ones, each image counted once. They stay in RAM until the last such
   * slot lets go: a free one when the module is purged or closed, a live one of such a module when its memory is freed.
   */
  readonly imageBytes: number;
  /** This thread's. Freed memories whose pages wait to be dropped in one batch; their slots are not free yet. */
  readonly queuedMemories: number;
  /** This thread's. Allocations that wait for a slot. */
  readonly waitingAllocations: number;
  /**
   * Resets so far, by what they did: write dirty pages back that a scan found, or that the kernel had noted, write a whole range back,
   * or only drop pages.
   */
  readonly resets: {
    readonly scan: number;
    readonly watch: number;
    readonly write: number;
    readonly decommit: number;
  };
  /** Mappings that slots hold, of those that `vm.max_map_count` allows the process. */
  readonly mappings: number;
  /** Bytes that resets wrote. */
  readonly bytesCopied: number;
  /** Calls that dropped pages of slots. */
  readonly decommits: number;
  /** Bytes that free slots kept and gave back: to `MemoryPool.trim`, or for `maxUnusedBytesResident`. */
  readonly bytesTrimmed: number;
  /** Calls for scans, for watching and for dropping single pages that the system refused; the reset then did without. */
  readonly refusedCalls: number;
  /** Slots that a free could not reset; each was, or will be, laid over with fresh pages before its next use. */
  readonly failedResets: number;
  /** Of a pool that threads share; `undefined` of one that is one thread's. */
  readonly shared: SharedPoolMetrics | undefined;
}
