/** The parts of V8's WebAssembly interface that validate, typed here: TypeScript has them in its browser library only. */

interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly CompileError: new (message?: string) => Error;
  validate(bytes: Uint8Array): boolean;
}

/** Not there at all under `node --jitless`. */
const webAssembly = (globalThis as unknown as { readonly WebAssembly?: WebAssemblyInterface }).WebAssembly;

/** Whether V8 accepts a module; `undefined` where it has no WebAssembly. */
export function v8Accepts(bytes: Uint8Array<ArrayBuffer>): boolean | undefined {
  return webAssembly?.validate(bytes);
}

/** What V8 says of a module that it does not accept: compiling tells, and validating does not. */
export function v8Rejection(bytes: Uint8Array<ArrayBuffer>): Error | undefined {
  if (webAssembly === undefined) return undefined;
  try {
    void new webAssembly.Module(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof webAssembly.CompileError) return error;
    throw error;
  }
}
