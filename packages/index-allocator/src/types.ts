/** The plain data that goes into the allocators. */

/**
 * What a slot was last used for. Two keys are the same if both numbers are.
 *
 * The key is read once, at the call, and never kept.
 */
export interface MemoryKey {
  /** Number of the module: an integer from 0 to 2,147,483,646 (`MAX_MODULE_ID`). */
  readonly moduleId: number;
  /** Which of the module's memories: an integer from 0 to 65,535 (`MAX_MEMORY_INDEX`). */
  readonly memoryIndex: number;
}

/** One slot to be given back by `freeMany`. */
export interface FreedSlot {
  /** Index of the slot, as `alloc` returned it. */
  readonly slot: number;
  /** Bytes that stay in RAM while the slot is unused: an integer from 0 to 2^48 - 1 (`MAX_SLOT_BYTES_RESIDENT`). */
  readonly bytesResident: number;
}

/** Where the state of an allocator lives. */
export interface AllocatorOptions {
  /**
   * Memory for the state, at least `stateBytes(capacity)` long from `byteOffset` on. All zeros are an empty allocator. A
   * buffer that an allocator with the same settings has worked in is taken up as it stands, after a check of all its
   * rules. It must not be resizable.
   *
   * @defaultValue a new `ArrayBuffer`
   */
  readonly buffer?: ArrayBuffer | SharedArrayBuffer;
  /**
   * Where in `buffer` the state begins, in bytes; a multiple of 4.
   *
   * @defaultValue 0
   */
  readonly byteOffset?: number;
}
