/**
 * Constant expressions: what globals start with, and where data segments go.
 *
 * The offset of a segment is an `i32` or `i64`, and nothing that is constant makes one of those from another type: the
 * instructions for it are constants, additions, subtractions, multiplications, and immutable globals. They are computed here,
 * as far as no imported global takes part. Initial values of globals may be anything; what is no integer is read past.
 */
import type { Cursor } from './cursor.js';
import { readHeapType, type ValueKind } from './value-type.js';

/** A value on the stack of an expression. */
export interface Constant {
  /** `undefined` for a global whose type could not be read. */
  readonly kind: ValueKind | undefined;
  /** Unsigned, for addresses have no sign. `undefined`: only an instance knows it, or it is no integer. */
  readonly value: bigint | undefined;
}

/** A global that an expression may read. */
export interface Global extends Constant {
  readonly mutable: boolean;
}

/** The globals of a module, as far as they were read. */
export interface Globals {
  readonly known: readonly Global[];
  /** Whether `known` are all there are. If not, an instruction stood in the way that this reader does not know. */
  readonly complete: boolean;
}

const END = 0x0b;
const GLOBAL_GET = 0x23;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
const REF_NULL = 0xd0;
const REF_FUNC = 0xd2;
const GC_PREFIX = 0xfb;
const SIMD_PREFIX = 0xfd;
const V128_CONST = 0x0c;

/** Two bytes of a module make an operand, which takes fifty here. No compiler writes more than two. */
const MAX_DEPTH = 10_000;

const OPAQUE: Constant = { kind: 'other', value: undefined };
const UNREADABLE: Constant = { kind: undefined, value: undefined };

type Operation = (left: bigint, right: bigint) => bigint;
const add: Operation = (left, right) => left + right;
const subtract: Operation = (left, right) => left - right;
const multiply: Operation = (left, right) => left * right;

/** All that the extended constant expressions add. */
const OPERATIONS: ReadonlyMap<number, readonly ['i32' | 'i64', Operation]> = new Map([
  [0x6a, ['i32', add]],
  [0x6b, ['i32', subtract]],
  [0x6c, ['i32', multiply]],
  [0x7c, ['i64', add]],
  [0x7d, ['i64', subtract]],
  [0x7e, ['i64', multiply]],
] as const);

/** Operands of the constant instructions on objects: struct.new, struct.new_default, array.new, ... */
const GC_OPERANDS: ReadonlyMap<number, number> = new Map([
  [0x00, 1],
  [0x01, 1],
  [0x06, 1],
  [0x07, 1],
  [0x08, 2],
  [0x1a, 0],
  [0x1b, 0],
  [0x1c, 0],
]);

/**
 * Reads the offset of a segment up to and including its `end`.
 *
 * @returns `undefined` if it takes an instance to know it
 * @throws {@link InvalidModuleError} if it is no constant expression of type `kind`
 */
export function readOffset(cursor: Cursor, kind: 'i32' | 'i64', globals: Globals): bigint | undefined {
  const start = cursor.position;
  // A lone constant is what compilers write, a hundred thousand times in a module.
  if (cursor.byte() === (kind === 'i32' ? I32_CONST : I64_CONST)) {
    const value = kind === 'i32' ? BigInt(cursor.s32() >>> 0) : BigInt.asUintN(64, cursor.s64());
    if (cursor.byte() === END) return value;
  }
  cursor.position = start;
  const stack: Constant[] = [];
  for (let code = cursor.byte(); code !== END; code = cursor.byte()) {
    if (!step(code, cursor, stack, globals)) {
      throw cursor.error(`an offset contains instruction 0x${code.toString(16)}, which is not constant`);
    }
  }
  return resultOf(stack, kind, cursor);
}

/**
 * Reads what a global starts with, up to and including `end`.
 *
 * @returns `undefined` if an instruction is not known here: where the expression ends is not known then either
 */
export function readInitialValue(cursor: Cursor, globals: Globals): Constant | undefined {
  const stack: Constant[] = [];
  for (let code = cursor.byte(); code !== END; code = cursor.byte()) {
    if (step(code, cursor, stack, globals)) continue;
    if (!skip(code, cursor)) return undefined;
    // What it takes from the stack is not counted: an object made of integers is none.
    stack.length = 0;
    stack.push(OPAQUE);
  }
  if (stack.length !== 1) throw cursor.error(`a global starts with ${stack.length} values instead of one`);
  return stack[0];
}

/** One instruction on integers. @returns false for any other */
function step(code: number, cursor: Cursor, stack: Constant[], globals: Globals): boolean {
  if (stack.length > MAX_DEPTH)
    throw cursor.error(`an expression needs more than ${MAX_DEPTH} operands at once`);
  if (code === I32_CONST) {
    stack.push({ kind: 'i32', value: BigInt(cursor.s32() >>> 0) });
  } else if (code === I64_CONST) {
    stack.push({ kind: 'i64', value: BigInt.asUintN(64, cursor.s64()) });
  } else if (code === GLOBAL_GET) {
    stack.push(globalAt(cursor.u32(), cursor, globals));
  } else {
    const operation = OPERATIONS.get(code);
    if (operation === undefined) return false;
    const right = stack.pop();
    const left = stack.pop();
    stack.push(compute(operation, left, right, cursor));
  }
  return true;
}

function compute(
  [kind, operate]: readonly ['i32' | 'i64', Operation],
  left: Constant | undefined,
  right: Constant | undefined,
  cursor: Cursor,
): Constant {
  for (const operand of [left, right]) {
    if (operand === undefined || (operand.kind !== undefined && operand.kind !== kind)) {
      throw cursor.error(`an expression lacks an operand of type ${kind}`);
    }
  }
  if (left?.value === undefined || right?.value === undefined) return { kind, value: undefined };
  return { kind, value: BigInt.asUintN(kind === 'i32' ? 32 : 64, operate(left.value, right.value)) };
}

function globalAt(index: number, cursor: Cursor, { known, complete }: Globals): Constant {
  const global = known[index];
  if (global?.mutable) throw cursor.error(`an expression reads global ${index}, which is mutable`);
  if (global !== undefined) return global;
  if (complete) throw cursor.error(`an expression reads global ${index} of ${known.length}`);
  return UNREADABLE;
}

function resultOf(stack: readonly Constant[], kind: ValueKind, cursor: Cursor): bigint | undefined {
  const [result] = stack;
  if (result === undefined || stack.length !== 1)
    throw cursor.error(`an offset leaves ${stack.length} values instead of one`);
  if (result.kind !== undefined && result.kind !== kind)
    throw cursor.error(`an offset has type ${result.kind} where addresses are ${kind}`);
  return result.value;
}

/** Steps over an instruction whose value is no integer. @returns false for one that is not known */
function skip(code: number, cursor: Cursor): boolean {
  switch (code) {
    case F32_CONST:
      cursor.skip(4);
      return true;
    case F64_CONST:
      cursor.skip(8);
      return true;
    case REF_NULL:
      readHeapType(cursor);
      return true;
    case REF_FUNC:
      cursor.u32();
      return true;
    case SIMD_PREFIX:
      if (cursor.u32() !== V128_CONST) return false;
      cursor.skip(16);
      return true;
    case GC_PREFIX: {
      const operands = GC_OPERANDS.get(cursor.u32());
      for (let index = 0; index < (operands ?? 0); index++) cursor.u32();
      return operands !== undefined;
    }
    default:
      return false;
  }
}
