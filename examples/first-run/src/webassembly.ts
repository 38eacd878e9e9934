/** The parts of V8's WebAssembly interface that are used here: TypeScript types them in its browser library only. */

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export interface WasmImport {
  readonly module: string;
  readonly name: string;
  readonly kind: 'function' | 'global' | 'memory' | 'table' | 'tag';
}

/** A compiled module; opaque. */
export type WasmModule = object;
export type ImportObject = Record<string, Record<string, unknown>>;

interface WebAssemblyInterface {
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): WasmImport[];
  };
  readonly Instance: new (
    module: WasmModule,
    imports: ImportObject,
  ) => { readonly exports: Record<string, unknown> };
  readonly Memory: new (type: { initial: number; maximum?: number }) => WasmMemory;
  readonly Global: new (type: { value: string; mutable: boolean }, value?: unknown) => unknown;
  readonly Table: new (type: { element: string; initial: number; maximum?: number }) => unknown;
}

export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyInterface })
  .WebAssembly;
