import { ffi } from '../ffi.js';

/** Declares a function of the C library when it is first asked for: most processes need few. */
export function lazily<F>(prototype: string): () => F {
  let declared: F | undefined;
  return () => (declared ??= ffi().declare<F>(prototype));
}
