/**
 * The exports of instances. A module's instances share one prototype, and a function is bound to its instance when it is
 * first asked for: an instance that lives for one call should not pay for twenty functions.
 */
import type { BuiltGuest } from './compile.ts';
import type { WasmNumber } from './values.ts';

// eslint-disable-next-line typescript/no-explicit-any -- numbers, as the module has them
export type ExportedFunction = (...args: any[]) => any;

/** The memory as its instance exports it, shaped like `WebAssembly.Memory`. */
export interface GuestMemory {
  readonly buffer: ArrayBuffer;
  grow(deltaPages: number): number;
}

/** Functions by name, and the memory under each name that the module exports it as. */
export type GuestExports = Readonly<Record<string, ExportedFunction>> & { readonly memory: GuestMemory };

/** What exports need of their instance. */
export interface Exporter {
  readonly memory: GuestMemory;
  call(index: number, args: readonly unknown[]): WasmNumber | undefined;
}

export type ExportsOf = (instance: Exporter) => GuestExports;

const INSTANCE = Symbol('instance');
const BOUND = Symbol('bound');

interface Exports {
  readonly [INSTANCE]: Exporter;
  readonly [BOUND]: (ExportedFunction | undefined)[];
}

/** Makes what makes the exports of a module's instances. */
export function exportsOf(guest: BuiltGuest): ExportsOf {
  class ModuleExports implements Exports {
    readonly [INSTANCE]: Exporter;
    readonly [BOUND]: (ExportedFunction | undefined)[] = [];

    constructor(instance: Exporter) {
      this[INSTANCE] = instance;
    }
  }
  for (const [index, { name }] of guest.exports.entries()) {
    Object.defineProperty(ModuleExports.prototype, name, {
      enumerable: true,
      get(this: Exports): ExportedFunction {
        const instance = this[INSTANCE];
        return (this[BOUND][index] ??= (...args: unknown[]) => instance.call(index, args));
      },
    });
  }
  for (const name of guest.memoryNames) {
    Object.defineProperty(ModuleExports.prototype, name, {
      enumerable: true,
      get(this: Exports): GuestMemory {
        return this[INSTANCE].memory;
      },
    });
  }
  return (instance) => new ModuleExports(instance) as unknown as GuestExports;
}
