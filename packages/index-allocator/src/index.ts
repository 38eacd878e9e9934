/**
 * Slot allocators with module affinity, whose whole state is one typed array.
 *
 * @packageDocumentation
 */
export { STATE_BYTES_PER_SLOT, stateBytes } from './attach.js';
export {
  InconsistentStateError,
  SlotNotInUseError,
  StateAllocationError,
  StateBufferError,
  StateDetachedError,
} from './errors.js';
export type { ConsistencyRule } from './errors.js';
export { ModuleAffinityIndexAllocator } from './module-affinity-index-allocator.js';
export { SimpleIndexAllocator } from './simple-index-allocator.js';
export { MAX_CAPACITY, MAX_MEMORY_INDEX, MAX_MODULE_ID, MAX_SLOT_BYTES_RESIDENT } from './state.js';
export type { AllocatorOptions, FreedSlot, MemoryKey } from './types.js';
