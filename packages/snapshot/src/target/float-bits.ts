/**
 * The bits of a NaN. JavaScript shows a global's NaN as one value and writes one of its own making, so 22 bits of an `f32` and 51 of
 * an `f64` would pass from one user of an instance to the next. A small module that imports the global reads and writes
 * them as an integer.
 */

/** Of an `f32` as a number, of an `f64` as a BigInt. */
export type FloatBits = number | bigint;

/** A mutable global of floats, by its bits. */
interface FloatAccess {
  readonly read: () => FloatBits;
  readonly write: (bits: FloatBits) => void;
}

/** A NaN that a global held, as it was. */
export class ExactNaN {
  readonly bits: FloatBits;

  constructor(bits: FloatBits) {
    this.bits = bits;
  }
}

/**
 * For T = f64 and I = i64, or f32 and i32:
 *
 *     (module (import "" "g" (global (mut T)))
 *       (func (export "read") (result I) (I.reinterpret_T (global.get 0)))
 *       (func (export "write") (param I) (global.set 0 (T.reinterpret_I (local.get 0)))))
 */
const moduleBytes = (float: number, integer: number, toInteger: number, toFloat: number): Uint8Array =>
  Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 9, 2, 0x60, 0, 1, integer, 0x60, 1, integer, 0],
    ...[2, 7, 1, 0, 1, 0x67, 3, float, 1],
    ...[3, 3, 2, 0, 1],
    ...[7, 16, 2, 4, 0x72, 0x65, 0x61, 0x64, 0, 0, 5, 0x77, 0x72, 0x69, 0x74, 0x65, 0, 1],
    ...[10, 15, 2, 5, 0, 0x23, 0, toInteger, 0x0b, 7, 0, 0x20, 0, toFloat, 0x24, 0, 0x0b],
  );

let modules: readonly WebAssembly.Module[] | undefined;

/** An instance each: made where a NaN is met, which is seldom. */
const accesses = new WeakMap<object, FloatAccess>();

/** Nothing for what is no mutable global of floats, and where this process may compile no code. */
export function floatAccess(global: object): FloatAccess | undefined {
  const known = accesses.get(global);
  if (known !== undefined) return known;
  try {
    modules ??= [moduleBytes(0x7c, 0x7e, 0xbd, 0xbf), moduleBytes(0x7d, 0x7f, 0xbc, 0xbe)].map(
      (bytes) => new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>),
    );
  } catch {
    return undefined;
  }
  for (const module of modules) {
    try {
      const { exports } = new WebAssembly.Instance(module, { '': { g: global as WebAssembly.Global } });
      const access = exports as unknown as FloatAccess;
      accesses.set(global, access);
      return access;
    } catch {
      // Of another type, or a constant.
    }
  }
  return undefined;
}

/** What a global holds that shows as NaN; the value itself where its bits cannot be had, or do not matter. */
export function exactNaN(global: object): ExactNaN | number {
  const access = floatAccess(global);
  return access === undefined ? NaN : new ExactNaN(access.read());
}

/** Whether a global has the type that the NaN was of. */
export function canHold(global: object, { bits }: ExactNaN): boolean {
  return typeof floatAccess(global)?.read() === typeof bits;
}
