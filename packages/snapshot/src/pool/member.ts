/** One instance of a pool, and how it gets back to where it began. */
import { snapshot, type Snapshot } from '../snapshot.js';
import type { SnapshotTarget } from '../target/target.js';
import type { PoolSettings } from './options.js';

export interface Member<T> {
  readonly instance: T;
  /** As the snapshot's. */
  readonly restore: () => void;
  /** Gives back what it holds of the system. The instance is V8's. */
  readonly close: () => void;
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
      const { instance, restore } = await first;
      return { instance, restore, close: NOTHING };
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
    const { create, prepare, target, snapshot: options } = this.#settings;
    const instance = await create();
    await prepare(instance);
    const state = snapshot(target(instance), options);
    return { instance, state, restore: () => state.restore(), close: () => state.close() };
  }

  async #makeFork(prepared: Snapshot): Promise<Member<T>> {
    const instance = await this.#settings.create();
    // Kept: the snapshot knows a fork again by the very same object.
    const target: SnapshotTarget = this.#settings.target(instance);
    const restore = (): void => prepared.restoreInto(target);
    restore();
    return { instance, restore, close: NOTHING };
  }
}
