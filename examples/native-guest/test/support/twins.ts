/** One module twice: natively in the pool, and in V8. */
import { readFileSync } from 'node:fs';
import type { MemoryPool, Store } from '@guardstripe/memory-pool';
import type { BuiltGuest } from '../../src/compile.ts';
import type { GuestMemory } from '../../src/guest-exports.ts';
import { GuestModule, type HostFunctions } from '../../src/guest-module.ts';

/** What both have in common. */
export interface Twin {
  readonly name: 'native' | 'V8';
  readonly memory: GuestMemory;
  call(name: string, ...args: readonly (number | bigint)[]): number;
}

export class Twins implements Disposable {
  readonly native: Twin;
  readonly v8: Twin;
  readonly #module: GuestModule;
  readonly #store: Store;

  /** @param imports - makes the imports of one twin, which it is given once it is there */
  constructor(
    guest: BuiltGuest,
    pool: MemoryPool,
    imports: (twin: () => Twin) => HostFunctions = () => ({}),
  ) {
    this.#module = GuestModule.load(guest);
    this.#store = pool.openStore();
    const native = this.#module.instantiate({
      pool,
      store: this.#store,
      imports: imports(() => this.native),
    });
    this.native = twin('native', native.exports, guest.memoryNames);
    const v8 = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(guest.wasm)), {
      ...imports(() => this.v8),
    });
    this.v8 = twin('V8', v8.exports, guest.memoryNames);
  }

  [Symbol.dispose](): void {
    this.#store.dispose();
    this.#module.close();
  }
}

function twin(name: Twin['name'], exports: object, [memoryName = 'memory']: readonly string[]): Twin {
  const all = exports as Record<string, unknown>;
  return {
    name,
    memory: all[memoryName] as GuestMemory,
    call: (name, ...args) => (all[name] as (...args: readonly (number | bigint)[]) => number)(...args),
  };
}
