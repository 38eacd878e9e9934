/** Types of values, as far as imports and globals need them to be read past ("Types" of the binary format). */
import type { Cursor } from './cursor.js';

/** `'other'`: nothing that a memory's address can be. */
export type ValueKind = 'i32' | 'i64' | 'other';

const I32 = 0x7f;
const I64 = 0x7e;
/** `f32`, `f64` and `v128`, downwards from `i64`. */
const LAST_NUMBER = 0x7b;
/** Abbreviations of references to abstract heap types: `exnref` to `nullexnref`. */
const FIRST_ABSTRACT = 0x69;
const LAST_ABSTRACT = 0x74;
/** `(ref null ht)` and `(ref ht)`: a heap type follows. */
const REF_NULL = 0x63;
const REF = 0x64;

/** Reads a value type. @throws {@link InvalidModuleError} */
export function readValueType(cursor: Cursor): ValueKind {
  const code = cursor.byte();
  if (code === I32) return 'i32';
  if (code === I64) return 'i64';
  if (code >= LAST_NUMBER && code < I64) return 'other';
  if (code >= FIRST_ABSTRACT && code <= LAST_ABSTRACT) return 'other';
  if (code !== REF_NULL && code !== REF) throw cursor.error(`a type has unknown code 0x${code.toString(16)}`);
  readHeapType(cursor);
  return 'other';
}

/** An abstract heap type or the index of a type: a signed number of 33 bits, negative for the abstract ones. */
export function readHeapType(cursor: Cursor): void {
  cursor.s33();
}
