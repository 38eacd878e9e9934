/** The one place of the package that knows koffi. Loaded at first use, so that importing costs nothing anywhere. */
import { createRequire } from 'node:module';

type Koffi = typeof import('koffi');

/** What the package needs of the C world. */
export interface Ffi {
  /** Declares a function of the process's own C library; throws where it is missing. */
  declare: <F>(prototype: string) => F;
  /** A callable for machine code at an address. */
  at: <F>(address: number, prototype: string) => F;
  /** The calling thread's `errno`; meaningful right after a failed call only. */
  errno: () => number;
}

let loaded: Ffi | undefined;

/** Loads koffi and the C library, once. */
export function ffi(): Ffi {
  loaded ??= load();
  return loaded;
}

function load(): Ffi {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const libc = koffi.load(null);
  return {
    declare: <F>(prototype: string) => libc.func(prototype) as F,
    at: <F>(address: number, prototype: string) => {
      const type = koffi.proto(prototype);
      return ((...args: unknown[]) => koffi.call(address, type, ...args) as unknown) as F;
    },
    errno: () => koffi.errno(),
  };
}
