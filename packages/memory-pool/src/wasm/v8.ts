/** The parts of V8's WebAssembly interface that validate, typed here: TypeScript has them in its browser library only. */

interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly CompileError: new (message?: string) => Error;
  validate(bytes: Uint8Array): boolean;
}

const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface }).WebAssembly;

/** Compiles a module and drops it. @returns V8's `CompileError` if it rejects the module */
export function v8Rejection(bytes: Uint8Array): Error | undefined {
  try {
    void new webAssembly.Module(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof webAssembly.CompileError) return error;
    throw error;
  }
}

/** Whether V8 accepts a module. */
export function v8Accepts(bytes: Uint8Array): boolean {
  return webAssembly.validate(bytes);
}
