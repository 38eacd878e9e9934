/** Instances that are handed out one user at a time, each as it was after it was prepared. */
import { checkFunction } from '@guardstripe/common';
import { CallOnStackError, InstancePoolClosedError } from '../errors.js';
import { makeLease, type InstanceLease } from './lease.js';
import { MemberMaker, type Member } from './member.js';
import {
  readAcquireOptions,
  readPoolOptions,
  type AcquireOptions,
  type InstancePoolOptions,
  type PoolSettings,
} from './options.js';

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

interface Waiter<T> {
  readonly give: (lease: InstanceLease<T>) => void;
  readonly refuse: (reason: unknown) => void;
}

const TOKEN = Symbol('InstancePool');

/** Made by {@link createInstancePool}. */
export class InstancePool<T> implements AsyncDisposable {
  readonly #settings: PoolSettings<T>;
  readonly #maker: MemberMaker<T>;
  /** The one released last is handed out first: its pages are in the processor's caches. */
  readonly #idle: Member<T>[] = [];
  /** In the order in which they came; anyone can leave. */
  readonly #waiters = new Set<Waiter<T>>();
  #leased = 0;
  #making = 0;
  #discarded = 0;
  #closed = false;
  /** Leases that were dropped without release: somebody may still use the instance, so it is not taken back. */
  readonly #dropped = new FinalizationRegistry<Member<T>>((member) => {
    this.#leased -= 1;
    this.#discard(new Error('A lease was garbage collected without release()'), member);
  });

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
    return {
      idle: this.#idle.length,
      leased: this.#leased,
      making: this.#making,
      waiting: this.#waiters.size,
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
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter<T> = {
        give(lease) {
          leave();
          resolve(lease);
        },
        refuse(reason) {
          leave();
          reject(reason);
        },
      };
      const abort = (): void => waiter.refuse(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
      this.#serve();
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
    for (const { refuse } of this.#waiters) refuse(new InstancePoolClosedError());
    for (const member of this.#idle.splice(0)) this.#end(member);
    if (this.#leased === 0) await this.#maker.close();
  }

  /** The same as `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Gives idle instances to who waits, and makes more where that is not enough. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const member = this.#idle.pop();
      if (member === undefined) break;
      waiter.give(this.#lease(member));
    }
    const free = this.size - this.#idle.length - this.#leased - this.#making;
    const wanted = Math.min(free, this.#waiters.size - this.#making);
    for (let i = 0; i < wanted; i++) void this.#make();
  }

  async #make(): Promise<void> {
    this.#making += 1;
    // `create` and `prepare` run on a turn of their own: cut off with the script of whoever asks, they would be counted for ever.
    await Promise.resolve();
    try {
      const member = await this.#maker.make();
      if (this.#closed) this.#end(member);
      else this.#idle.push(member);
    } catch (error) {
      // Whoever has waited longest hears of it; the next attempt is for the next.
      const [waiter] = this.#waiters;
      waiter?.refuse(error);
    }
    this.#making -= 1;
    this.#serve();
  }

  #lease(member: Member<T>): InstanceLease<T> {
    this.#leased += 1;
    const lease: InstanceLease<T> = makeLease(member.instance, (discard) =>
      this.#takeBack(member, lease, discard),
    );
    this.#dropped.register(lease, member, lease);
    return lease;
  }

  #takeBack(member: Member<T>, lease: object, discard: { readonly reason: unknown } | undefined): void {
    let failure = discard;
    try {
      if (failure === undefined) member.restore();
    } catch (reason) {
      // Its user is still in there, and holds the lease until it is out.
      if (reason instanceof CallOnStackError) throw reason;
      failure = { reason };
    }
    this.#leased -= 1;
    this.#dropped.unregister(lease);
    if (failure !== undefined) return this.#discard(failure.reason, member);
    if (!this.#closed) {
      this.#idle.push(member);
      return this.#serve();
    }
    this.#end(member);
    if (this.#leased === 0) void this.#maker.close();
  }

  /** The pool needs it no more; another may have it. */
  #end(member: Member<T>): void {
    member.close();
    member.holding.letGo();
  }

  /** Nobody gets this one any more. */
  #discard(error: unknown, member: Member<T>): void {
    this.#discarded += 1;
    try {
      member.close();
    } catch {
      // It is given up already; the leak nets of what it holds try again.
    }
    this.#serve();
    this.#settings.onDiscard(error, member.instance);
  }
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
