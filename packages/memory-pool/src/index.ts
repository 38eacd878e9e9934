/**
 * A pool of linear memories for natively compiled WebAssembly and other native guests.
 *
 * @packageDocumentation
 */
export type { AbortSignalLike, UrlLike } from '@guardstripe/common';
export type { Feature, MemoryPoolConfig, ResolvedConfig, Size } from './config.js';
export type {
  AllocateEvent,
  AttachEvent,
  ExhaustedEvent,
  FailureEvent,
  FreeEvent,
  GrowEvent,
  LeaveEvent,
  RecoverEvent,
  ResetEvent,
  TrimEvent,
} from './diagnostics.js';
export {
  FileChangedError,
  MemoryFreedError,
  MemoryLimitError,
  ModuleClosedError,
  ModuleNotPoolableError,
  ModuleNotSharedError,
  PoolAttachError,
  PoolBusyError,
  PoolClosedError,
  PoolConcurrencyLimitError,
  PoolCorruptedError,
  PoolCreationError,
  PoolMappingsError,
  PoolNotSharedError,
  PoolQueueFullError,
  StoreDisposedError,
  StoreNotMovableError,
  StoreReleasedError,
  StoreTokenError,
  TooManyModulesError,
  type NotMovableReason,
} from './errors.js';
export type { MemoryLimiter } from './limiter.js';
export type { DescribeOptions } from './module/describe.js';
export { describeMemory, type MemoryDescription } from './module/describe-memory.js';
export type { FileSource } from './module/file-contents.js';
export type { ModuleHandle } from './module/handle.js';
export { openModule } from './module/open-module.js';
export { describeModule, type DescribeModuleOptions } from './module/describe-module.js';
export type { Initialization, ModuleMemory, PoolModule } from './module/module.js';
export type { PoolMetrics, SharedPoolMetrics, ThreadMetrics } from './metrics.js';
export type { StoreToken } from './moving/token.js';
export { MemoryPool, type AdoptedStore } from './pool.js';
export type { GrowAsyncOptions, MemoryOwner, PooledMemory } from './pooled-memory.js';
export type { SharedPoolHandle } from './shared/state.js';
export type { AllocateAsyncOptions, AllocateOptions, Store } from './store.js';
export { isSupported, supportReason } from './support.js';
export { InvalidModuleError, ModuleLimitError, type GivenLimits, type ModuleLimits } from './wasm/index.js';
