/** Small WebAssembly modules, made section by section. */

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

export function wasm(...sections: readonly number[][]): Buffer {
  return Buffer.from([...HEADER, ...sections.flat()]);
}

/** Contents shorter than 128 bytes. */
function section(id: number, contents: readonly number[]): number[] {
  if (contents.length > 127)
    throw new RangeError(`Section ${id} has ${contents.length} bytes, too many for this`);
  return [id, contents.length, ...contents];
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 0x80, ...leb(Math.floor(value / 128))];
}

/** One type: a function without parameters and results. */
export const types = section(1, [1, 0x60, 0, 0]);
/** Three imports: a global, a table and a function. */
export const plainImports = section(2, [
  3,
  ...[...name('env'), ...name('base'), 3, 0x7f, 0],
  ...[...name('env'), ...name('table'), 1, 0x70, 0, 2],
  ...[...name('env'), ...name('log'), 0, 0],
]);
export const importedMemory = section(2, [1, ...name('env'), ...name('memory'), 2, 0, 1]);
/** One function of type 0. */
export const functions = section(3, [1, 0]);

export function memories(...limits: readonly (readonly [flags: number, ...pages: number[]])[]): number[] {
  const contents = limits.flatMap(([flags, ...pages]) => [flags].concat(pages.flatMap(leb)));
  return section(5, [limits.length, ...contents]);
}

/** Exports memory 0 as "memory". */
export const exportsMemory = section(7, [1, ...name('memory'), 2, 0]);
/** Function 0 is the start function. */
export const start = section(8, [0]);
/** Its body stores 0x63 at byte 0. */
export const storesAtZero = section(10, [1, 10, 0, 0x41, 0, 0x41, 0xe3, 0, 0x3a, 0, 0, 0x0b]);

export function data(memoryIndex: number, offset: number, bytes: readonly number[]): number[] {
  const where = memoryIndex === 0 ? [0] : [2, memoryIndex];
  return section(11, [1, ...where, 0x41, ...signed(offset), 0x0b, bytes.length, ...bytes]);
}

/** Its offset is the imported global 0. */
export const dataAtGlobal = section(11, [1, 0, 0x23, 0, 0x0b, 2, 0xab, 0xcd]);

function signed(value: number): number[] {
  return value < 64 ? [value] : [(value % 128) | 0x80, ...signed(Math.floor(value / 128))];
}
