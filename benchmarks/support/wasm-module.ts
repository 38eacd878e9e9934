/** A WebAssembly module made by hand, so that the pool and the engine get the very same one. */

export const PAGE = 4096;
export const WASM_PAGE = 65_536;

/** A module that exports `memory`, `pages` of 64 KiB, and fills its start with `data`. */
export function moduleBytes(pages: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode('memory');
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(5, [1, 0, ...leb(pages)]),
    ...section(7, [1, name.length, ...name, 2, 0]),
    // One active segment of memory 0, at `i32.const 0`.
    ...section(11, [1, 0, 0x41, 0, 0x0b, ...leb(data.length), ...data]),
  ]);
}

/** Bytes that are not zeros, the same as the C program's. */
export function imageContents(byteLength: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(byteLength).map((_, i) => i * 31 + 7);
}

function section(id: number, body: readonly number[]): number[] {
  return [id, ...leb(body.length), ...body];
}

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
