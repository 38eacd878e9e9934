/** Snapshots of instances: taking them, and going back. */
import { showAs, size } from '@guardstripe/common';
import type { VirtualMemory } from '@guardstripe/mmap';

import {
  SnapshotClosedError,
  SnapshotIncompleteError,
  TargetCollectedError,
  WrongTargetError,
} from './errors.js';
import { keeperOf, type Keeping } from './memory/keeper.js';
import { slower, type SnapshotMethod } from './memory/method.js';
import { bestMethod } from './memory/support.js';
import {
  readRestoreIntoOptions,
  readSnapshotOptions,
  type RestoreIntoOptions,
  type Settings,
  type SnapshotOptions,
} from './options.js';
import { firstLiving, fit, saveMemories, saveValues, type SavedState, type Values } from './saved-state.js';
import { assertNoCallOnStack } from './target/call-on-stack.js';
import { writeGlobals } from './target/globals.js';
import { areTables, translateTables, writeTables } from './target/tables.js';
import { resolveTarget, type SnapshotTarget, type Target } from './target/target.js';
import type { MemoryLike } from './target/webassembly.js';

/** Pages of a memory whose bytes are not those of the snapshot. */
export interface ChangedPages {
  /** Which of the target's memories, counted from 0 in the order of its exports. */
  readonly memory: number;
  /** Offset in the memory, in bytes. */
  readonly offset: number;
  /** Whole pages of the system, but for the last one of a memory. */
  readonly byteLength: number;
}

/** A target, and what its globals and tables go back to. */
interface Home {
  readonly target: Target;
  readonly values: Values;
}

const TOKEN = Symbol('Snapshot');

function inspectSnapshot({ closed, savedBytes, byteLength, method }: Snapshot): string {
  return `Snapshot { ${closed ? 'closed' : `${size(savedBytes)} of ${size(byteLength)}, ${method}`} }`;
}

/**
 * The state of an instance at one moment: the bytes of its memories, its exported mutable globals and its exported tables. Made by
 * {@link snapshot}; given back by {@link Snapshot.close} or `using`. It keeps no instance alive.
 *
 * What is no part of it: globals, tables and memories that are not exported (the stack pointer is at rest between calls), objects of
 * WebAssembly's garbage collector, and everything that JavaScript keeps, such as handles and open files of a library around the instance.
 */
export class Snapshot implements Disposable {
  readonly #state: SavedState;
  readonly #keeping: Keeping;
  readonly #module: object | undefined;
  readonly #threadsAtRest: boolean;
  readonly #callsAtRest: boolean;
  /** Weak, and the values hang on the memories: functions of a table lead to their instance. */
  readonly #memories: readonly WeakRef<MemoryLike>[];
  readonly #homes = new WeakMap<MemoryLike, Home>();
  /** Targets of {@link restoreInto}, taken apart once. */
  readonly #forks = new WeakMap<object, Home>();
  /** Whether the saved tables are those of an instance that was just made; not known before there was one. */
  #tablesAreAsMade: boolean | undefined;
  #closed = false;

  static {
    showAs(this.prototype, inspectSnapshot);
  }

  /** @internal */
  constructor(token: typeof TOKEN, target: Target, options: SnapshotSettings) {
    if (token !== TOKEN) throw new TypeError('Use snapshot() to make a Snapshot');
    this.#keeping = options;
    this.#module = options.module;
    this.#threadsAtRest = options.threadsAtRest;
    this.#callsAtRest = options.callsAtRest;
    const { values, described } = saveValues(target);
    const memories = saveMemories(target, options.virtualMemory);
    this.#state = { memories, areShared: target.areShared, shape: target.shape, ...described };
    this.#memories = target.memories.map((memory) => new WeakRef(memory));
    for (const memory of target.memories) this.#homes.set(memory, { target, values });
    try {
      target.memories.forEach((memory, i) => keeperOf(memory).watch(memories[i]!, this.#keeping));
    } catch (error) {
      try {
        this.close();
      } catch {
        // The first error is the one to know; the leak nets of what is open try again.
      }
      throw new SnapshotIncompleteError(error);
    }
  }

  /** Bytes of the memories at the time of the snapshot, all together. */
  get byteLength(): number {
    return this.#state.memories.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Bytes that the snapshot holds: what was not zero. */
  get savedBytes(): number {
    return this.#state.memories.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  }

  /** How the next {@link restore} goes, as it looks now; of several memories, the slowest way. */
  get method(): SnapshotMethod {
    let method: SnapshotMethod = this.#keeping.method;
    this.#memories.forEach((reference, i) => {
      const memory = reference.deref();
      if (memory !== undefined) method = slower(method, keeperOf(memory).methodFor(this.#state.memories[i]!));
    });
    return method;
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Takes the target back to what it was. Memories do not shrink: pages that came since are zeros then. Views of the memory stay
   * valid and show the bytes that are there again.
   *
   * @throws {@link CallOnStackError} from within a call into the instance, {@link TargetCollectedError} when there is nothing left to
   *   restore, {@link SnapshotClosedError}; nothing has changed then.
   * @throws {@link SnapshotIncompleteError} if it failed half-way.
   */
  restore(): void {
    this.#assertOpen();
    const { target, values } = this.#home();
    if (!this.#callsAtRest) assertNoCallOnStack(target);
    this.#write(target, values, 'restore');
  }

  /**
   * Gives another instance of the same module this state: a fork. Its pages are shared with the snapshot until they are written. The same
   * call takes it back there later, as {@link restore} does. Memories and tables that are too small are grown.
   *
   * What belongs to the first instance cannot be handed on: a table's functions are looked for in the other instance.
   *
   * @throws {@link WrongTargetError} if exports, kinds of memories or modules differ, or it cannot grow that far; nothing
   *   else has changed then.
   * @throws as {@link restore}
   */
  restoreInto(other: SnapshotTarget, options?: RestoreIntoOptions): void {
    this.#assertOpen();
    const { module, tablesAsMade } = readRestoreIntoOptions(options);
    if (module !== undefined && this.#module !== undefined && module !== this.#module)
      throw new WrongTargetError('it is an instance of another module');
    const known = this.#forks.get(other);
    const target = known?.target ?? resolveTarget(other, 'other', this.#threadsAtRest, this.#state.shape);
    // Options and targets may be objects with code of their own.
    this.#assertOpen();
    if (!this.#callsAtRest) assertNoCallOnStack(target);
    let values = known?.values;
    if (values === undefined) {
      values = this.#fit(target, tablesAsMade);
    } else if (values.tables === undefined) {
      values = { ...values, tables: translateTables(this.#state.tables, target) };
    }
    if (values !== known?.values) this.#forks.set(other, { target, values });
    this.#write(target, values, 'fork');
  }

  /**
   * The pages whose bytes are not those of the snapshot, as ascending runs a memory; pages that came since count if they are not
   * zeros. Threads of a shared memory must be at rest.
   */
  changedPages(): ChangedPages[] {
    this.#assertOpen();
    const { target } = this.#home();
    return target.memories.flatMap((memory, i) =>
      keeperOf(memory)
        .differences(this.#state.memories[i]!, this.#keeping)
        .map(({ offset, byteLength }) => ({ memory: i, offset, byteLength })),
    );
  }

  /** Bytes of {@link changedPages}, all together. */
  changedBytes(): number {
    return this.changedPages().reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Gives the saved bytes back. Instances and forks stay as they are. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const errors: unknown[] = [];
    for (const saved of this.#state.memories) {
      try {
        saved.close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #fit(target: Target, tablesAsMade: boolean): Values {
    const readsTables = !tablesAsMade || this.#tablesAreAsMade !== true;
    const values = fit(this.#state, target, readsTables);
    if (tablesAsMade && values.tables !== undefined)
      this.#tablesAreAsMade ??= areTables(target, values.tables);
    return values;
  }

  #write(target: Target, values: Values, how: 'restore' | 'fork'): void {
    try {
      const { memories } = this.#state;
      for (let i = 0; i < memories.length; i++)
        keeperOf(target.memories[i]!)[how](memories[i]!, this.#keeping);
      writeGlobals(target, values.globals);
      if (values.tables !== undefined) writeTables(target, values.tables);
    } catch (error) {
      throw new SnapshotIncompleteError(error);
    }
  }

  #home(): Home {
    const home = this.#homes.get(firstLiving(this.#memories));
    if (home === undefined) throw new TargetCollectedError('what the snapshot was taken of');
    return home;
  }

  #assertOpen(): void {
    if (this.#closed) throw new SnapshotClosedError();
  }
}

type SnapshotSettings = Keeping & Pick<Settings, 'threadsAtRest' | 'callsAtRest' | 'module'>;

/**
 * Takes a snapshot of an instance, its exports, one or several memories, or an array of them as one. A memory that an instance
 * imports is not among its exports: `snapshot([instance, memory])`.
 *
 * @throws {@link CallOnStackError} from within a call into the instance.
 * @throws {@link SharedMemoryError} for a shared memory, without `threadsAtRest`.
 * @throws {@link SnapshotUnsupportedError} where something exported cannot be read, there is no WebAssembly, or Node.js is older than
 *   22.12.
 */
export function snapshot(target: SnapshotTarget, options?: SnapshotOptions): Snapshot {
  const settings = readSnapshotOptions(options);
  const resolved = resolveTarget(target, 'target', settings.threadsAtRest);
  if (!settings.callsAtRest) assertNoCallOnStack(resolved);
  const best = bestMethod(settings.method, settings.virtualMemory);
  const virtualMemory: VirtualMemory | undefined = best.virtualMemory;
  return new Snapshot(TOKEN, resolved, { ...settings, method: best.method, virtualMemory });
}
