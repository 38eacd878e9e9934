/** A WebAssembly module made by hand, so that the pool and the engine get the very same one. */
import { dataSection, exportSection, memorySection, moduleOf } from '@guardstripe/wasm-builder';

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

/** Bytes that are not zeros, the same as the C program's. */
export function imageContents(byteLength: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(byteLength).map((_, i) => i * 31 + 7);
}
