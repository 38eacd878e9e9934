/** A guest's shared library, loaded in the calling thread, with its way back into JavaScript. */
import koffi from 'koffi';
import type { BuiltGuest } from './compile.ts';
import { exportSymbol } from './glue.ts';
import { TrapBridge } from './trap-bridge.ts';
import { ffiSignature, fromNative, type WasmNumber } from './values.ts';

/** The instance whose code runs in this thread, which calls of imported functions and growths are meant for. */
export interface RunningGuest {
  /** The answer as native code has it. */
  callImport(index: number, args: readonly (WasmNumber | undefined)[]): WasmNumber | undefined;
  /** The old size in pages, or -1. */
  growFromGuest(deltaPages: number): number;
}

export type NativeFunction = (instance: number, ...args: WasmNumber[]) => WasmNumber | undefined;

const libraries = new Map<string, GuestLibrary>();

/** The innermost guest that runs now; guests can call host functions that call guests. */
let running: RunningGuest | undefined;

/** Sets who runs and returns who did, to be put back. */
export function setRunning(guest: RunningGuest | undefined): RunningGuest | undefined {
  const outer = running;
  running = guest;
  return outer;
}

export class GuestLibrary {
  readonly bridge: TrapBridge;
  readonly exports: readonly NativeFunction[];
  /** Makes an instance in the memory at an address; 0 if it trapped, which the bridge's record says, or there is no room. */
  readonly create: (memoryAddress: number, pages: number) => number;
  readonly setPages: (instance: number, pages: number) => void;
  /** Whether it was: 0 while a call is under way. */
  readonly destroy: (instance: number) => number;

  private constructor(guest: BuiltGuest) {
    this.bridge = TrapBridge.load(guest.bridge);
    const library = koffi.load(guest.library);
    const declare = <F>(name: string, result: string, params: string[]): F =>
      library.func(name, result, params) as F;
    this.create = declare('ng_new', 'uintptr_t', ['uintptr_t', 'uint32_t']);
    this.setPages = declare('ng_set_pages', 'void', ['uintptr_t', 'uint32_t']);
    this.destroy = declare('ng_free', 'int32_t', ['uintptr_t']);
    this.exports = guest.exports.map((exported, index) => {
      const { result, params } = ffiSignature(exported);
      return declare(exportSymbol(index), result, ['uintptr_t', ...params]);
    });
    this.#bind(guest, declare);
  }

  /** The library of a guest, the same for every module made of it in this thread. */
  static load(guest: BuiltGuest): GuestLibrary {
    let library = libraries.get(guest.library);
    if (library === undefined) {
      library = new GuestLibrary(guest);
      libraries.set(guest.library, library);
    }
    return library;
  }

  /** Callbacks are registered once a thread and never given up: koffi has 8,192 of them. */
  #bind(guest: BuiltGuest, declare: <F>(name: string, result: string, params: string[]) => F): void {
    const grow = (_address: number, deltaPages: number): number =>
      this.#inHost(-1, (guest) => guest.growFromGuest(deltaPages));
    const growType = koffi.proto('int32_t', ['double', 'uint32_t']);
    declare<(f: bigint) => void>('ng_bind_grow', 'void', ['void *'])(
      koffi.register(grow, koffi.pointer(growType)),
    );

    const bind = declare<(index: number, f: bigint) => void>('ng_bind', 'void', ['int32_t', 'void *']);
    for (const [index, imported] of guest.imports.entries()) {
      const { result, params } = ffiSignature(imported);
      // Called thousands of times by chatty guests: nothing is made here that need not be.
      const { params: types, result: resultType } = imported;
      const areNumbers = types.every((type) => type !== 'i64');
      const failed = resultType === undefined ? undefined : 0;
      const call = (...args: WasmNumber[]): WasmNumber | undefined => {
        const guest = running;
        try {
          if (guest === undefined) throw noGuest();
          const values = areNumbers ? args : types.map((type, at) => fromNative(type, args[at]));
          const answer = guest.callImport(index, values);
          this.bridge.hostDone();
          return answer;
        } catch (error) {
          this.bridge.failHost(error);
          return failed;
        } finally {
          running = guest;
        }
      };
      bind(index, koffi.register(call, koffi.pointer(koffi.proto(result, params))));
    }
  }

  /** No exception may cross native frames: it is kept, and the guest ends when the function returns. */
  #inHost<T>(failed: T, run: (guest: RunningGuest) => T): T {
    const guest = running;
    try {
      if (guest === undefined) throw noGuest();
      const answer = run(guest);
      this.bridge.hostDone();
      return answer;
    } catch (error) {
      this.bridge.failHost(error);
      return failed;
    } finally {
      running = guest;
    }
  }
}

function noGuest(): Error {
  return new Error('A host function was called, but no guest runs');
}
