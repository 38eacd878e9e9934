/**
 * WebAssembly instances as new, in microseconds: snapshots of what V8 itself runs, restored in place, forked copy-on-write, and
 * handed out by a pool.
 *
 * @packageDocumentation
 */

export type { AbortSignalLike } from '@guardstripe/common';
export {
  CallOnStackError,
  InstancePoolClosedError,
  LeaseReleasedError,
  SharedMemoryError,
  SnapshotClosedError,
  SnapshotIncompleteError,
  SnapshotUnsupportedError,
  TargetCollectedError,
  WrongTargetError,
} from './errors.js';
export type { SnapshotMethod } from './memory/method.js';
export { isSupported, supportReason } from './memory/support.js';
export type { RestoreIntoOptions, SnapshotOptions } from './options.js';
export { createInstancePool, InstancePool } from './pool/instance-pool.js';
export type { InstancePoolStats } from './pool/instance-pool.js';
export { InstanceLease } from './pool/lease.js';
export type { AcquireOptions, InstancePoolOptions } from './pool/options.js';
export { snapshot, Snapshot } from './snapshot.js';
export type { ChangedPages } from './snapshot.js';
export type { SnapshotTarget, SnapshotTargetPart } from './target/target.js';
export type { InstanceLike, MemoryLike } from './target/webassembly.js';
