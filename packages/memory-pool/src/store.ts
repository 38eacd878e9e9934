/** A tenant of the pool. */
import {
  checkFunction,
  checkInstance,
  checkObject,
  invalidArgType,
  isInstance,
  isReadable,
  readOptions,
  showAs,
  type AbortSignalLike,
} from '@guardstripe/common';
import { PoolNotSharedError, PoolQueueFullError, StoreNotMovableError } from './errors.js';
import type { Admission } from './core/admission.js';
import type { LeakNet } from './core/nets/leak-net.js';
import { hintOfAllocate } from './hints.js';
import { ask, askNow, tellFailed, type Growth, type MemoryLimiter } from './limiter.js';
import { PoolModule } from './module/module.js';
import type { PoolCore } from './core/pool-core.js';
import { overError } from './core/tenancies.js';
import type { StoreToken } from './moving/token.js';
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
  /** Ends the wait, for a slot or for the limiter: the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignalLike;
}

/** What a store needs of its pool. */
export interface StoreHost {
  readonly core: PoolCore;
  readonly admission: Admission;
  readonly leakNet: LeakNet;
  readonly maxWaitingAllocations: number;
}

/** The face of a memory that came with its store. */
export let memoryOf: (store: Store, lease: Lease, template: MemoryTemplate) => PooledMemory;

/** A tenant: owns its memories, which all lie in its stripe, and frees them when it is disposed. */
export class Store implements Disposable {
  /** @internal */
  readonly limiter: MemoryLimiter | undefined;
  readonly #host: StoreHost;
  readonly #tenancy: Tenancy;
  /** Calls of {@link Store.allocateAsync} that are not done. */
  #allocating = 0;

  static {
    memoryOf = (store, lease, template) => store.#face(lease, template);
    showAs(this.prototype, ({ stripe, liveMemories, disposed, released }) => {
      if (released) return 'Store { released }';
      return disposed ? 'Store { disposed }' : `Store { stripe ${stripe}, ${liveMemories} live }`;
    });
  }

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
    return this.#tenancy.state === 'disposed';
  }

  /** Whether the store was released: nothing can be had of it any more, and its memories are whoever's adopts them. */
  get released(): boolean {
    return this.#tenancy.state === 'released';
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
    const memory = this.tryAllocate(options);
    if (memory === undefined) throw this.#host.core.tenancies.exhausted(this.stripe);
    return memory;
  }

  /**
   * The same as {@link Store.allocate}, but returns `undefined` where the stripe is full.
   *
   * @throws as {@link Store.allocate}, but not {@link PoolConcurrencyLimitError}
   */
  tryAllocate(options: AllocateOptions): PooledMemory | undefined {
    if (this.limiter !== undefined) return this.#tryAllocateLimited(this.limiter, options);
    const template = this.#template(options);
    const lease = this.#host.core.tenancies.tryAllocate(this.#tenancy, template);
    return lease && this.#memory(lease, template);
  }

  /**
   * The same as {@link Store.allocate}, but a full stripe is waited for, first come, first served, and the limiter may
   * take its time. The place in line is taken when the limiter has said yes.
   *
   * @throws as {@link Store.allocate}, by rejection; {@link PoolConcurrencyLimitError} only where no slot will ever be
   * free; also `signal.reason` if the wait was aborted, {@link PoolQueueFullError} if too many wait already,
   * {@link StoreDisposedError} if the store was disposed meanwhile
   */
  async allocateAsync(options: AllocateAsyncOptions): Promise<PooledMemory> {
    const { signal } = readOptions(options, ['module', 'memoryIndex', 'signal']);
    if (signal !== undefined) checkInstance(signal, 'options.signal', AbortSignal);
    const { core, maxWaitingAllocations } = this.#host;
    const { tenancies } = core;
    signal?.throwIfAborted();
    const wanted = readWanted(options);
    const growth = this.#growth(wanted);
    const turn = { signal, isServed: false };
    this.#allocating++;
    try {
      if (growth !== undefined && this.limiter !== undefined) {
        const assertWanted = () => {
          if (this.#tenancy.state !== 'open' || core.closed) throw this.#gone();
        };
        const asker = { pending: core.pending, key: this.#tenancy, signal, assertWanted };
        const answer = ask(this.limiter, growth, asker);
        // Who is answered at once has its place in line at once.
        if (answer !== undefined) await answer;
      }
      let template: MemoryTemplate;
      let lease: Lease | undefined;
      try {
        signal?.throwIfAborted();
        template = this.#template(wanted);
        lease = tenancies.allocateIfFirst(this.#tenancy, template);
        if (lease === undefined) {
          if (core.waiting >= maxWaitingAllocations) throw new PoolQueueFullError(maxWaitingAllocations);
          lease = await tenancies.allocateInTurn(this.#tenancy, template, turn);
        }
      } catch (error) {
        if (!turn.isServed) this.#tellFailed(growth, error);
        throw error;
      }
      if (signal?.aborted === true) {
        tenancies.release(lease);
        throw signal.reason;
      }
      return this.#memory(lease, template);
    } finally {
      this.#allocating--;
    }
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
    if (this.#tenancy.state !== 'open' || this.#host.core.closed) throw this.#gone('enter the store');
    return this.#host.core.enter(this.stripe, fn);
  }

  /**
   * Ends the store in this thread and gives what another one adopts it with, {@link MemoryPool.adopt}: its memories stay as and where
   * they are. From now on the calls of the store and of its memories throw {@link StoreReleasedError}, and its unsafe buffers are
   * detached; a limiter is told that the memories ended here.
   *
   * Until somebody adopts it, the store is *in flight*: its memories count as live, and keep the pool busy. Stay until then: what is in
   * flight when this thread ends or closes the pool comes back to the pool. Who keeps the token may take the store back with it.
   *
   * @throws {@link StoreNotMovableError} while an allocation or a growth of its waits, or where the `buffer` of a memory was read;
   * {@link ModuleNotSharedError} for memories that a snapshot made; {@link PoolNotSharedError}, {@link StoreDisposedError},
   * {@link StoreReleasedError}, {@link PoolClosedError}; a `SystemError` if the system refuses a module's memory file. The store is as it
   * was then, but for unsafe buffers, which may be detached
   */
  release(): StoreToken {
    const action = 'release the store';
    const { core } = this.#host;
    if (this.#tenancy.state !== 'open' || core.closed) throw this.#gone(action);
    if (core.mover === undefined) throw new PoolNotSharedError(action);
    if (this.#allocating > 0) throw new StoreNotMovableError('allocating');
    return core.mover.release(this.#tenancy);
  }

  /** Frees every memory that the store holds, and rejects its waiting allocations. Disposing again does nothing. */
  dispose(): void {
    this.#host.core.tenancies.change.finish();
    // Disposed already, unless it was cut short.
    const { state, length } = this.#tenancy;
    if (state === 'released' || (state === 'disposed' && length === 0)) return;
    const { pending, tenancies } = this.#host.core;
    // Before anything changes: cut short, those who wait hear of it all the same.
    if (this.#allocating > 0) tenancies.recheckWaiting(this.stripe);
    this.#tenancy.state = 'disposed';
    if (tenancies.closed) return;
    if (this.#allocating > 0) pending.end(this.#tenancy, () => this.#gone());
    tenancies.releaseAll(this.#tenancy);
  }

  /** The same as {@link Store.dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** {@link Store.tryAllocate} of a store with a limiter: asked first, and told if what it granted does not come. */
  #tryAllocateLimited(limiter: MemoryLimiter, options: AllocateOptions): PooledMemory | undefined {
    const { tenancies } = this.#host.core;
    const wanted = readWanted(options);
    const growth = this.#growth(wanted);
    if (growth !== undefined) askNow(limiter, growth);
    let template: MemoryTemplate;
    let lease: Lease | undefined;
    try {
      template = this.#template(wanted);
      lease = tenancies.tryAllocate(this.#tenancy, template);
    } catch (error) {
      this.#tellFailed(growth, error);
      throw error;
    }
    if (lease !== undefined) return this.#memory(lease, template);
    this.#tellFailed(growth, tenancies.exhausted(this.stripe));
    return undefined;
  }

  /** What is wanted, after all checks: from here on nothing is looked at again. */
  #template(options: AllocateOptions): MemoryTemplate {
    if (this.#tenancy.state !== 'open' || this.#host.core.tenancies.closed) throw this.#gone();
    const { module, memoryIndex } = optionsOf(options);
    this.#host.admission.check(module);
    return this.#host.core.template(module, memoryIndex);
  }

  #gone(action = 'allocate a memory'): Error {
    return overError(this.#tenancy, action);
  }

  /** What the limiter is asked; nothing where there is none, or where nothing is wanted that could be had anywhere. */
  #growth({ module, memoryIndex }: AllocateOptions): Growth | undefined {
    if (this.limiter === undefined) return undefined;
    if (!isInstance(module, PoolModule)) return undefined;
    const memory = module.memories[memoryIndex ?? module.firstDefinedMemory ?? -1];
    if (memory === undefined || memory.kind === 'imported') return undefined;
    const { pageBytes, initialPages, maximumPages } = memory;
    const inBytes = (pages: bigint) => Math.min(Number(pages) * pageBytes, Number.MAX_SAFE_INTEGER);
    const poolBytes = this.#host.core.layout.maxMemoryBytes;
    const maximumBytes = maximumPages === undefined ? poolBytes : Math.min(inBytes(maximumPages), poolBytes);
    return { currentBytes: 0, desiredBytes: inBytes(initialPages), maximumBytes };
  }

  #tellFailed(growth: Growth | undefined, error: unknown): void {
    if (growth !== undefined && this.limiter !== undefined) tellFailed(this.limiter, growth, error);
  }

  /** Whoever was told of the memory may have ended it before its owner got it. */
  #memory(lease: Lease, template: MemoryTemplate): PooledMemory {
    const tenancy = this.#tenancy;
    if (!this.#host.core.records.isCurrent(lease.slot, lease.generation)) throw this.#gone();
    tenancy.notes?.add(lease.slot, template);
    return this.#face(lease, template);
  }

  #face(lease: Lease, template: MemoryTemplate): PooledMemory {
    const tenancy = this.#tenancy;
    if (!tenancy.watched) this.#host.leakNet.watch(this, tenancy);
    return new PooledMemory(this.#host.core, lease, template, this);
  }
}

/** Once, for what is asked of a limiter must be what is taken: it may change the caller's object, and so may who runs while one waits. */
function readWanted(options: AllocateOptions): AllocateOptions {
  const { module, memoryIndex } = optionsOf(options);
  return memoryIndex === undefined ? { module } : { module, memoryIndex };
}

/** The options, with a module of whatever kind. @throws `TypeError` `ERR_INVALID_ARG_TYPE` that says what was probably meant */
function optionsOf(options: AllocateOptions): AllocateOptions {
  if (typeof options === 'object' && options !== null && hasModule(options)) return options;
  const given: Partial<AllocateOptions> = options ?? {};
  checkObject(given, 'options');
  if (given.module === undefined)
    throw invalidArgType('options', 'an object with a module', options, hintOfAllocate(options));
  return options;
}

/** Read, not asked for its prototype, which would be a call into the engine: only a revoked proxy cannot be read. */
function hasModule(options: Partial<AllocateOptions>): boolean {
  try {
    return options.module !== undefined && !Array.isArray(options);
  } catch (error) {
    if (isReadable(options)) throw error;
    return false;
  }
}
