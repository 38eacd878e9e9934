/**
 * A module's bytes, cut into sections: what it takes to change a copy of a module, and no more. The bytes must be a
 * module that V8 has validated.
 */

export const SectionId = { custom: 0, import: 2, global: 6, export: 7, start: 8, tag: 13 } as const;

export interface Section {
  readonly id: number;
  /** Where the section's id stands. */
  readonly headerStart: number;
  /** Where its contents start and end. */
  readonly start: number;
  readonly end: number;
}

const HEADER_BYTES = 8;

export function readSections(bytes: Uint8Array): Section[] {
  const sections: Section[] = [];
  const cursor = new Cursor(bytes, HEADER_BYTES);
  while (cursor.position < bytes.length) {
    const headerStart = cursor.position;
    const id = cursor.byte();
    const byteLength = cursor.u32();
    sections.push({ id, headerStart, start: cursor.position, end: cursor.position + byteLength });
    cursor.position += byteLength;
  }
  return sections;
}

/** Reads numbers and names, one after the other. */
export class Cursor {
  position: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.position = position;
  }

  byte(): number {
    const byte = this.#bytes[this.position++];
    if (byte === undefined)
      throw new RangeError(`The module ends at byte ${this.position - 1}, inside a section`);
    return byte;
  }

  /** An unsigned LEB128 number; exact up to 2^53. */
  u32(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  skipName(): void {
    const byteLength = this.u32();
    this.position += byteLength;
  }
}

export function encodeU32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}
