/** What `snapshot()` and the pool can be told. */
import { checkBoolean, checkOneOf, invalidArgType, readOptions } from '@guardstripe/common';
import type { VirtualMemory } from '@guardstripe/mmap';

import { METHODS, type SnapshotMethod } from './memory/method.js';

/** Options of {@link snapshot}. */
export interface SnapshotOptions {
  /**
   * The fastest way of bringing memories back that may be used; where it does not work, the next one is. Default `'written'`, the
   * first. `'copy'` changes nothing about V8's pages.
   */
  readonly method?: SnapshotMethod;
  /**
   * Says that no other thread uses the target's shared memories whenever this snapshot is taken, restored or looked at. Shared
   * memories are refused otherwise. Default `false`.
   */
  readonly threadsAtRest?: boolean;
  /**
   * Says that no call into the target is under way whenever this snapshot is taken or restored, so that nobody has to look at the
   * stack: that takes 2 to 13 µs, and more the deeper it is. If it is not so, the call goes on with memory that is not its own. Default
   * `false`.
   */
  readonly callsAtRest?: boolean;
  /**
   * The `WebAssembly.Module` that the target is an instance of. {@link Snapshot.restoreInto} then refuses instances that are said to
   * be of another one.
   */
  readonly module?: object;
  /** The platform to use. Default that of `@guardstripe/mmap`, and only `'copy'` where it has none. */
  readonly virtualMemory?: VirtualMemory;
}

/** Options of {@link Snapshot.restoreInto}. */
export interface RestoreIntoOptions {
  /** The `WebAssembly.Module` that the other target is an instance of, to be compared with that of the snapshot. */
  readonly module?: object;
  /**
   * Says that nobody has changed the other target's tables since it was instantiated, neither JavaScript nor its own code. Where the
   * snapshot's are as they were made, too, which the first fork of this kind finds out, they are not read then: V8 makes an object for
   * each function that is, 0.4 µs and some 150 bytes an entry. If it is not so, the tables stay as they are. A later call with the
   * same target reads them, and refuses where a function was overwritten meanwhile that is not exported. Default `false`.
   */
  readonly tablesAsMade?: boolean;
}

/** {@link RestoreIntoOptions}, checked. */
export interface ForkSettings {
  readonly module: object | undefined;
  readonly tablesAsMade: boolean;
}

/** {@link SnapshotOptions}, checked. */
export interface Settings {
  readonly method: SnapshotMethod;
  readonly threadsAtRest: boolean;
  readonly callsAtRest: boolean;
  readonly module: object | undefined;
  readonly virtualMemory: VirtualMemory | undefined;
}

const FORK_NAMES = ['module', 'tablesAsMade'] as const;
const NAMES = ['method', 'threadsAtRest', 'callsAtRest', 'module', 'virtualMemory'] as const;

/** Checks the options of `snapshot()`; `name` is what errors call them. */
export function readSnapshotOptions(options: unknown, name = 'options'): Settings {
  const given = readOptions(options, NAMES, name);
  const { method = 'written', threadsAtRest = false, callsAtRest = false, module, virtualMemory } = given;
  checkOneOf(method, `${name}.method`, METHODS);
  checkBoolean(threadsAtRest, `${name}.threadsAtRest`);
  checkBoolean(callsAtRest, `${name}.callsAtRest`);
  checkModule(module, `${name}.module`);
  if (virtualMemory !== undefined && !isVirtualMemory(virtualMemory))
    throw invalidArgType(`${name}.virtualMemory`, 'a VirtualMemory', virtualMemory);
  return { method, threadsAtRest, callsAtRest, module, virtualMemory };
}

const FORK_DEFAULTS: ForkSettings = { module: undefined, tablesAsMade: false };

/** Checks the options of `restoreInto()`. */
export function readRestoreIntoOptions(options: unknown): ForkSettings {
  if (options === undefined) return FORK_DEFAULTS;
  const { module, tablesAsMade = false } = readOptions(options, FORK_NAMES);
  checkModule(module, 'options.module');
  checkBoolean(tablesAsMade, 'options.tablesAsMade');
  return { module, tablesAsMade };
}

function checkModule(module: unknown, name: string): asserts module is object | undefined {
  if (module === undefined) return;
  if (Object.prototype.toString.call(module) !== '[object WebAssembly.Module]')
    throw invalidArgType(name, 'an instance of WebAssembly.Module', module);
}

function isVirtualMemory(value: unknown): value is VirtualMemory {
  return typeof value === 'object' && value !== null && 'pageSize' in value;
}
