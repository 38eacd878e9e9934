/**
 * V8's own objects, reached by the methods of their prototypes: what a module's user puts on an object of theirs, or
 * replaces later, does not change which bytes are touched. The public types are structural, for `WebAssembly` is declared in
 * the browser's library alone.
 */

import { nodeObstacle } from '@guardstripe/common';

/** A `WebAssembly.Memory`. */
export interface MemoryLike {
  /** The memory's bytes; another object after each growth. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Grows by `delta` pages. */
  grow(delta: number): number;
}

/** A `WebAssembly.Instance`. */
export interface InstanceLike {
  /** Memories, globals, tables and functions by name. */
  readonly exports: object;
}

/** Methods that take their receiver as the first argument. */
interface Methods {
  readonly bufferOf: (memory: object) => ArrayBuffer | SharedArrayBuffer;
  readonly growMemory: (memory: object, pages: number | bigint) => unknown;
  readonly exportsOf: (instance: object) => object;
  readonly valueOf: (global: object) => unknown;
  readonly setValue: (global: object, value: unknown) => void;
  readonly lengthOf: (table: object) => number | bigint;
  readonly getEntry: (table: object, index: number | bigint) => unknown;
  readonly setEntry: (table: object, index: number | bigint, value: unknown) => void;
  readonly growTable: (table: object, delta: number | bigint) => unknown;
}

export type Kind = 'memory' | 'global' | 'table' | 'instance';

/** Bytes of a page of WebAssembly; memories of other page sizes are a proposal. */
export const WASM_PAGE_BYTES = 65_536;

let methods: Methods | undefined;

/** Found out once: `undefined` then, or the reason. */
let obstacle: readonly [string | undefined] | undefined;

/** Why nothing can be snapshotted in this process, in whatever way; `undefined` where something can. */
export function processObstacle(): string | undefined {
  obstacle ??= [
    typeof WebAssembly === 'object' ? nodeObstacle() : 'this process has no WebAssembly (--jitless)',
  ];
  return obstacle[0];
}

/** The methods, taken from the prototypes at the first use. */
export function webAssembly(): Methods {
  methods ??= {
    bufferOf: getter(WebAssembly.Memory.prototype, 'buffer'),
    growMemory: method(WebAssembly.Memory.prototype, 'grow'),
    exportsOf: getter(WebAssembly.Instance.prototype, 'exports'),
    valueOf: getter(WebAssembly.Global.prototype, 'value'),
    setValue: setter(WebAssembly.Global.prototype, 'value'),
    lengthOf: getter(WebAssembly.Table.prototype, 'length'),
    getEntry: method(WebAssembly.Table.prototype, 'get'),
    setEntry: method(WebAssembly.Table.prototype, 'set'),
    growTable: method(WebAssembly.Table.prototype, 'grow'),
  };
  return methods;
}

type Part = 'value' | 'get' | 'set';

function method<F>(prototype: object, name: string, part: Part = 'value'): F {
  const taken: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.[part];
  // eslint-disable-next-line typescript/unbound-method -- bound right here
  return Function.prototype.call.bind(taken as () => void) as unknown as F;
}

function getter<F>(prototype: object, name: string): F {
  return method(prototype, name, 'get');
}

function setter<F>(prototype: object, name: string): F {
  return method(prototype, name, 'set');
}

const KIND_OF_TAG: Readonly<Record<string, Kind>> = {
  '[object WebAssembly.Memory]': 'memory',
  '[object WebAssembly.Global]': 'global',
  '[object WebAssembly.Table]': 'table',
  '[object WebAssembly.Instance]': 'instance',
};

let kindOfPrototype: ReadonlyMap<unknown, Kind> | undefined;

/** Of this realm, for speed: a tag takes longer to make. */
function kindsOfPrototypes(): ReadonlyMap<unknown, Kind> {
  const { Memory, Global, Table, Instance } = WebAssembly;
  return new Map<unknown, Kind>([
    [Memory.prototype, 'memory'],
    [Global.prototype, 'global'],
    [Table.prototype, 'table'],
    [Instance.prototype, 'instance'],
  ]);
}

/**
 * What an object is, also when it comes from another realm. By its prototype or its tag, which can be forged: the methods above then
 * throw a `TypeError`.
 */
export function kindOf(value: unknown): Kind | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  kindOfPrototype ??= kindsOfPrototypes();
  try {
    return (
      kindOfPrototype.get(Object.getPrototypeOf(value)) ?? KIND_OF_TAG[Object.prototype.toString.call(value)]
    );
  } catch {
    return undefined; // a revoked proxy
  }
}

/** Grows by whole pages; memories with 64-bit addresses count in BigInt. Throws `RangeError` where V8 refuses. */
export function growMemory(memory: object, pages: number): void {
  const { growMemory: grow } = webAssembly();
  try {
    grow(memory, pages);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    grow(memory, BigInt(pages));
  }
}
