/** V8's WebAssembly, as far as the tests need it; TypeScript types it in its browser library only. */

export interface V8Memory {
  readonly buffer: ArrayBuffer;
}

interface ImportOrExport {
  readonly module?: string;
  readonly name: string;
  readonly kind: string;
}

interface V8 {
  readonly Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): ImportOrExport[];
    exports(module: object): ImportOrExport[];
  };
  readonly Instance: new (module: object) => { readonly exports: Record<string, V8Memory> };
  readonly RuntimeError: new () => Error;
  validate(bytes: Uint8Array): boolean;
}

export const v8 = (globalThis as unknown as { readonly WebAssembly: V8 }).WebAssembly;
