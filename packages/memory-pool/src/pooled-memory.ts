/** A tenant's linear memory in a slot of the pool. */
import { InvalidTypeError, MemoryFreedError, OutOfRangeError, size } from './errors.js';
import type { PoolCore } from './pool-core.js';
import type { MemoryTemplate } from './template.js';
import type { Tenancy } from './tenancy.js';

/**
 * A linear memory that lives in a slot, shaped like `WebAssembly.Memory`: `buffer` is the same object until a grow, and a
 * grow or a free detaches it. Beyond `byteLength`, rounded up to host pages, every touch of native code faults.
 *
 * A native guest is handed {@link PooledMemory.address}; it must not use it after the memory was freed.
 */
export class PooledMemory implements Disposable {
  /** The slot in the slab. */
  readonly slot: number;
  /** Where byte 0 of the memory lies in this process. */
  readonly address: number;
  readonly #core: PoolCore;
  readonly #tenancy: Tenancy;
  readonly #generation: number;
  readonly #template: MemoryTemplate;

  /** @internal Memories come from {@link Store.allocate}. */
  constructor(core: PoolCore, tenancy: Tenancy, slot: number, template: MemoryTemplate) {
    this.#core = core;
    this.#tenancy = tenancy;
    this.slot = slot;
    this.address = core.addressOf(slot);
    this.#generation = core.records.generation(slot);
    this.#template = template;
  }

  /** The stripe of the slot: the store's. */
  get stripe(): number {
    return this.#tenancy.stripe;
  }

  /** Whether the memory was freed: by {@link PooledMemory.free}, with its store, or with its pool. */
  get freed(): boolean {
    return this.#core.records.generation(this.slot) !== this.#generation;
  }

  /** Bytes of the memory now; 0 once it was freed. */
  get byteLength(): number {
    return this.freed ? 0 : this.#core.records.byteLength(this.slot);
  }

  /**
   * The memory as an `ArrayBuffer`, made at first use. Detached by a grow and by a free.
   *
   * @throws {@link MemoryFreedError}
   */
  get buffer(): ArrayBuffer {
    this.#assertLive('view the memory');
    return this.#core.view(this.slot);
  }

  /**
   * Grows the memory by `deltaPages` of its own page size (65,536 bytes, or 1 with custom page sizes), detaches
   * `buffer`, also for 0 pages, and returns the old size in pages. The new bytes read as zeros.
   *
   * @throws RangeError `ERR_OUT_OF_RANGE` past the module's or the pool's maximum, TypeError `ERR_INVALID_ARG_TYPE`,
   * {@link MemoryFreedError}, or a `SystemError`; the memory is then as it was
   */
  grow(deltaPages: number): number {
    this.#assertLive('grow the memory');
    if (typeof deltaPages !== 'number') {
      throw new InvalidTypeError(`Cannot grow the memory: deltaPages must be a number, received ${String(deltaPages)}`);
    }
    if (!Number.isSafeInteger(deltaPages) || deltaPages < 0) {
      throw new OutOfRangeError(`Cannot grow the memory: deltaPages must be a whole number, received ${deltaPages}`);
    }
    const oldByteLength = this.#core.records.byteLength(this.slot);
    const newByteLength = oldByteLength + deltaPages * this.#template.pageBytes;
    const maximumByteLength = Math.min(this.#template.maximumBytes, this.#core.layout.maxMemoryBytes);
    if (!(newByteLength <= maximumByteLength)) {
      throw new OutOfRangeError(
        `Cannot grow the memory by ${deltaPages} pages of ${this.#template.pageBytes} bytes: ` +
          `its size is ${size(oldByteLength)} and its maximum ${size(maximumByteLength)}`,
      );
    }
    this.#core.grow(this.slot, newByteLength);
    return oldByteLength / this.#template.pageBytes;
  }

  /**
   * Gives the slot back, reset. `buffer` is detached; freeing again does nothing.
   *
   * A reset that the system refuses does not throw: the slot is marked, laid over with fresh pages before its next use,
   * and counted in {@link PoolMetrics.failedResets}.
   */
  free(): void {
    if (!this.freed) this.#core.release(this.#tenancy, this.slot);
  }

  /** The same as {@link PooledMemory.free}. */
  [Symbol.dispose](): void {
    this.free();
  }

  #assertLive(action: string): void {
    if (this.freed) throw new MemoryFreedError(action, this.slot);
  }
}
