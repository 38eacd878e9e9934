/** What a pool of instances can be told. */
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkObject,
  invalidArgType,
  readOptions,
  type AbortSignalLike,
} from '@guardstripe/common';

import { readSnapshotOptions, type SnapshotOptions } from '../options.js';
import type { SnapshotTarget } from '../target/target.js';

/** Options of {@link createInstancePool}. */
export interface InstancePoolOptions<T> {
  /**
   * Makes one instance, or whatever stands for it: a library's object, an interpreter. Called when one is needed. One that another
   * member of a pool has, or whose memory is another's, is refused (`ERR_INVALID_RETURN_VALUE`): a library that keeps a
   * single instance is to be asked for new ones.
   */
  readonly create: () => T | Promise<T>;
  /** Most instances at a time, from 1 to 65,536. */
  readonly size: number;
  /** Brings a new instance to the state in which all are handed out. Default: as `create` made it. */
  readonly prepare?: (instance: T) => void | Promise<void>;
  /** What to take snapshots of. Default: what `create` returned. */
  readonly target?: (instance: T) => SnapshotTarget;
  /**
   * Prepares the first instance only, and gives the others its state, copy-on-write ({@link Snapshot.restoreInto}). For instances
   * whose JavaScript holds nothing that `prepare` changes. Default `false`.
   */
  readonly fork?: boolean;
  /** How the snapshots are taken. */
  readonly snapshot?: SnapshotOptions;
  /**
   * Told of each instance that is handed out no more, because taking it back failed or an exported table became longer, which no table
   * takes back. Default: a process warning.
   */
  readonly onDiscard?: (error: unknown, instance: T) => void;
}

/** {@link InstancePoolOptions}, checked and complete. */
export interface PoolSettings<T> {
  readonly create: () => T | Promise<T>;
  readonly size: number;
  readonly prepare: (instance: T) => void | Promise<void>;
  readonly target: (instance: T) => SnapshotTarget;
  readonly fork: boolean;
  readonly snapshot: SnapshotOptions | undefined;
  readonly onDiscard: (error: unknown, instance: T) => void;
}

/** Options of {@link InstancePool.acquire}. */
export interface AcquireOptions {
  /** Gives up waiting, with the signal's reason. */
  readonly signal?: AbortSignalLike;
}

const NAMES = ['create', 'size', 'prepare', 'target', 'fork', 'snapshot', 'onDiscard'] as const;
const MAX_SIZE = 65_536;

function warn(error: unknown): void {
  process.emitWarning(`An instance could not be taken back and was discarded: ${String(error)}`, {
    code: 'GUARDSTRIPE_INSTANCE_DISCARDED',
  });
}

/** Checks the options of `createInstancePool()`. */
export function readPoolOptions<T>(options: InstancePoolOptions<T>): PoolSettings<T> {
  checkObject(options, 'options');
  const given = readOptions(options, NAMES);
  const { create, size, prepare = () => {}, fork = false, onDiscard = warn } = given;
  const { target = (instance: T) => instance, snapshot } = given;
  checkFunction(create, 'options.create');
  checkInteger(size, 'options.size', 1, MAX_SIZE);
  checkFunction(prepare, 'options.prepare');
  checkFunction(target, 'options.target');
  checkFunction(onDiscard, 'options.onDiscard');
  checkBoolean(fork, 'options.fork');
  readSnapshotOptions(snapshot, 'options.snapshot');
  return { create, size, prepare, target, fork, snapshot, onDiscard } as PoolSettings<T>;
}

/** Checks the options of `acquire()`. */
export function readAcquireOptions(options: unknown): AbortSignal | undefined {
  const { signal } = readOptions(options, ['signal']);
  if (signal === undefined) return undefined;
  if (!(signal instanceof AbortSignal))
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
  return signal;
}
