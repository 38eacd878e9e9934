/** The right to use one instance of a pool, until it is released. */
import { CallOnStackError, LeaseReleasedError } from '../errors.js';

const TOKEN = Symbol('InstanceLease');

/** Made by {@link InstancePool.acquire}. Give it back with {@link InstanceLease.release} or `using`. */
export class InstanceLease<T> implements Disposable {
  readonly #instance: T;
  #giveBack: (() => void) | undefined;

  /** @internal */
  constructor(token: typeof TOKEN, instance: T, giveBack: () => void) {
    if (token !== TOKEN) throw new TypeError('Use pool.acquire() to get an InstanceLease');
    this.#instance = instance;
    this.#giveBack = giveBack;
  }

  /**
   * What `create` made. Do not keep it beyond the lease: it will be somebody else's.
   *
   * @throws {LeaseReleasedError} after {@link InstanceLease.release}.
   */
  get instance(): T {
    if (this.#giveBack === undefined) throw new LeaseReleasedError();
    return this.#instance;
  }

  /** Whether {@link InstanceLease.release} was called. */
  get released(): boolean {
    return this.#giveBack === undefined;
  }

  /**
   * Takes the instance back to what it was after `prepare`, and lets the next one have it. If that fails, it is handed out to nobody
   * any more and the pool makes another. Idempotent.
   *
   * @throws {CallOnStackError} from within a call into the instance; the lease is still held then.
   */
  release(): void {
    const giveBack = this.#giveBack;
    if (giveBack === undefined) return;
    this.#giveBack = undefined;
    try {
      giveBack();
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
export function makeLease<T>(instance: T, giveBack: () => void): InstanceLease<T> {
  return new InstanceLease(TOKEN, instance, giveBack);
}
