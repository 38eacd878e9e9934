/** The small modules that the tests are made of, section by section. */
import {
  codeSection,
  dataSection,
  exportSection,
  functionSection,
  importEntry,
  importSection,
  memoryType,
  startSection,
  typeSection,
} from '@guardstripe/wasm-builder';

export { memorySection as memories, moduleOf as wasm } from '@guardstripe/wasm-builder';

/** One type: a function without parameters and results. */
export const types = typeSection();
/** Three imports: a global, a table and a function. */
export const plainImports = importSection([
  importEntry(['env', 'base'], [3, 0x7f, 0]),
  importEntry(['env', 'table'], [1, 0x70, 0, 2]),
  importEntry(['env', 'log'], [0, 0]),
]);
export const importedMemory = importSection([
  importEntry(['env', 'memory'], [2, ...memoryType({ minimum: 1 })]),
]);
/** One function of type 0. */
export const functions = functionSection();
/** Exports memory 0 as "memory". */
export const exportsMemory = exportSection(['memory', 2, 0]);
/** Function 0 is the start function. */
export const start = startSection(0);
/** Its body stores 0x63 at byte 0. */
export const storesAtZero = codeSection([0x41, 0, 0x41, 0xe3, 0, 0x3a, 0, 0]);

export const data = (memoryIndex: number, offset: number, bytes: readonly number[]): number[] =>
  dataSection({ memoryIndex, offset, data: bytes });

/** Its offset is the imported global 0. */
export const dataAtGlobal = dataSection({ memoryIndex: 0, offset: [0x23, 0], data: [0xab, 0xcd] });
