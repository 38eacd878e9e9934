/** One instance of a pool, and how it gets back to where it began. */
import { SnapshotIncompleteError } from '../errors.js';
import { snapshot, type Snapshot } from '../snapshot.js';
import { tableLengths } from '../target/tables.js';
import { resolveTarget, type SnapshotTarget, type Target } from '../target/target.js';
import { Holding } from './holding.js';
import type { PoolSettings } from './options.js';

export interface Member<T> {
  readonly instance: T;
  /** As the snapshot's. */
  readonly restore: () => void;
  /** Gives back what it holds of the system. The instance is V8's. */
  readonly close: () => void;
  /** Kept for ever where the instance is given up. */
  readonly holding: Holding;
}

const NOTHING = (): void => {};

/** Makes members, each prepared by itself or all from the first. */
export class MemberMaker<T> {
  readonly #settings: PoolSettings<T>;
  /** The prepared state that forks start from; the instance it was taken of is a member like any other. */
  #prepared: Promise<Snapshot> | undefined;

  constructor(settings: PoolSettings<T>) {
    this.#settings = settings;
  }

  async make(): Promise<Member<T>> {
    if (!this.#settings.fork) return this.#makeAlone();
    if (this.#prepared !== undefined) return this.#makeFork(await this.#prepared);
    // Set before the first await, so that whoever comes meanwhile waits for it.
    const first = this.#makeAlone();
    this.#prepared = first.then(({ state }) => state);
    // Whoever waits for it hears of a failure; if nobody does, it is heard of below.
    this.#prepared.catch(NOTHING);
    try {
      return { ...(await first), close: NOTHING };
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }

  /** Gives the state that forks start from back. */
  async close(): Promise<void> {
    const prepared = await this.#prepared?.catch(NOTHING);
    prepared?.close();
  }

  async #makeAlone(): Promise<Member<T> & { readonly state: Snapshot }> {
    const { prepare, snapshot: options } = this.#settings;
    return this.#make(prepare, (target) => {
      const state = snapshot(target, options);
      return { state, restore: () => state.restore(), close: () => state.close() };
    });
  }

  async #makeFork(prepared: Snapshot): Promise<Member<T>> {
    return this.#make(NOTHING, (target) => {
      // Of the very same object: the snapshot knows a fork again by that.
      const restore = (): void => prepared.restoreInto(target);
      restore();
      return { restore, close: NOTHING };
    });
  }

  /** Makes an instance that nobody else has. */
  async #make<R extends Pick<Member<T>, 'restore'>>(
    prepare: PoolSettings<T>['prepare'],
    begin: (target: SnapshotTarget) => R,
  ): Promise<R & { readonly instance: T; readonly holding: Holding }> {
    const { create, target: targetOf, snapshot: options } = this.#settings;
    const instance = await create();
    const holding = new Holding();
    try {
      holding.add(instance);
      await prepare(instance);
      const target = targetOf(instance);
      const parts = resolveTarget(target, 'target', options?.threadsAtRest === true);
      for (const memory of parts.memories) holding.add(memory);
      const begun = begin(target);
      const lengths = tableLengths(parts);
      const restore = (): void => {
        begun.restore();
        assertNoLonger(parts, lengths);
      };
      return { ...begun, restore, instance, holding };
    } catch (error) {
      holding.letGo();
      throw error;
    }
  }
}

/** A table never shrinks: the next user would see how far the last one has grown it, and may find no room to grow it again. */
function assertNoLonger(parts: Target, lengths: readonly number[]): void {
  tableLengths(parts).forEach((length, i) => {
    if (length > lengths[i]!)
      throw new SnapshotIncompleteError(
        new Error(`table ${i} has ${length} entries, not ${lengths[i]}, and tables do not shrink`),
      );
  });
}
