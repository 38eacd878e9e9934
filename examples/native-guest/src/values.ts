/** Numbers on their way between JavaScript and native code, converted as WebAssembly's JavaScript interface does. */
import type { GuestFunction, ValueType } from './guest-header.ts';

export type WasmNumber = number | bigint;

/** koffi's names. Signed: an i32 is seen by JavaScript as signed. */
const FFI_TYPES: Readonly<Record<ValueType, string>> = {
  i32: 'int32_t',
  i64: 'int64_t',
  f32: 'float',
  f64: 'double',
};

/** A function's result and parameters in koffi's words. */
export function ffiSignature({ params, result }: Pick<GuestFunction, 'params' | 'result'>): {
  readonly result: string;
  readonly params: string[];
} {
  return {
    result: result === undefined ? 'void' : FFI_TYPES[result],
    params: params.map((type) => FFI_TYPES[type]),
  };
}

/** Throws a `TypeError` where WebAssembly does: a bigint for an i32 or a float, a number for an i64. */
export function toNative(type: ValueType, value: unknown): WasmNumber {
  switch (type) {
    case 'i32':
      return (value as number) | 0;
    case 'i64':
      return BigInt.asIntN(64, value as bigint);
    case 'f32':
    case 'f64':
      return (value as number) * 1; // not Number(), which takes a bigint
  }
}

/** An i64 is a bigint in JavaScript, also when koffi made a number of a small one. */
export function fromNative(type: ValueType | undefined, value: WasmNumber | undefined) {
  return type === 'i64' ? BigInt(value!) : value;
}
