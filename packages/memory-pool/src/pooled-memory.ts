/** A tenant's linear memory in a slot of the pool. */
import { types } from 'node:util';
import {
  checkByteRange,
  checkInstance,
  checkInteger,
  hex,
  invalidArgType,
  invalidArgValue,
  outOfRange,
  readOptions,
  showAs,
  size,
  type AbortSignalLike,
} from '@guardstripe/common';
import { onGrow, onReset, type GrowEvent, type ResetEvent } from './diagnostics.js';
import { MemoryFreedError, StoreReleasedError } from './errors.js';
import { hintOfPages } from './hints.js';
import { ask, askNow, tellFailed, tellShrunk, type Growth, type MemoryLimiter } from './limiter.js';
import type { PoolCore } from './core/pool-core.js';
import { areGone, byteLengthOf } from './slots/host-bytes.js';
import type { PoolModule } from './module/module.js';
import type { MemoryTemplate } from './module/template.js';
import type { Lease } from './core/tenancy.js';

/** What {@link PooledMemory.growAsync} takes. */
export interface GrowAsyncOptions {
  /** Ends the wait for the limiter: the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignalLike;
}

/** What a memory needs of its store. */
export interface MemoryOwner {
  /** Asked before each grow. */
  readonly limiter: MemoryLimiter | undefined;
}

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
  readonly #lease: Lease;
  readonly #template: MemoryTemplate;
  /** Keeps the store: as long as one of its memories can be reached, none of them comes back by itself. */
  readonly #owner: MemoryOwner;

  static {
    showAs(this.prototype, ({ slot, address, byteLength, freed }) =>
      freed
        ? `PooledMemory { slot ${slot}, freed }`
        : `PooledMemory { ${size(byteLength)} at ${hex(address)}, slot ${slot} }`,
    );
  }

  /** @internal Memories come from {@link Store.allocate}. */
  constructor(core: PoolCore, lease: Lease, template: MemoryTemplate, owner: MemoryOwner) {
    this.#core = core;
    this.#lease = lease;
    this.slot = lease.slot;
    this.address = core.pages.addressOf(lease.slot);
    this.#template = template;
    this.#owner = owner;
  }

  /** The stripe of the slot: the store's. */
  get stripe(): number {
    return this.#lease.tenancy.stripe;
  }

  /** Whether the memory is nobody's here any more: freed, by itself, with its store or with its pool, or released with its store. */
  get freed(): boolean {
    return !this.#core.records.isCurrent(this.slot, this.#lease.generation);
  }

  /** Bytes of the memory now; 0 once it was freed. */
  get byteLength(): number {
    return this.freed ? 0 : this.#core.records.byteLength(this.slot);
  }

  /**
   * The memory as an `ArrayBuffer`, made at first use. Detached by a grow and by a free.
   *
   * It is safe to hand on: what was started with it before the free (a socket, `fs`, `zlib`, a foreign function on another thread) may
   * end after it. From the free on it meets zeros, and the slot *cools*: it goes to nobody before the engine has collected every
   * `buffer` of this memory. Where that is too long, {@link PooledMemory.read} and its likes copy, and
   * {@link PooledMemory.unsafeBuffer} does not wait.
   *
   * @throws {@link MemoryFreedError}
   */
  get buffer(): ArrayBuffer {
    this.#assertLive('view the memory');
    return this.#core.live.view(this.slot, true);
  }

  /**
   * The same as {@link PooledMemory.buffer}, for code that is done with it when the memory is freed: the slot is then reused at once,
   * unless `buffer` was read, too. Unsafe: an asynchronous operation that was given it, or a view of it, and still runs after
   * the free reads and writes **the next tenant's bytes**. Never give it to a stream, a socket, `fs`, `zlib` or an asynchronous call.
   *
   * @throws {@link MemoryFreedError}
   */
  get unsafeBuffer(): ArrayBuffer {
    this.#assertLive('view the memory');
    return this.#core.live.view(this.slot, false);
  }

  /**
   * A copy of `byteLength` bytes from `offset` on.
   *
   * @throws `RangeError` `ERR_OUT_OF_RANGE` if they are not all inside the memory, `TypeError` `ERR_INVALID_ARG_TYPE`,
   * {@link MemoryFreedError}
   */
  read(offset: number, byteLength: number): Uint8Array<ArrayBuffer> {
    this.#assertRange('read the memory', offset, byteLength);
    const copy = new Uint8Array(byteLength);
    this.#core.live.bytes.read(this.slot, offset, copy, byteLength);
    return copy;
  }

  /**
   * Fills `target` with bytes from `offset` on.
   *
   * @throws as {@link PooledMemory.read}; also `TypeError` `ERR_INVALID_ARG_VALUE` for bytes that were detached
   */
  readInto(target: Uint8Array, offset: number): void {
    const byteLength = lengthOf('target', target, offset, 'readInto(target, offset)');
    this.#assertRange('read the memory', offset, byteLength, 'target.byteLength');
    this.#core.live.bytes.read(this.slot, offset, target, byteLength);
  }

  /**
   * Copies `bytes` into the memory, from `offset` on.
   *
   * @throws as {@link PooledMemory.readInto}
   */
  write(offset: number, bytes: Uint8Array): void {
    const byteLength = lengthOf('bytes', bytes, offset, 'write(offset, bytes)');
    this.#assertRange('write the memory', offset, byteLength, 'bytes.byteLength');
    this.#core.live.bytes.write(this.slot, offset, bytes, byteLength);
  }

  /**
   * Sets `byteLength` bytes from `offset` on to `value`, 0 to 255.
   *
   * @throws as {@link PooledMemory.read}; also `RangeError` `ERR_OUT_OF_RANGE` for another value
   */
  fill(value: number, offset: number, byteLength: number): void {
    this.#assertRange('fill the memory', offset, byteLength);
    checkInteger(value, 'value', 0, 255);
    this.#core.live.bytes.fill(this.slot, value, offset, byteLength);
  }

  /**
   * Grows the memory by `deltaPages` of its own page size (65,536 bytes, or 1 with custom page sizes), detaches
   * `buffer`, also for 0 pages, and returns the old size in pages. The new bytes read as zeros.
   *
   * @throws `RangeError` `ERR_OUT_OF_RANGE` past the module's or the pool's maximum, {@link MemoryLimitError} if the store's
   * limiter says no, `TypeError` `ERR_INVALID_ARG_TYPE`, {@link MemoryFreedError}, or a `SystemError`; the memory is
   * then as it was
   */
  grow(deltaPages: number): number {
    const { limiter } = this.#owner;
    for (;;) {
      const growth = this.#growth(deltaPages);
      if (limiter === undefined) return this.#growBy(growth);
      askNow(limiter, growth);
      const oldPages = this.#growAsGranted(limiter, growth);
      if (oldPages !== undefined) return oldPages;
    }
  }

  /**
   * The same as {@link PooledMemory.grow}, for a store whose limiter may take its time.
   *
   * @throws as {@link PooledMemory.grow}; also {@link MemoryFreedError} if the memory was freed meanwhile, and `signal.reason` if
   * `options.signal` was aborted
   */
  async growAsync(deltaPages: number, options: GrowAsyncOptions = {}): Promise<number> {
    const { signal } = readOptions(options, ['signal']);
    if (signal !== undefined) checkInstance(signal, 'options.signal', AbortSignal);
    const { limiter } = this.#owner;
    for (;;) {
      signal?.throwIfAborted();
      const growth = this.#growth(deltaPages);
      if (limiter === undefined) return this.#growBy(growth);
      const assertWanted = () => this.#assertLive('grow the memory');
      await ask(limiter, growth, { pending: this.#core.pending, key: this.slot, signal, assertWanted });
      const oldPages = this.#growAsGranted(limiter, growth);
      if (oldPages !== undefined) return oldPages;
    }
  }

  /**
   * Puts the memory back to its start: the image and the initial bytes, zeros elsewhere, the initial size. Slot, address and tenancy stay,
   * and so does `buffer`, unless the memory had grown: then it is detached, and the limiter is told of the new size. The guest
   * must not run meanwhile.
   *
   * @throws {@link MemoryFreedError}; a `SystemError` if the system refuses every way to do it: the memory is live, and its bytes may be a
   * mixture
   */
  reset(): void {
    this.#assertLive('reset the memory');
    const oldByteLength = this.#core.records.byteLength(this.slot);
    this.#core.live.reset(this.slot, this.#template);
    const newByteLength = this.#template.initialBytes;
    if (onReset.hasSubscribers) {
      onReset.publish({ slot: this.slot, oldByteLength, newByteLength } satisfies ResetEvent);
    }
    // Last: it may do anything.
    const { limiter } = this.#owner;
    if (limiter !== undefined && newByteLength !== oldByteLength) {
      tellShrunk(limiter, oldByteLength, newByteLength);
    }
  }

  /**
   * Puts a part of the memory back to what it was at its start, and gives whole host pages of it back to the system where there are 16
   * or more, up to 4,096 times a second in a pool; else it is written. Bytes of any alignment.
   *
   * @returns bytes that were given back
   * @throws `TypeError` or `RangeError` for what is no part of the memory, {@link MemoryFreedError}; {@link ModuleClosedError} if
   * the memory has an image and its module was closed; a `SystemError` if the system refuses
   */
  discard(offset: number, byteLength: number): number {
    this.#assertRange('discard a part of the memory', offset, byteLength);
    return byteLength === 0 ? 0 : this.#core.live.discard(this.slot, this.#template, offset, byteLength);
  }

  /**
   * A module whose memory starts as this one is now: the same bytes, size, maximum and page size, in any pool. The guest must not
   * run meanwhile.
   *
   * Its image is copied once, when this is called, and only where it differs: stretches of 64 KiB and more that this memory has left as
   * its own image made them are shared with that, also through snapshots of snapshots, and pages of zeros take no memory. Close the
   * module when no memory of it is wanted any more; this one's may be closed before.
   *
   * @throws {@link MemoryFreedError}; a `SystemError` if there is no descriptor or no memory for the image. Nothing has changed then
   */
  snapshot(): PoolModule {
    this.#assertLive('take a snapshot of the memory');
    return this.#core.live.snapshot(this.slot, this.#template);
  }

  /**
   * Gives the slot back, reset. `buffer` is detached; freeing again does nothing.
   *
   * A reset that the system refuses does not throw: the slot is marked, laid over with fresh pages before its next use,
   * and counted in {@link PoolMetrics.failedResets}.
   */
  free(): void {
    this.#core.tenancies.release(this.#lease);
  }

  /** The same as {@link PooledMemory.free}. */
  [Symbol.dispose](): void {
    this.free();
  }

  #growth(deltaPages: number): Growth {
    this.#assertLive('grow the memory');
    if (typeof deltaPages !== 'number') throw noPages(deltaPages, this.#template.pageBytes);
    checkInteger(deltaPages, 'deltaPages');
    const currentBytes = this.#core.records.byteLength(this.slot);
    const wantedBytes = currentBytes + deltaPages * this.#template.pageBytes;
    return {
      currentBytes,
      desiredBytes: Math.min(wantedBytes, Number.MAX_SAFE_INTEGER),
      maximumBytes: Math.min(this.#template.maximumBytes, this.#core.layout.maxMemoryBytes),
    };
  }

  /** Grows, unless the limiter, or somebody while it was asked, has freed or grown the memory: then it granted something else. */
  #growAsGranted(limiter: MemoryLimiter, growth: Growth): number | undefined {
    try {
      this.#assertLive('grow the memory');
      if (this.#core.records.byteLength(this.slot) === growth.currentBytes) return this.#growBy(growth);
    } catch (error) {
      tellFailed(limiter, growth, error);
      throw error;
    }
    tellFailed(limiter, growth, undefined);
    return undefined;
  }

  #growBy({ currentBytes, desiredBytes, maximumBytes }: Growth): number {
    if (desiredBytes > maximumBytes) {
      const { pageBytes } = this.#template;
      const rule = `such that ${size(currentBytes)} and as many pages of ${pageBytes} bytes are at most the maximum, ${size(maximumBytes)}`;
      throw outOfRange('deltaPages', rule, (desiredBytes - currentBytes) / pageBytes);
    }
    this.#core.live.grow(this.slot, desiredBytes);
    if (onGrow.hasSubscribers) {
      onGrow.publish({
        slot: this.slot,
        oldByteLength: currentBytes,
        newByteLength: desiredBytes,
      } satisfies GrowEvent);
    }
    return currentBytes / this.#template.pageBytes;
  }

  /** The memory is live, and the range inside of it. */
  #assertRange(action: string, offset: number, byteLength: number, lengthName = 'byteLength'): void {
    this.#assertLive(action);
    const end = this.#core.records.byteLength(this.slot);
    // Integers below 2^53 each, so the sum is exact enough to be compared.
    if (
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(byteLength) &&
      offset >= 0 &&
      byteLength >= 0 &&
      offset + byteLength <= end
    ) {
      return;
    }
    checkByteRange(offset, byteLength, end, 'offset', lengthName);
  }

  #assertLive(action: string): void {
    const { generation, tenancy } = this.#lease;
    if (this.#core.records.isCurrent(this.slot, generation)) return;
    throw tenancy.state === 'released'
      ? new StoreReleasedError(action)
      : new MemoryFreedError(action, this.slot);
  }
}

/** @param other - the argument beside it: bytes there are two that changed places */
function lengthOf(name: string, bytes: unknown, other: unknown, call: string): number {
  if (types.isUint8Array(bytes)) {
    const byteLength = byteLengthOf(bytes);
    if (byteLength === 0 && areGone(bytes)) throw invalidArgValue(name, 'must not be detached', bytes);
    return byteLength;
  }
  const hint = types.isUint8Array(other) ? `Did you mean ${call}?` : undefined;
  throw invalidArgType(name, 'an instance of Uint8Array', bytes, hint);
}

function noPages(deltaPages: unknown, pageBytes: number): Error {
  return invalidArgType('deltaPages', 'of type number', deltaPages, hintOfPages(deltaPages, pageBytes));
}
