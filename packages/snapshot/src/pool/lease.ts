/** The right to use one instance of a pool, until it is released. */
import { LeaseReleasedError } from '../errors.js';
import type { Discard, Hold } from './place.js';

type GiveBack<T> = (hold: Hold<T>, discard?: Discard) => void;

const TOKEN = Symbol('InstanceLease');

/** Made by {@link InstancePool.acquire}. Give it back with {@link InstanceLease.release} or `using`. */
export class InstanceLease<T> implements Disposable {
  readonly #hold: Hold<T>;
  readonly #giveBack: GiveBack<T>;

  /** @internal */
  constructor(token: typeof TOKEN, hold: Hold<T>, giveBack: GiveBack<T>) {
    if (token !== TOKEN) throw new TypeError('Use pool.acquire() to get an InstanceLease');
    this.#hold = hold;
    this.#giveBack = giveBack;
  }

  /**
   * What `create` made. Do not keep it beyond the lease: it will be somebody else's.
   *
   * @throws {@link LeaseReleasedError} after {@link InstanceLease.release}.
   */
  get instance(): T {
    if (!this.#hold.isHeld) throw new LeaseReleasedError();
    return this.#hold.place.member.instance;
  }

  /** Whether {@link InstanceLease.release} or {@link InstanceLease.discard} was called. */
  get released(): boolean {
    return !this.#hold.isHeld;
  }

  /**
   * Takes the instance back to what it was after `prepare`, and lets the next one have it. If that fails, it is handed out to nobody
   * any more and the pool makes another. Idempotent. A call that is cut off, by `timeout` of `node:vm` or the end of the stack, is
   * finished by the pool on the next turn.
   *
   * @throws {@link CallOnStackError} from within a call into the instance; the lease is still held then.
   */
  release(): void {
    this.#giveBack(this.#hold);
  }

  /**
   * Gives the instance up: nobody gets it any more, and the pool makes another when one is needed. For instances that trapped or
   * whose JavaScript is in disorder, which no snapshot repairs. `reason` is passed on to `onDiscard`.
   */
  discard(reason: unknown = new Error('The instance was discarded by its user')): void {
    this.#giveBack(this.#hold, { reason });
  }

  /** The same as `release()`. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/** For the pool. */
export function makeLease<T>(hold: Hold<T>, giveBack: GiveBack<T>): InstanceLease<T> {
  return new InstanceLease(TOKEN, hold, giveBack);
}
