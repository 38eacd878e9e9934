/** A compiled module, ready to be instantiated in a pool. */
import { readFileSync } from 'node:fs';
import {
  describeModule,
  type MemoryPool,
  type PooledMemory,
  type PoolModule,
  type Store,
} from '@guardstripe/memory-pool';
import type { BuiltGuest } from './compile.ts';
import { exportsOf, type ExportsOf } from './guest-exports.ts';
import { UnsupportedGuestError } from './guest-header.ts';
import { GuestInstance, type HostFunction } from './guest-instance.ts';
import { GuestLibrary } from './guest-library.ts';

export type HostFunctions = Readonly<Record<string, Readonly<Record<string, HostFunction>>>>;

export interface InstantiateOptions {
  readonly pool: MemoryPool;
  /** The tenant, of the same pool. */
  readonly store: Store;
  /** By module and name, as for `WebAssembly.Instance`. */
  readonly imports?: HostFunctions;
}

/** The slots of the pool are closer together than the guest can reach. */
export class GuardTooSmallError extends RangeError {
  override readonly name = 'GuardTooSmallError';
  /** Stable; does not change with the message. */
  readonly code = 'ERR_GUARD_TOO_SMALL';
}

export class GuestModule implements Disposable {
  readonly guest: BuiltGuest;
  readonly #library: GuestLibrary;
  readonly #poolModule: PoolModule;
  readonly #exportsOf: ExportsOf;
  readonly #checked = new WeakSet<MemoryPool>();

  private constructor(guest: BuiltGuest, library: GuestLibrary, poolModule: PoolModule) {
    this.guest = guest;
    this.#library = library;
    this.#poolModule = poolModule;
    this.#exportsOf = exportsOf(guest);
  }

  /**
   * Loads a guest in this thread, and with the first one the trap bridge.
   *
   * @throws {@link UnsupportedGuestError} for a module that does not define exactly one memory
   */
  static load(guest: BuiltGuest): GuestModule {
    const poolModule = describeModule(readFileSync(guest.wasm));
    if (poolModule.memories.length !== 1 || poolModule.memories[0]?.kind !== 'defined') {
      poolModule.close();
      throw new UnsupportedGuestError('it must define one memory, and import none');
    }
    return new GuestModule(guest, GuestLibrary.load(guest), poolModule);
  }

  /**
   * A new instance with a memory of its own, in the store's stripe.
   *
   * @throws {@link GuardTooSmallError}; `TypeError` for an import that is missing, and for the store of another pool; `TrapError` if
   * the module's start function trapped; what `store.allocate` throws. Nothing is taken then.
   */
  instantiate({ pool, store, imports = {} }: InstantiateOptions): GuestInstance {
    if (!this.#checked.has(pool)) this.#check(pool);
    this.#library.bridge.watch(pool);
    const functions = this.guest.imports.map(({ module, name }) => {
      const host = imports[module]?.[name];
      if (typeof host !== 'function') throw new TypeError(`Import "${module}" "${name}" must be a function`);
      return host;
    });
    const memory = store.allocate({ module: this.#poolModule });
    try {
      assertOfPool(memory, pool);
      const { guest } = this;
      const exportsOf = this.#exportsOf;
      return new GuestInstance({ guest, library: this.#library, pool, store, memory, functions, exportsOf });
    } catch (error) {
      memory.free();
      throw error;
    }
  }

  /** Gives up the image; instances live on. */
  close(): void {
    this.#poolModule.close();
  }

  /** The same as {@link GuestModule.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Nothing of another tenant may lie where the guest's code can reach: it has no checks. */
  #check(pool: MemoryPool): void {
    const { layout } = pool;
    const behindLast = layout.totalSlabBytes - layout.slotOffset(layout.numSlots - 1);
    const room = Math.min(layout.bytesToNextStripeSlot, behindLast);
    const { reachBytes, name } = this.guest;
    if (reachBytes > room) {
      throw new GuardTooSmallError(
        `Cannot run ${name} in this pool: its code reaches ${reachBytes} bytes, and only ${room} are its own or fault; ` +
          `memoryReservation and memoryGuardSize must add up to that`,
      );
    }
    this.#checked.add(pool);
  }
}

/** The guard that was checked, and the slab that is watched, are the pool's. */
function assertOfPool({ address }: PooledMemory, { slabAddress, layout }: MemoryPool): void {
  if (address < slabAddress || address >= slabAddress + layout.totalSlabBytes) {
    throw new TypeError('The "store" must be one of the "pool"');
  }
}
