/**
 * The offset of an active data segment: a constant expression, of which only a lone constant is known before there is an
 * instance.
 */
import type { Cursor } from './cursor.js';
import type { SegmentOffset } from './types.js';

const END = 0x0b;
const GLOBAL_GET = 0x23;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
/** Add, subtract, multiply: all that the extended-const proposal adds. */
const BINARY_OPERATORS = new Set([0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e]);

/**
 * Reads an offset up to and including its `end`. No other instruction than those above can stand in a valid expression
 * whose result is an integer: nothing that is constant turns another type into one.
 *
 * @returns the value as unsigned, for addresses have no sign; `'not constant'` if it is more than one `i32.const` or `i64.const`
 * @throws {@link InvalidModuleError}
 */
export function readConstOffset(cursor: Cursor): SegmentOffset {
  let value = 0n;
  let depth = 0;
  for (let count = 0; ; count++) {
    const code = cursor.byte();
    if (code === END) {
      if (depth !== 1) throw cursor.error(`an offset leaves ${depth} values instead of one`);
      return count === 1 && value >= 0n ? value : 'not constant';
    }
    if (code === I32_CONST) {
      value = BigInt(cursor.s32() >>> 0);
      depth++;
    } else if (code === I64_CONST) {
      value = BigInt.asUintN(64, cursor.s64());
      depth++;
    } else if (code === GLOBAL_GET) {
      cursor.u32();
      value = -1n;
      depth++;
    } else if (BINARY_OPERATORS.has(code) && depth >= 2) {
      depth--;
    } else {
      throw cursor.error(
        `an offset contains instruction 0x${code.toString(16)}, which is not constant or lacks operands`,
      );
    }
  }
}
