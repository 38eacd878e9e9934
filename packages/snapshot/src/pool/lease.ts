/** The right to use one instance of a pool, until it is released. */
import { CallOnStackError, LeaseReleasedError } from '../errors.js';

type GiveBack = (discard?: { readonly reason: unknown }) => void;

const TOKEN = Symbol('InstanceLease');

/** Made by {@link InstancePool.acquire}. Give it back with {@link InstanceLease.release} or `using`. */
export class InstanceLease<T> implements Disposable {
  readonly #instance: T;
  /** With an error, the instance is given up. */
  #giveBack: GiveBack | undefined;

  /** @internal */
  constructor(token: typeof TOKEN, instance: T, giveBack: GiveBack) {
    if (token !== TOKEN) throw new TypeError('Use pool.acquire() to get an InstanceLease');
    this.#instance = instance;
    this.#giveBack = giveBack;
  }

  /**
   * What `create` made. Do not keep it beyond the lease: it will be somebody else's.
   *
   * @throws {@link LeaseReleasedError} after {@link InstanceLease.release}.
   */
  get instance(): T {
    if (this.#giveBack === undefined) throw new LeaseReleasedError();
    return this.#instance;
  }

  /** Whether {@link InstanceLease.release} or {@link InstanceLease.discard} was called. */
  get released(): boolean {
    return this.#giveBack === undefined;
  }

  /**
   * Takes the instance back to what it was after `prepare`, and lets the next one have it. If that fails, it is handed out to nobody
   * any more and the pool makes another. Idempotent.
   *
   * @throws {@link CallOnStackError} from within a call into the instance; the lease is still held then.
   */
  release(): void {
    this.#end();
  }

  /**
   * Gives the instance up: nobody gets it any more, and the pool makes another when one is needed. For instances that trapped or
   * whose JavaScript is in disorder, which no snapshot repairs. `reason` is passed on to `onDiscard`.
   */
  discard(reason: unknown = new Error('The instance was discarded by its user')): void {
    this.#end({ reason });
  }

  #end(discard?: { readonly reason: unknown }): void {
    const giveBack = this.#giveBack;
    if (giveBack === undefined) return;
    this.#giveBack = undefined;
    try {
      giveBack(discard);
    } catch (error) {
      if (error instanceof CallOnStackError) this.#giveBack = giveBack;
      throw error;
    }
  }

  /** The same as `release()`. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/** For the pool. */
export function makeLease<T>(instance: T, giveBack: GiveBack): InstanceLease<T> {
  return new InstanceLease(TOKEN, instance, giveBack);
}
