/** An instance of a guest: its memory, its exports, and what becomes of a trap. */
import type { MemoryPool, PooledMemory, Store } from '@guardstripe/memory-pool';
import { ProtectionMask, withMask } from '@guardstripe/mpk';
import type { BuiltGuest } from './compile.ts';
import type { Exporter, ExportsOf, GuestExports, GuestMemory } from './guest-exports.ts';
import { type GuestLibrary, type RunningGuest, setRunning } from './guest-library.ts';
import { TrapError } from './trap-error.ts';
import { fromNative, toNative, type WasmNumber } from './values.ts';

/** An imported function. Numbers come and go as in WebAssembly: i64 as bigint. */
// eslint-disable-next-line typescript/no-explicit-any -- any parameters, as the module has it
export type HostFunction = (...args: any[]) => unknown;
/** The instance was freed, or its store, or its pool. */
export class GuestFreedError extends Error {
  override readonly name = 'GuestFreedError';
  /** Stable; does not change with the message. */
  readonly code = 'ERR_GUEST_FREED';
}

/** The instance cannot be freed by a function that it has called itself. */
export class GuestRunningError extends Error {
  override readonly name = 'GuestRunningError';
  /** Stable; does not change with the message. */
  readonly code = 'ERR_GUEST_RUNNING';
}

interface Parts {
  readonly guest: BuiltGuest;
  readonly library: GuestLibrary;
  readonly pool: MemoryPool;
  readonly store: Store;
  readonly memory: PooledMemory;
  readonly functions: readonly HostFunction[];
  readonly exportsOf: ExportsOf;
}

const WASM_PAGE_BYTES = 65_536;

export class GuestInstance implements Disposable, RunningGuest, Exporter {
  readonly #parts: Parts;
  readonly #striped: boolean;
  #exports: GuestExports | undefined;
  #memory: GuestMemory | undefined;
  /** Address of the native instance; 0 while it is made, whose start function may run, and once it was freed. */
  #native = 0;
  #freed = false;

  /** @internal Instances come from {@link GuestModule.instantiate}. */
  constructor(parts: Parts) {
    this.#parts = parts;
    this.#striped = parts.pool.layout.numStripes > 1;
    const { memory, library } = parts;
    const native = this.#enter(() => library.create(memory.address, memory.byteLength / WASM_PAGE_BYTES));
    if (library.bridge.trapped) throw this.#takeTrap();
    if (native === 0) throw new Error(`No room for an instance of ${parts.guest.name}`);
    this.#native = native;
  }

  /** The pooled memory. To grow it, use {@link GuestInstance.grow}: the guest must hear of it. */
  get pooledMemory(): PooledMemory {
    return this.#parts.memory;
  }

  /** The memory, shaped like `WebAssembly.Memory`. */
  get memory(): GuestMemory {
    this.#memory ??= memoryOf(this, this.#parts.memory);
    return this.#memory;
  }

  /** Functions by name, and the memory under each name that the module exports it as. */
  get exports(): GuestExports {
    return (this.#exports ??= this.#parts.exportsOf(this));
  }

  /** Whether the instance, its store or its pool is gone. */
  get freed(): boolean {
    return this.#freed || this.#parts.memory.freed;
  }

  /** Grows the memory as the guest's own `memory.grow` does, and returns the old size in pages. Throws as `PooledMemory.grow`. */
  grow(deltaPages: number): number {
    this.#assertLive();
    const { memory, library } = this.#parts;
    const oldPages = memory.grow(deltaPages);
    this.#assertLive(); // a limiter, or who listens to the pool, has been called
    library.setPages(this.#native, oldPages + deltaPages);
    return oldPages;
  }

  /**
   * Calls an exported function by its place among them.
   *
   * @throws {@link TrapError}; what an imported function threw; {@link GuestFreedError}
   */
  call(index: number, args: readonly unknown[]): WasmNumber | undefined {
    const { guest, library } = this.#parts;
    const { params, result: resultType } = guest.exports[index]!;
    const native = library.exports[index]!;
    const values = params.map((type, at) => toNative(type, args[at]));
    this.#assertLive(); // now: an argument's valueOf may have freed it
    const result = this.#enter(() => native(this.#native, ...values));
    if (library.bridge.trapped) throw this.#takeTrap();
    return fromNative(resultType, result);
  }

  /** @internal */
  callImport(index: number, args: readonly (WasmNumber | undefined)[]): WasmNumber | undefined {
    const { functions, guest } = this.#parts;
    const host = functions[index]!;
    const resultType = guest.imports[index]!.result;
    const answer = this.#striped ? this.#asHost(() => host(...args)) : host(...args);
    const value = resultType === undefined ? undefined : toNative(resultType, answer);
    this.#assertMayGoOn();
    return value;
  }

  /** @internal */
  growFromGuest(deltaPages: number): number {
    const oldPages = this.#growOrDeny(deltaPages);
    this.#assertMayGoOn();
    return oldPages;
  }

  /**
   * Frees the instance and its memory. Freeing again does nothing.
   *
   * @throws {@link GuestRunningError} in a function that the instance has called
   */
  free(): void {
    if (this.#native !== 0 && this.#parts.library.destroy(this.#native) === 0) {
      throw new GuestRunningError('Cannot free a guest from a function that it called');
    }
    this.#native = 0;
    this.#freed = true;
    this.#parts.memory.free();
  }

  /** The same as {@link GuestInstance.free}. */
  [Symbol.dispose](): void {
    this.free();
  }

  #growOrDeny(deltaPages: number): number {
    try {
      return this.#asHost(() => this.#parts.memory.grow(deltaPages));
    } catch (error) {
      if (isDenial(error)) return -1;
      throw error;
    }
  }

  /** Runs guest code: with only the store's stripe open, and as the guest that host functions are called by. */
  #enter<T>(run: () => T): T {
    const outer = setRunning(this);
    try {
      return this.#striped ? this.#parts.store.enter(run) : run();
    } finally {
      setRunning(outer);
    }
  }

  /** Host functions see every stripe, as the host does everywhere else. */
  #asHost<T>(run: () => T): T {
    return this.#striped ? withMask(ProtectionMask.all, run) : run();
  }

  /** After the host ran: the guest's slot may be another tenant's by now. */
  #assertMayGoOn(): void {
    if (this.freed) throw new GuestFreedError('The guest was freed by a function that it called');
  }

  #assertLive(): void {
    if (this.freed) throw new GuestFreedError('Cannot use a guest that was freed');
  }

  /** The error of the trap that the bridge has recorded. */
  #takeTrap(): unknown {
    const { library, pool, memory } = this.#parts;
    const trap = library.bridge.takeTrap();
    return trap.kind === 'host' ? trap.error : new TrapError(trap, pool, memory);
  }
}

function memoryOf(instance: GuestInstance, pooled: PooledMemory): GuestMemory {
  return {
    // For synchronous use, as a guest's memory mostly is: the slot is reused at once. What is handed to a stream, a socket or `fs` must
    // be the safe `pooledMemory.buffer`.
    get buffer() {
      return pooled.unsafeBuffer;
    },
    grow: (deltaPages) => instance.grow(deltaPages),
  };
}

/** What the pool says when it refuses a growth: past the maximum, the limiter said no, or the system did. */
function isDenial(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === 'ERR_OUT_OF_RANGE' || code === 'ERR_MEMORY_LIMIT' || syscall !== undefined;
}
