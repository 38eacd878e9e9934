/** A WebAssembly module made by hand, so that the pool and the engine get the very same one. */
import {
  codeSection,
  dataSection,
  exportSection,
  functionSection,
  memorySection,
  moduleOf,
  section,
  typeSection,
  unsigned,
  vector,
} from '@guardstripe/wasm-builder';

export const PAGE = 4096;
export const WASM_PAGE = 65_536;

/** A module that exports `memory`, `pages` of 64 KiB, and fills its start with `data`. */
export function moduleBytes(pages: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  return moduleOf(
    memorySection({ minimum: pages }),
    exportSection(['memory', 2, 0]),
    dataSection({ memoryIndex: 0, data }),
  );
}

/** A module as toolchains make them: `memory`, a `table` filled with functions, and some of those exported. */
export function toolchainModuleBytes(
  pages: number,
  numExports: number,
  numEntries: number,
): Uint8Array<ArrayBuffer> {
  const functions = Array.from({ length: numEntries }, (_, index) => index);
  return moduleOf(
    typeSection(),
    functionSection(numEntries),
    section(4, vector([[0x70, 0, ...unsigned(numEntries)]])),
    memorySection({ minimum: pages }),
    exportSection(
      ['memory', 2, 0],
      ['table', 1, 0],
      ...functions.slice(0, numExports).map((index) => [`f${index}`, 0, index] as const),
    ),
    section(9, vector([[0, 0x41, 0, 0x0b, ...vector(functions.map((index) => unsigned(index)))]])),
    codeSection(...functions.map(() => [])),
  );
}

/** Bytes that are not zeros, the same as the C program's. */
export function imageContents(byteLength: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(byteLength).map((_, i) => i * 31 + 7);
}
