/** Instances that are handed out one user at a time, each as it was after it was prepared. */
import { checkFunction } from '@guardstripe/common';
import { CallOnStackError, InstancePoolClosedError, SnapshotIncompleteError } from '../errors.js';
import { makeLease, type InstanceLease } from './lease.js';
import { MemberMaker } from './member.js';
import {
  readAcquireOptions,
  readPoolOptions,
  type AcquireOptions,
  type InstancePoolOptions,
  type PoolSettings,
} from './options.js';
import { Place, type Discard, type Hold } from './place.js';

/** Counts of a pool; `idle + leased + making` is at most its size. */
export interface InstancePoolStats {
  /** Instances that wait for a user. */
  readonly idle: number;
  /** Instances that somebody has. */
  readonly leased: number;
  /** Instances that are being made. */
  readonly making: number;
  /** Users that wait for an instance. */
  readonly waiting: number;
  /** Instances that could not be taken back, over all time. */
  readonly discarded: number;
}

/** Somebody who waits. The answers are the functions of a promise themselves: nothing cuts those off. */
interface Waiter<T> {
  readonly resolve: (lease: InstanceLease<T>) => void;
  readonly reject: (reason: unknown) => void;
  /** Stops listening to a signal. */
  readonly leave: () => void;
  /** Changed beside the answer: whoever was answered and is still in the line is passed over. */
  isAnswered: boolean;
}

/** Waited for, it leads to a turn of its own: there the stack is empty, and no script's time runs. */
const NEXT_TURN = Promise.resolve();

const TOKEN = Symbol('InstancePool');

/**
 * Hears of leases that were dropped. One for all pools, so that it is never collected: after that V8 may call no finalizer of the thread
 * any more (Node 22 and 24).
 */
const dropped = new FinalizationRegistry<() => void>((lose) => lose());

/** Made by {@link createInstancePool}. */
export class InstancePool<T> implements AsyncDisposable {
  readonly #settings: PoolSettings<T>;
  readonly #maker: MemberMaker<T>;
  /** All instances that there are. */
  readonly #places = new Set<Place<T>>();
  /** The one released last is handed out first: its pages are in the processor's caches. */
  readonly #idle: Place<T>[] = [];
  /** In the order in which they came; anyone can leave. */
  readonly #waiters = new Set<Waiter<T>>();
  #making = 0;
  #discarded = 0;
  #closed = false;

  /** @internal */
  constructor(token: typeof TOKEN, settings: PoolSettings<T>) {
    if (token !== TOKEN) throw new TypeError('Use createInstancePool() to make an InstancePool');
    this.#settings = settings;
    this.#maker = new MemberMaker(settings);
  }

  /** Most instances at a time. */
  get size(): number {
    return this.#settings.size;
  }

  /** How many instances and users there are now. */
  get stats(): InstancePoolStats {
    let waiting = 0;
    for (const { isAnswered } of this.#waiters) if (!isAnswered) waiting += 1;
    return {
      idle: this.#idle.length,
      leased: this.#places.size - this.#idle.length,
      making: this.#making,
      waiting,
      discarded: this.#discarded,
    };
  }

  /**
   * Hands out an instance; makes one if none is idle and there may be more, and else waits for a release, first come, first served.
   * Rejects with what `create` or `prepare` threw, with the signal's reason, or with {@link InstancePoolClosedError}.
   */
  async acquire(options?: AcquireOptions): Promise<InstanceLease<T>> {
    const signal = readAcquireOptions(options);
    if (this.#closed) throw new InstancePoolClosedError();
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const leave = (): void => signal?.removeEventListener('abort', abort);
      const waiter: Waiter<T> = { resolve, reject, leave, isAnswered: false };
      const abort = (): void => this.#refuse(waiter, signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      void NEXT_TURN.then(() => this.#serve());
      this.#waiters.add(waiter);
    });
  }

  /**
   * Acquires an instance for as long as a function runs, and returns what that returns. Rejects as {@link InstancePool.acquire} does, and
   * with a `TypeError` `ERR_INVALID_ARG_TYPE` for what is no function.
   */
  async use<R>(work: (instance: T) => R | Promise<R>, options?: AcquireOptions): Promise<R> {
    checkFunction(work, 'work');
    const lease = await this.acquire(options);
    try {
      return await work(lease.instance);
    } finally {
      lease.release();
    }
  }

  /**
   * Refuses who waits and who comes, and gives the idle instances' snapshots back; those that are handed out follow at their
   * release. Idempotent.
   */
  async close(): Promise<void> {
    this.#closed = true;
    await NEXT_TURN;
    for (const waiter of this.#waiters) this.#refuse(waiter, new InstancePoolClosedError());
    for (const place of this.#idle.splice(0)) place.state = 'ending';
    const errors: unknown[] = [];
    for (const place of this.#places) {
      try {
        this.#settle(place);
      } catch (error) {
        errors.push(error);
      }
    }
    if (this.#places.size === 0) await this.#maker.close();
    if (errors.length > 0) throw errors[0];
  }

  /** The same as `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Gives idle instances to who waits, and makes more where that is not enough. */
  #serve(): void {
    if (this.#closed) return;
    for (const waiter of this.#waiters) {
      const place = this.#idle[this.#idle.length - 1];
      if (place === undefined) break;
      if (!waiter.isAnswered) this.#handOut(place, waiter);
      waiter.leave();
      this.#waiters.delete(waiter);
    }
    const free = this.size - this.#places.size - this.#making;
    const wanted = Math.min(free, this.#waiters.size - this.#making);
    for (let i = 0; i < wanted; i++) void this.#make();
  }

  /** Hands out the last of the idle ones. */
  #handOut(place: Place<T>, waiter: Waiter<T>): void {
    const hold: Hold<T> = { place, isHeld: true };
    const lease = makeLease(hold, this.#giveBack);
    dropped.register(lease, () => this.#lose(hold), hold);
    this.#idle.length -= 1;
    place.state = 'leased';
    waiter.isAnswered = true;
    try {
      waiter.resolve(lease);
    } catch (error) {
      // The end of the stack, and it was not called: nobody has the lease.
      this.#idle[this.#idle.length] = place;
      place.state = 'idle';
      waiter.isAnswered = hold.isHeld = false;
      throw error;
    }
  }

  #refuse(waiter: Waiter<T>, reason: unknown): void {
    if (!waiter.isAnswered) {
      waiter.isAnswered = true;
      waiter.reject(reason);
    }
    waiter.leave();
    this.#waiters.delete(waiter);
  }

  async #make(): Promise<void> {
    this.#making += 1;
    // `create` and `prepare` run on a turn of their own: cut off with the script of whoever asks, they would be counted for ever.
    await NEXT_TURN;
    let place: Place<T> | undefined;
    try {
      place = new Place(await this.#maker.make());
    } catch (error) {
      // Whoever has waited longest hears of it; the next attempt is for the next.
      const [waiter] = this.#waiters;
      if (waiter !== undefined) this.#refuse(waiter, error);
    }
    this.#making -= 1;
    if (place === undefined) return this.#serve();
    this.#places.add(place);
    this.#makeIdle(place);
    this.#settle(place);
  }

  readonly #giveBack = (hold: Hold<T>, discard?: Discard): void => this.#takeBack(hold, discard);

  /** Ends a lease. Whatever cuts this off, the rest is done on a turn of its own. */
  #takeBack(hold: Hold<T>, discard: Discard | undefined): void {
    if (!hold.isHeld) return;
    const { place } = hold;
    void NEXT_TURN.then(() => this.#settle(place));
    hold.isHeld = false;
    place.discard = discard;
    place.state = 'returning';
    try {
      this.#return(place);
    } catch (reason) {
      // Its user is still in there, and holds the lease until it is out.
      if (reason instanceof CallOnStackError) {
        place.state = 'leased';
        hold.isHeld = true;
      }
      throw reason;
    }
    dropped.unregister(hold);
    // Who waits is served on the turn of its own: V8 loses the answer of a promise if it ends the script in there.
    this.#finish(place);
  }

  /** Its lease was dropped without release: somebody may still use the instance, so it is not taken back. */
  #lose(hold: Hold<T>): void {
    this.#takeBack(hold, { reason: new Error('A lease was garbage collected without release()') });
  }

  /** Finds out whether an instance gets back to where it began, unless it is given up. */
  #return(place: Place<T>): void {
    try {
      if (place.discard === undefined) place.member.restore();
    } catch (reason) {
      if (reason instanceof CallOnStackError || isEndOfStack(reason)) throw reason;
      place.discard = { reason };
    }
    if (place.discard === undefined) return this.#makeIdle(place);
    this.#discarded += 1;
    place.state = 'discarding';
  }

  #makeIdle(place: Place<T>): void {
    if (this.#closed) {
      place.state = 'ending';
      return;
    }
    this.#idle[this.#idle.length] = place;
    place.state = 'idle';
  }

  /** Does what is left to do with an instance, and what that allows. */
  #settle(place: Place<T>): void {
    if (place.state === 'returning') {
      // The call of its user was cut off.
      try {
        this.#return(place);
      } catch (reason) {
        place.discard = { reason };
        this.#return(place);
      }
    }
    try {
      this.#finish(place);
    } finally {
      this.#serve();
    }
  }

  /** Gives up an instance that is not to be used again. */
  #finish(place: Place<T>): void {
    if (place.state === 'discarding') this.#discard(place);
    else if (place.state === 'ending') this.#end(place);
  }

  /** The pool needs it no more; another may have it. */
  #end(place: Place<T>): void {
    place.member.close();
    place.member.holding.letGo();
    this.#remove(place);
    place.state = 'gone';
  }

  /** Nobody gets this one any more. */
  #discard(place: Place<T>): void {
    const { member, discard } = place;
    try {
      member.close();
    } catch {
      // It is given up already; the leak nets of what it holds try again.
    }
    this.#remove(place);
    place.state = 'gone';
    this.#settings.onDiscard(discard?.reason, member.instance);
  }

  #remove(place: Place<T>): void {
    this.#places.delete(place);
    if (this.#closed && this.#places.size === 0) void this.#maker.close();
  }
}

/** An error of V8's own, which has no code. */
function isEndOfStack(error: unknown): boolean {
  const reason = error instanceof SnapshotIncompleteError ? error.cause : error;
  return reason instanceof RangeError && !('code' in reason);
}

/**
 * Makes a pool of instances. They are made when they are needed; `acquire()` hands each out as it was after `prepare`, whatever
 * its last user did to it, and no instance is handed out whose way back failed.
 *
 * @throws `TypeError` or `RangeError` for options that are wrong
 */
export function createInstancePool<T>(options: InstancePoolOptions<T>): InstancePool<T> {
  return new InstancePool(TOKEN, readPoolOptions(options));
}
