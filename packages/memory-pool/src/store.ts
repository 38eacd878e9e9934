/** A tenant of the pool. */
import { checkFunction, checkInstance, checkObject, readOptions } from '@guardstripe/common';
import { onAllocate, type AllocateEvent } from './diagnostics.js';
import { forEachDespiteErrors, PoolClosedError, PoolQueueFullError, StoreDisposedError } from './errors.js';
import type { Admission } from './core/admission.js';
import type { LeakNet } from './core/leak-net.js';
import { ask, askNow, type Growth, type MemoryLimiter } from './limiter.js';
import type { PoolModule } from './module/module.js';
import type { PoolCore } from './core/pool-core.js';
import { PooledMemory } from './pooled-memory.js';
import type { MemoryTemplate } from './module/template.js';
import type { Lease, Tenancy } from './core/tenancy.js';

/** What {@link Store.allocate} takes. */
export interface AllocateOptions {
  /** The module whose memory is wanted: from {@link describeModule} or {@link describeMemory}. */
  readonly module: PoolModule;
  /** Which of the module's memories, imported ones counted. @defaultValue the first that the module defines */
  readonly memoryIndex?: number;
}

/** What {@link Store.allocateAsync} takes. */
export interface AllocateAsyncOptions extends AllocateOptions {
  /** Ends the wait: the promise then rejects with `signal.reason`; if the limiter is being asked, when it has answered. */
  readonly signal?: AbortSignal;
}

/** What a store needs of its pool. */
export interface StoreHost {
  readonly core: PoolCore;
  readonly admission: Admission;
  readonly leakNet: LeakNet;
  readonly maxWaitingAllocations: number;
}

/** A tenant: owns its memories, which all lie in its stripe, and frees them when it is disposed. */
export class Store implements Disposable {
  /** @internal */
  readonly limiter: MemoryLimiter | undefined;
  readonly #host: StoreHost;
  readonly #tenancy: Tenancy;
  #disposed = false;

  /** @internal Stores come from {@link MemoryPool.openStore}. */
  constructor(host: StoreHost, tenancy: Tenancy, limiter: MemoryLimiter | undefined) {
    this.#host = host;
    this.#tenancy = tenancy;
    this.limiter = limiter;
  }

  /** The stripe that all memories of the store lie in. */
  get stripe(): number {
    return this.#tenancy.stripe;
  }

  /** Memories that the store holds now. */
  get liveMemories(): number {
    return this.#host.core.closed ? 0 : this.#tenancy.length;
  }

  /** Whether the store was disposed. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * Allocates a memory: zeros, with the module's image where it has one. A slot that the same memory of the same module
   * had before is preferred, for its image is still there.
   *
   * @throws {@link PoolConcurrencyLimitError} if the stripe is full; {@link MemoryLimitError} if the store's limiter says
   * no; {@link ModuleNotPoolableError}, {@link ModuleClosedError}, {@link StoreDisposedError}, {@link PoolClosedError};
   * a `SystemError` if the system refuses. Nothing is taken then.
   */
  allocate(options: AllocateOptions): PooledMemory {
    const template = this.#template(options);
    const lease = this.#host.core.allocate(this.#tenancy, template);
    if (this.limiter !== undefined) {
      try {
        askNow(this.limiter, this.#growth(template));
        this.#assertHeld(lease);
      } catch (error) {
        this.#host.core.abandon(lease);
        throw error;
      }
    }
    return this.#memory(lease, template);
  }

  /**
   * The same as {@link Store.allocate}, but a full stripe is waited for, first come, first served, and the limiter may
   * take its time.
   *
   * @throws as {@link Store.allocate}, by rejection; also `signal.reason` if the wait was aborted,
   * {@link PoolQueueFullError} if too many wait already, {@link StoreDisposedError} if the store was disposed meanwhile
   */
  async allocateAsync(options: AllocateAsyncOptions): Promise<PooledMemory> {
    const { signal } = readOptions(options, ['module', 'memoryIndex', 'signal']);
    if (signal !== undefined) checkInstance(signal, 'options.signal', AbortSignal);
    const { core, maxWaitingAllocations } = this.#host;
    signal?.throwIfAborted();
    const template = this.#template(options);
    let lease = core.allocateIfFirst(this.#tenancy, template);
    if (lease === undefined) {
      if (core.waiting >= maxWaitingAllocations) throw new PoolQueueFullError(maxWaitingAllocations);
      lease = await core.allocateInTurn(this.#tenancy, template, this, signal);
    }
    try {
      this.#assertHeld(lease);
      await ask(this.limiter, this.#growth(template));
      this.#assertHeld(lease);
      signal?.throwIfAborted();
    } catch (error) {
      core.abandon(lease);
      throw error;
    }
    return this.#memory(lease, template);
  }

  /**
   * Runs a native call with only this store's stripe open: whatever it touches in another stripe faults. What was open
   * before is put back, also when `fn` throws, or faulted and was jumped out of. In a pool without stripes `fn` just runs.
   *
   * `fn` must be synchronous: PKRU belongs to the thread. Host code that the guest calls back sees the guest's stripe only;
   * the pool's own calls work there as anywhere.
   *
   * @throws {@link StoreDisposedError}, {@link PoolClosedError}, `TypeError` `ERR_INVALID_RETURN_VALUE` for a function that
   * returned a promise from a striped pool, and whatever `fn` throws
   */
  enter<T>(fn: () => T): T {
    checkFunction(fn, 'fn');
    if (this.#disposed || this.#host.core.closed) throw this.#gone('enter the store');
    return this.#host.core.enter(this.stripe, fn);
  }

  /** Frees every memory that the store holds, and rejects its waiting allocations. Disposing again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { core } = this.#host;
    if (core.closed) return;
    core.rejectWaiting(this.stripe, this, () => new StoreDisposedError('allocate a memory'));
    forEachDespiteErrors(core.leasesOf(this.#tenancy), (lease) => core.release(lease));
  }

  /** The same as {@link Store.dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What is wanted, after all checks: from here on nothing is looked at again. */
  #template(options: AllocateOptions): MemoryTemplate {
    if (this.#disposed || this.#host.core.closed) throw this.#gone();
    checkObject(options, 'options');
    this.#host.admission.check(options.module);
    return options.module.template(options.memoryIndex);
  }

  #gone(action = 'allocate a memory'): Error {
    return this.#disposed ? new StoreDisposedError(action) : new PoolClosedError(action);
  }

  /** Disposing the store, or closing the pool, ends a tenancy while its slot or its limiter is waited for. */
  #assertHeld(lease: Lease): void {
    if (!this.#host.core.holds(lease)) throw this.#gone();
  }

  #growth(template: MemoryTemplate): Growth {
    const maximumBytes = this.#host.core.maximumBytes(template);
    return { currentBytes: 0, desiredBytes: template.initialBytes, maximumBytes };
  }

  #memory(lease: Lease, template: MemoryTemplate): PooledMemory {
    const tenancy = this.#tenancy;
    const memory = new PooledMemory(this.#host.core, lease, template, this);
    if (!tenancy.watched) this.#host.leakNet.watch(this, tenancy);
    tenancy.traces?.set(lease.slot, new Error('Allocated here').stack ?? '');
    if (onAllocate.hasSubscribers) {
      const { stripe } = tenancy;
      onAllocate.publish({
        slot: lease.slot,
        stripe,
        byteLength: template.initialBytes,
      } satisfies AllocateEvent);
    }
    return memory;
  }
}
