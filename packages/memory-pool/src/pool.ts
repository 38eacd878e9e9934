/** The pool's public face. */
import {
  checkBoolean,
  checkInstance,
  formatBytes,
  invalidArgType,
  parseBytes,
  readOptions,
  showAs,
  withCode,
} from '@guardstripe/common';
import type { SlabLayout } from '@guardstripe/layout';
import { platform } from '@guardstripe/mmap';
import { readConfig, type MemoryPoolConfig, type ResolvedConfig, type Size } from './config.js';
import { onTrim, type TrimEvent } from './diagnostics.js';
import { PoolBusyError, PoolClosedError, PoolNotSharedError } from './errors.js';
import { Admission } from './core/admission.js';
import { ClosingCall } from './core/closing.js';
import { LeakNet } from './core/nets/leak-net.js';
import { limiterOf, type MemoryLimiter } from './limiter.js';
import type { PoolMetrics } from './metrics.js';
import { PoolModule } from './module/module.js';
import { SlotNotes } from './moving/slot-notes.js';
import type { StoreToken } from './moving/token.js';
import { PoolCore } from './core/pool-core.js';
import { attachSharedPool, forget, makeSharedPool, type OpenedPool } from './shared/open.js';
import type { SharedPoolHandle } from './shared/state.js';
import { decideReset } from './slots/reset-options.js';
import { decideGuardPages, planSlab, reserveSlab } from './slab/slab.js';
import { takeKeys } from './slab/stripes.js';
import { memoryOf, Store, type StoreHost } from './store.js';
import type { PooledMemory } from './pooled-memory.js';

/** What is behind a pool's face, for tests that check the books. */
export let poolCoreOf: (pool: MemoryPool) => PoolCore;

let makePool: (config: ResolvedConfig, core: PoolCore, handle?: SharedPoolHandle) => MemoryPool;

const TOKEN = Symbol('MemoryPool');

/** A store that came from another thread. */
export interface AdoptedStore {
  readonly store: Store;
  /** Its memories, in the order in which they were allocated. */
  readonly memories: readonly PooledMemory[];
}

/** A pool of linear memories: one reserved slab, many guarded slots, reset and reused. */
export class MemoryPool implements Disposable {
  /** The settings, with every default filled in. */
  readonly config: ResolvedConfig;
  readonly #core: PoolCore;
  readonly #storeHost: StoreHost;
  readonly #notes: SlotNotes | undefined;
  readonly #handle: SharedPoolHandle | undefined;
  readonly #closing = new ClosingCall();

  static {
    poolCoreOf = (pool) => pool.#core;
    // Not by name: a class that names itself is renamed by the bundler, and its name shows in stack traces.
    makePool = (config, core, handle) => new this(TOKEN, config, core, handle);
    // Memories are a store's. Who forgot it hears so, instead of "is not a function"; no type has these.
    for (const name of ['allocate', 'allocateAsync', 'tryAllocate']) {
      Object.defineProperty(this.prototype, name, { value: () => storeForgotten(name), configurable: true });
    }
    showAs(this.prototype, (pool) => {
      const { numSlots, numStripes, maxMemoryBytes } = pool.layout;
      const stripes = numStripes === 1 ? '' : ` in ${numStripes} stripes`;
      const state = pool.closed ? 'closed' : `${pool.#core.counters.get('liveMemories')} live`;
      return `MemoryPool { ${numSlots} slots of ${formatBytes(maxMemoryBytes)}${stripes}, ${state} }`;
    });
  }

  private constructor(
    token: typeof TOKEN,
    config: ResolvedConfig,
    core: PoolCore,
    handle: SharedPoolHandle | undefined,
  ) {
    if (token !== TOKEN)
      throw invalidArgType(
        'token',
        "that of this package's own",
        token,
        'Did you mean MemoryPool.create(config)?',
      );
    this.config = config;
    this.#core = core;
    this.#handle = handle;
    const { traceAllocations, shared } = config;
    this.#notes = traceAllocations || shared ? new SlotNotes(traceAllocations) : undefined;
    this.#storeHost = {
      core,
      admission: new Admission(config.maxMemoriesPerModule, core.layout.maxMemoryBytes),
      leakNet: new LeakNet(core),
      maxWaitingAllocations: config.maxWaitingAllocations,
    };
  }

  /**
   * Makes a pool: checks the settings, lays out the slab and reserves it, with one system call whatever its size. Nothing
   * is accessible and nothing uses memory until it is allocated.
   *
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for a setting; {@link PoolCreationError} if
   * the settings contradict each other or the host cannot hold the slab (`cause` is then what the system said)
   */
  static create(config: MemoryPoolConfig = {}): MemoryPool {
    const read = readConfig(config);
    const virtualMemory = read.virtualMemory ?? platform();
    if (read.resolved.shared) return faceOf(makeSharedPool(read, virtualMemory));
    const { resolved, options } = decideReset(read, virtualMemory);
    const keys = takeKeys(resolved, virtualMemory);
    try {
      const layout = planSlab(resolved, virtualMemory, keys.keys.length);
      const slab = reserveSlab(resolved, layout, virtualMemory, keys.keys.length);
      try {
        const guardPages = decideGuardPages(resolved, layout, virtualMemory);
        const core = new PoolCore(slab, layout, {
          ...options,
          guardPages,
          // Watching registers a slot's pages, which makes them a mapping of their own.
          strategies: options.strategies.filter((strategy) => !guardPages || strategy !== 'watch'),
          keys,
          maxUnusedWarmSlots: resolved.maxUnusedWarmSlots,
          maxCollectionShare: resolved.maxCollectionShare,
          decommitBatchSize: resolved.decommitBatchSize,
          maxUnusedBytesResident: resolved.maxUnusedBytesResident,
        });
        return makePool(resolved, core);
      } catch (error) {
        slab.close();
        throw error;
      }
    } catch (error) {
      keys.dispose();
      throw error;
    }
  }

  /**
   * The pool that another thread of this process has made, or has attached to: the same slots, limits and numbers. What this thread
   * allocates is its own, and nobody else can free it; if the thread ends, in whichever way, it comes back to the pool.
   *
   * Close it in each thread. The slab goes when the last thread that has it closes it.
   *
   * @param handle - what {@link MemoryPool.share} gave, as `workerData`, a message or `getEnvironmentData` has brought it
   * @throws {@link PoolClosedError} if the last thread has closed the pool; {@link PoolAttachError} if the handle is another process's or
   * no pool's, or if this thread has the pool already; `TypeError` `ERR_INVALID_ARG_TYPE` for what is no handle
   */
  static attach(handle: SharedPoolHandle): MemoryPool {
    return faceOf(attachSharedPool(handle));
  }

  /**
   * What other threads of this process attach with, for `workerData`, `postMessage` or `setEnvironmentData`.
   *
   * @throws {@link PoolNotSharedError} if the pool was not made with `shared: true`; {@link PoolClosedError}
   */
  share(): SharedPoolHandle {
    this.#assertOpen('share the pool');
    if (this.#handle === undefined) throw new PoolNotSharedError();
    return this.#handle;
  }

  /** How the slab is laid out. */
  get layout(): SlabLayout {
    return this.#core.layout;
  }

  /** Where the slab lies in this process: what `locate` of the layout package wants subtracted from a fault address. */
  get slabAddress(): number {
    return this.#core.slabAddress;
  }

  /** Whether no memory is live. */
  get isEmpty(): boolean {
    return this.#core.counters.get('liveMemories') === 0;
  }

  /** Whether the pool was closed. */
  get closed(): boolean {
    return this.#core.closed;
  }

  /**
   * Opens a tenant. Stores take the stripes in turn.
   *
   * @param options - `limiter` is asked before each of the store's memories is made or grows
   * @throws {@link PoolClosedError}
   */
  openStore(options?: { readonly limiter?: MemoryLimiter }): Store {
    const limiter = limiterOf(options);
    this.#assertOpen('open a store');
    const stripe = this.#core.nextStripe();
    const tenancy = {
      stripe,
      head: 0,
      length: 0,
      state: 'open' as const,
      limiter: limiter === undefined ? undefined : new WeakRef(limiter),
      watched: false,
      notes: this.#notes,
    };
    return new Store(this.#storeHost, tenancy, limiter);
  }

  /**
   * Takes up a store that {@link Store.release} gave in this thread or another one, with its memories: the same slots and addresses, the
   * same bytes and sizes. Of those that come with the same token the first has it.
   *
   * A limiter is a function, which cannot move. A store that had one is adopted with one of this thread only, which is asked for each
   * memory as if it were new.
   *
   * @param token - as a message or `workerData` has brought it
   * @param options - `limiter`, as for {@link MemoryPool.openStore}; it must answer at once
   * @throws {@link StoreTokenError} if there is no store to be had for the token. All else leaves it as it is: {@link PoolNotSharedError},
   * {@link PoolClosedError}; {@link MemoryLimitError} if the limiter says no; `TypeError` `ERR_INVALID_ARG_TYPE` for what is no token, or
   * where a limiter is missing; a `SystemError` if the system refuses what a module needs
   */
  adopt(token: StoreToken, options?: { readonly limiter?: MemoryLimiter }): AdoptedStore {
    const limiter = limiterOf(options);
    this.#assertOpen('adopt a store');
    const { mover } = this.#core;
    if (mover === undefined) throw new PoolNotSharedError('adopt a store');
    const { tenancy, memories } = mover.adopt(token, { limiter, notes: this.#notes });
    const store = new Store(this.#storeHost, tenancy, limiter);
    return { store, memories: memories.map(({ lease, template }) => memoryOf(store, lease, template)) };
  }

  /**
   * Says whether memories of the module fit this pool: not more than `maxMemoriesPerModule` of its own, none shared, none
   * larger at its start than `maxMemorySize`. Imported memories are not counted: their exporter has them.
   *
   * @throws {@link ModuleNotPoolableError} naming the memory
   */
  validateModule(module: PoolModule): void {
    this.#storeHost.admission.check(module);
  }

  /**
   * Forgets a module: free slots that keep its images lose them and become anybody's. Live memories are not touched.
   * Returns how many slots were purged.
   *
   * @throws {@link PoolClosedError}
   */
  purgeModule(module: PoolModule): number {
    checkInstance(module, 'module', PoolModule);
    this.#assertOpen('purge a module');
    let purged = 0;
    const moduleId = this.#core.moduleId(module);
    for (const memory of module.memories) {
      purged += this.#core.purge({ moduleId, memoryIndex: memory.index });
    }
    return purged;
  }

  /**
   * Has free slots give RAM back: pages that wait to be dropped, then what the least recently freed keep, until all together keep at
   * most `maxBytes`. At 0 they keep neither mappings nor images: the next memory in such a slot is made as in a new one. What the system
   * refuses to take back stays, and is told on `guardstripe.memory-pool.failure`.
   *
   * @returns bytes that were given back
   * @throws {@link PoolClosedError}; `TypeError` or `RangeError` for what is no number of bytes
   */
  trim(maxBytes: Size = 0): number {
    this.#assertOpen('trim the pool');
    const byteLength = this.#core.trim(parseBytes(maxBytes, 'maxBytes'));
    if (onTrim.hasSubscribers) onTrim.publish({ byteLength } satisfies TrimEvent);
    return byteLength;
  }

  /** The pool's numbers now. */
  metrics(): PoolMetrics {
    if (!this.#core.closed) this.#core.tenancies.change.finish();
    const { counters, free, queued, waiting, withheld } = this.#core;
    return {
      liveMemories: counters.get('liveMemories'),
      inFlightMemories: this.#core.mover?.inFlightMemories ?? 0,
      unusedWarmMemories: free.unusedWarmMemories,
      coolingMemories: withheld.cooling.size,
      retiredMemories: withheld.retired.size,
      collections: this.#core.shortage.collector.collections,
      unusedBytesResident: free.unusedBytesResident,
      imageBytes: this.#core.imageBytes,
      queuedMemories: queued,
      waitingAllocations: waiting,
      resets: {
        scan: counters.get('scanResets'),
        watch: counters.get('watchResets'),
        write: counters.get('writeResets'),
        decommit: counters.get('decommitResets'),
      },
      bytesCopied: counters.get('bytesCopied'),
      decommits: counters.get('decommits'),
      failedResets: counters.get('failedResets'),
      bytesTrimmed: counters.get('bytesTrimmed'),
      mappings: this.#core.mappings,
      refusedCalls: counters.get('refusedCalls'),
      shared: this.#core.sharedMetrics(),
    };
  }

  /**
   * Gives the slab back. Closing again does nothing. Where a `buffer` was handed out and is not collected yet, the memory goes at
   * once and the addresses stay taken until it is.
   *
   * A pool that threads share is closed for this thread alone, and for all when the last one closes it.
   *
   * @param options - `force` also ends memories that are live: their buffers are detached, and native code that still
   * holds their addresses faults
   * @throws {@link PoolBusyError} if memories are live and `force` was not said; nothing is changed then. A `SystemError`
   * if the system does not take the slab back: the pool is closed then, and closing again tries again
   */
  close(options: { readonly force?: boolean } = {}): void {
    const { force = false } = readOptions(options, ['force']);
    checkBoolean(force, 'options.force');
    const core = this.#core;
    if (!core.closed) core.tenancies.change.finish();
    const liveMemories = core.closed ? 0 : core.counters.get('liveMemories');
    if (liveMemories > 0 && !force)
      throw new PoolBusyError(liveMemories, core.liveByThread(), core.mover?.inFlightMemories);
    this.#closing.run(core, () => {
      core.close(() => new PoolClosedError('allocate a memory'));
      if (this.#handle !== undefined) forget(core);
    });
  }

  /** Closes the pool, live memories included: `using` has no other chance. */
  [Symbol.dispose](): void {
    this.close({ force: true });
  }

  #assertOpen(action: string): void {
    if (this.closed) throw new PoolClosedError(action);
  }
}

function faceOf({ config, core, side }: OpenedPool): MemoryPool {
  return makePool(config, core, side.handle);
}

function storeForgotten(name: string): never {
  const message = `A MemoryPool has no ${name}(): memories belong to a store. Did you mean pool.openStore().${name}({ module })?`;
  throw withCode(new TypeError(message), 'ERR_METHOD_NOT_IMPLEMENTED');
}
