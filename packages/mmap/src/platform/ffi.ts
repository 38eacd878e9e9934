/**
 * The one place that knows koffi. It is loaded at first use: importing the package costs nothing and works where
 * there is no native library for the platform.
 *
 * C types become plain numbers: addresses are below 2^53 on every supported platform, and a number is several times
 * cheaper to pass than a BigInt.
 */

import { createRequire } from 'node:module';

import { FfiUnavailableError } from '../errors.js';
import { inTurn } from './async-queue.js';

type Koffi = typeof import('koffi');
type AsyncFunction = import('koffi').KoffiFunc<(...args: number[]) => number>;

/** What a call on another thread left behind. */
export interface AsyncResult {
  readonly result: number;
  /** That thread's `errno`; meaningful when the result says that the call failed. */
  readonly errno: number;
}

/** The C library and the few services of koffi that the package needs. */
export interface Ffi {
  /** Declares a function of the process's own C library, from a C prototype. */
  // eslint-disable-next-line typescript/no-unnecessary-type-parameters -- the prototype is a string, so only the caller knows
  declare: <F>(prototype: string) => F;
  /** The calling thread's `errno`; meaningful right after a failed call only. */
  errno: () => number;
  /** Runs a declared function on a thread of libuv's pool, when its turn comes. */
  callAsync: (declared: unknown, ...args: readonly number[]) => Promise<AsyncResult>;
  /**
   * Where the bytes of a buffer or a view of one are. They stay there, but only as long as the buffer is reachable.
   * Shared buffers are to be passed as views: Node 22.12 knows no others.
   */
  addressOf: (bytes: ArrayBuffer | ArrayBufferView) => number;
  /** An array buffer over foreign memory. */
  view: (address: number, byteLength: number) => ArrayBuffer;
}

let loaded: Ffi | undefined;

/** Loads koffi and the C library, once. Throws {@link FfiUnavailableError} when there is no way. */
export function ffi(): Ffi {
  loaded ??= load();
  return loaded;
}

function load(): Ffi {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const libc = koffi.load(null);
    return {
      // eslint-disable-next-line typescript/no-unnecessary-type-parameters -- as above
      declare: <F>(prototype: string) => libc.func(prototype) as F,
      errno: () => koffi.errno(),
      callAsync: (declared, ...args) =>
        new Promise((resolve, reject) => {
          inTurn((done) => {
            (declared as AsyncFunction).async(...args, (error: Error | null, result: number) => {
              // koffi carries the other thread's errno over, for the duration of this callback.
              if (error === null) resolve({ result, errno: koffi.errno() });
              else reject(error);
              done();
            });
          }, reject);
        }),
      addressOf: (bytes) => Number(koffi.address(bytes)),
      view: (address, byteLength) => koffi.view(address, byteLength),
    };
  } catch (error) {
    throw new FfiUnavailableError(error);
  }
}
