/**
 * Slot allocators with module affinity, whose whole state is one typed array.
 *
 * @packageDocumentation
 */
export type { AbortSignalLike } from '@guardstripe/common';
export { STATE_BYTES_PER_SLOT, stateBytes } from './attach.js';
export {
  AllocatorClosedError,
  InconsistentStateError,
  SlotNotInUseError,
  SlotOfOtherThreadError,
  StateAllocationError,
  StateBufferError,
  StateDetachedError,
  TooManyThreadsError,
} from './errors.js';
export type { ConsistencyRule } from './errors.js';
export { ModuleAffinityIndexAllocator } from './module-affinity-index-allocator.js';
export type {
  AttachOptions,
  SharedAllocatorHandle,
  SharedAllocatorOptions,
  WaitOptions,
} from './shared/options.js';
export { SharedIndexAllocator } from './shared/shared-index-allocator.js';
export { ThreadTable, type ThreadSeat } from './threads/thread-table.js';
export type { LockCounts, Threads } from './threads/threads.js';
export { SimpleIndexAllocator } from './simple-index-allocator.js';
export { MAX_CAPACITY, MAX_MEMORY_INDEX, MAX_MODULE_ID, MAX_SLOT_BYTES_RESIDENT } from './state.js';
export type { AllocatorOptions, FreedSlot, MemoryKey } from './types.js';
