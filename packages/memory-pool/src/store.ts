/** A tenant of the pool. */
import { StoreDisposedError, PoolClosedError } from './errors.js';
import type { PoolModule } from './module.js';
import type { PoolCore } from './pool-core.js';
import { PooledMemory } from './pooled-memory.js';
import type { Tenancy } from './tenancy.js';

/** What {@link Store.allocate} takes. */
export interface AllocateOptions {
  /** The module whose memory is wanted: from {@link describeModule} or {@link describeMemory}. */
  readonly module: PoolModule;
  /** Which of the module's memories, imported ones counted. @defaultValue the first that the module defines */
  readonly memoryIndex?: number;
}

/** A tenant: owns its memories, which all lie in its stripe, and frees them when it is disposed. */
export class Store implements Disposable {
  readonly #core: PoolCore;
  readonly #tenancy: Tenancy;
  readonly #validate: (module: PoolModule) => void;
  #disposed = false;

  /** @internal Stores come from {@link MemoryPool.openStore}. */
  constructor(core: PoolCore, tenancy: Tenancy, validate: (module: PoolModule) => void) {
    this.#core = core;
    this.#tenancy = tenancy;
    this.#validate = validate;
  }

  /** The stripe that all memories of the store lie in. */
  get stripe(): number {
    return this.#tenancy.stripe;
  }

  /** Memories that the store holds now. */
  get liveMemories(): number {
    return this.#core.closed ? 0 : this.#tenancy.length;
  }

  /** Whether the store was disposed. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * Allocates a memory: zeros, with the module's image where it has one. A slot that the same memory of the same module
   * had before is preferred, for its image is still there.
   *
   * @throws {@link PoolConcurrencyLimitError} if the stripe is full; {@link ModuleNotPoolableError},
   * {@link ModuleClosedError}, {@link StoreDisposedError}, {@link PoolClosedError}; a `SystemError` if the system
   * refuses. Nothing is taken then.
   */
  allocate(options: AllocateOptions): PooledMemory {
    if (this.#disposed) throw new StoreDisposedError('allocate a memory');
    if (this.#core.closed) throw new PoolClosedError('allocate a memory');
    this.#validate(options.module);
    const template = options.module.template(options.memoryIndex);
    const slot = this.#core.allocate(this.#tenancy, template);
    return new PooledMemory(this.#core, this.#tenancy, slot, template);
  }

  /** Frees every memory that the store holds. Disposing again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#core.closed) return;
    while (this.#tenancy.head !== 0) this.#core.release(this.#tenancy, this.#tenancy.head - 1);
  }

  /** The same as {@link Store.dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
