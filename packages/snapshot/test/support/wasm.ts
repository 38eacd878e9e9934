/**
 * Modules made by hand, with everything that a snapshot has to do with:
 *
 *     (import "host" "call" (func))
 *     (memory ...)* (global $counter (mut i32) 7) (global $wide (mut i64) 8) (global $constant i32 9) (global $hidden (mut i32) 5)
 *     (table 8 funcref) (elem (i32.const 1) $ten $eleven)
 *     poke(address, value), peek(address), grow(pages), visit() calls the host, hidden(), setHidden(value),
 *     indirect(i), ten(), and fill(address, value, length), all on memory 0; and poke1, peek1 on memory 1.
 */

import {
  byteVector,
  exportSection,
  globalSection,
  importEntry,
  importSection,
  memoryType,
  moduleOf,
  section,
  vector,
} from '@guardstripe/wasm-builder';

export interface MemoryShape {
  readonly initial: number;
  readonly maximum?: number;
  readonly shared?: boolean;
  readonly is64?: boolean;
}

export interface TestExports {
  readonly memory: WebAssembly.Memory;
  readonly memory1: WebAssembly.Memory;
  readonly counter: WebAssembly.Global;
  readonly wide: WebAssembly.Global;
  readonly constant: WebAssembly.Global;
  readonly table: WebAssembly.Table;
  readonly poke: (address: number, value: number) => void;
  readonly peek: (address: number) => number;
  readonly poke1: (address: number, value: number) => void;
  readonly peek1: (address: number) => number;
  readonly grow: (pages: number) => number;
  readonly fill: (address: number, value: number, length: number) => void;
  readonly visit: () => void;
  readonly hidden: () => number;
  readonly setHidden: (value: number) => void;
  readonly indirect: (index: number) => number;
  readonly ten: () => number;
}

export interface TestInstance {
  readonly instance: WebAssembly.Instance;
  readonly exports: TestExports;
}

const I32 = 0x7f;
const FUNC = 0x60;
const END = 0x0b;

const body = (...code: number[]): number[] => byteVector([0, ...code, END]);
const limits = ({ initial, maximum, shared = false, is64 = false }: MemoryShape): number[] =>
  memoryType({
    minimum: initial,
    ...(maximum !== undefined && { maximum }),
    shared,
    index: is64 ? 'i64' : 'i32',
  });

/** Bytes of the module with these memories. `salt` makes another module of the same exports. */
export function moduleBytes(memories: readonly MemoryShape[], salt = 7): Uint8Array<ArrayBuffer> {
  const second = memories.length > 1;
  const toAddress = memories[0]?.is64 === true ? [0xad] : []; // i64.extend_i32_u
  const toSize = memories[0]?.is64 === true ? [0xa7] : []; // i32.wrap_i64
  // A memory's number follows the alignment where its 6th bit is set (multi-memory).
  const access = (code: number, memory: number): number[] =>
    memory === 0 ? [code, 0, 0] : [code, 0x40, memory, 0];
  const get = (local: number): number[] => [0x20, local];
  const poke = (memory: number, convert: number[]) =>
    body(...get(0), ...convert, ...get(1), ...access(0x3a, memory));
  const peek = (memory: number, convert: number[]) => body(...get(0), ...convert, ...access(0x2d, memory));
  const functions: [string, number, number[]][] = [
    ['poke', 1, poke(0, toAddress)],
    ['peek', 2, peek(0, toAddress)],
    ['grow', 2, body(...get(0), ...toAddress, 0x40, 0, ...toSize)],
    ['fill', 3, body(...get(0), ...toAddress, ...get(1), ...get(2), ...toAddress, 0xfc, 0x0b, 0)],
    ['visit', 0, body(0x10, 0)],
    ['hidden', 4, body(0x23, 3)],
    ['setHidden', 5, body(...get(0), 0x24, 3)],
    ['indirect', 2, body(...get(0), 0x11, 4, 0)],
    ['ten', 4, body(0x41, 10)],
    ['', 4, body(0x41, 11)],
    ...(second
      ? [
          ['poke1', 1, poke(1, [])] satisfies [string, number, number[]],
          ['peek1', 2, peek(1, [])] satisfies [string, number, number[]],
        ]
      : []),
  ];
  const numberOf = (text: string): number => 1 + functions.findIndex(([each]) => each === text);
  return moduleOf(
    section(
      1,
      vector([
        [FUNC, 0, 0],
        [FUNC, 2, I32, I32, 0],
        [FUNC, 1, I32, 1, I32],
        [FUNC, 3, I32, I32, I32, 0],
        [FUNC, 0, 1, I32],
        [FUNC, 1, I32, 0],
      ]),
    ),
    importSection([importEntry(['host', 'call'], [0, 0])]),
    section(3, vector(functions.map(([, type]) => [type]))),
    section(4, vector([[0x70, 0, 8]])),
    section(5, vector(memories.map(limits))),
    globalSection(
      { type: 'i32', mutable: true, init: salt },
      { type: 'i64', mutable: true, init: 8 },
      { type: 'i32', init: 9 },
      { type: 'i32', mutable: true, init: 5 },
    ),
    exportSection(
      ...memories.map((_, i) => [i === 0 ? 'memory' : `memory${i}`, 2, i] as const),
      ['counter', 3, 0],
      ['wide', 3, 1],
      ['constant', 3, 2],
      ['table', 1, 0],
      ...functions.filter(([text]) => text !== '').map(([text]) => [text, 0, numberOf(text)] as const),
    ),
    section(9, vector([[0, 0x41, 1, END, 2, numberOf('ten'), numberOf('')]])),
    section(10, vector(functions.map(([, , code]) => code))),
  );
}

const compiled = new Map<string, WebAssembly.Module>();

/** Compiled once for each shape. */
export function testModule(memories: readonly MemoryShape[], salt = 7): WebAssembly.Module {
  const key = JSON.stringify([memories, salt]);
  let module = compiled.get(key);
  if (module === undefined) compiled.set(key, (module = new WebAssembly.Module(moduleBytes(memories, salt))));
  return module;
}

/** Default: one memory of 4 pages that can grow to 64. */
export function instantiate(
  memories: readonly MemoryShape[] = [{ initial: 4, maximum: 64 }],
  { host = () => {}, salt = 7 }: { readonly host?: () => void; readonly salt?: number } = {},
): TestInstance {
  const instance = new WebAssembly.Instance(testModule(memories, salt), { host: { call: host } });
  return { instance, exports: instance.exports as unknown as TestExports };
}

/** A copy of a memory's bytes. */
export function bytesOf(memory: WebAssembly.Memory): Buffer {
  return Buffer.from(new Uint8Array(memory.buffer));
}
