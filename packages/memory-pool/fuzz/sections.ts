/**
 * A module cut into sections, to put it together differently. Written without a look at the reader it is to find fault with,
 * and not strict: what cannot be cut is left whole.
 */
import { HEADER, unsigned } from '@guardstripe/wasm-builder';

export interface Section {
  readonly id: number;
  readonly payload: Uint8Array;
}

/** A number in LEB128, and where it ends. */
export function leb(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  let scale = 1;
  for (let end = start; end < bytes.length; end++) {
    const byte = bytes[end]!;
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) return { value, end: end + 1 };
  }
  return { value, end: bytes.length };
}

export function split(bytes: Uint8Array): Section[] {
  const sections: Section[] = [];
  for (let at = HEADER.length; at < bytes.length;) {
    const { value, end } = leb(bytes, at + 1);
    sections.push({ id: bytes[at]!, payload: bytes.subarray(end, end + value) });
    at = end + value;
  }
  return sections;
}

export function join(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const parts = sections.flatMap(({ id, payload }) => [
    Uint8Array.of(id, ...unsigned(payload.length)),
    payload,
  ]);
  return new Uint8Array(Buffer.concat([Uint8Array.from(HEADER), ...parts]));
}
