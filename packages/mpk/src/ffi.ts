/** The one place of the package that knows koffi. Loaded at first use, so that importing costs nothing anywhere. */
import { createRequire } from 'node:module';

type Koffi = typeof import('koffi');

/** What the package needs of the C world. */
export interface Ffi {
  /** Declares a function of the process's own C library; throws where it is missing. */
  declare: <F>(prototype: string) => F;
  /** A callable for machine code at an address that takes so many `uint32_t` and returns one. */
  at: <F>(address: number, numParameters: number) => F;
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
    at: <F>(address: number, numParameters: number) => {
      // Without a name: names are koffi's, one for the whole process, and there may be two copies of this package.
      const type = koffi.proto('uint32_t', Array<string>(numParameters).fill('uint32_t'));
      // Not `koffi.call`, which looks at the type each time: three times as slow.
      return koffi.decode(BigInt(address), type) as F;
    },
    errno: () => koffi.errno(),
  };
}
