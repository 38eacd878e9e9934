/** What is read from, and changed in, the C that wasm2c wrote. */
import { UnsupportedGuestError } from './guest-header.ts';

const ACCESS_CALL = /\b[if]\w+_(?:load|store)(?:8|16|32)?(?:_[su])?\(&/g;
const ACCESS =
  /\b[if]\w+_(?:load|store)(?:8|16|32)?(?:_[su])?\(&[\w>-]+, \(u64\)\(\w+\)(?: \+ (\d+)u?)?[,)]/g;
/** Bytes of the widest access, i64 or f64. */
const WIDEST_ACCESS_BYTES = 8;
const GIB_4 = 2 ** 32;

/**
 * Bytes from the start of its memory that the code may touch: no address is checked, so this much must belong to the memory
 * or fault. An address has 32 bits, to which an instruction adds a constant.
 *
 * @throws {@link UnsupportedGuestError} if the text has an access that is not understood
 */
export function reachBytes(c: string): number {
  const accesses = [...c.matchAll(ACCESS)];
  const numCalls = [...c.matchAll(ACCESS_CALL)].length;
  if (accesses.length !== numCalls) {
    throw new UnsupportedGuestError(
      `wasm2c wrote ${numCalls} accesses to memory, ${numCalls - accesses.length} of an unknown form`,
    );
  }
  const largest = accesses.reduce((most, [, constant = '0']) => Math.max(most, Number(constant)), 0);
  return GIB_4 + largest + WIDEST_ACCESS_BYTES;
}

/** Copies an active data segment, as only `init_memories` has it: a line of its own. */
const DATA_COPY = /^ {2}LOAD_DATA\(instance->\w+, [^\n]*\);\n/gm;

/** Without the copies of data segments: the memory has them already, in its copy-on-write image. */
export function withoutDataCopies(c: string): string {
  return c.replaceAll(DATA_COPY, '');
}

/** What each function begins with; the other definition, which counts calls, is not compiled. */
const PROLOGUE = /^#define FUNC_PROLOGUE$/m;

/** With a look at the stack's end in each function: see `guest-trap.h`. */
export function withStackChecks(c: string): string {
  if (!PROLOGUE.test(c))
    throw new UnsupportedGuestError('wasm2c wrote functions that begin in an unknown way');
  return `#include "guest-trap.h"\n${c.replace(PROLOGUE, '#define FUNC_PROLOGUE GST_CHECK_STACK()')}`;
}
