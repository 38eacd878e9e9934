/** V8's WebAssembly, typed as far as the fuzzer needs it: TypeScript has it in its browser library only. */

export interface ImportDescriptor {
  readonly module: string;
  readonly name: string;
  readonly kind: 'function' | 'table' | 'memory' | 'global' | 'tag';
}

interface WebAssemblyInterface {
  readonly Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): ImportDescriptor[];
  };
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, { readonly buffer: ArrayBuffer }>> };
  readonly Memory: new (type: object) => object;
  readonly Table: new (type: object) => object;
  readonly Global: new (type: object, value: number | bigint) => object;
  readonly Tag: new (type: object) => object;
  readonly LinkError: new () => Error;
  readonly RuntimeError: new () => Error;
  validate(bytes: Uint8Array): boolean;
}

export const { WebAssembly: webAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyInterface };
