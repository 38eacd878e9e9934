/** Numbers, names, vectors and sections of the binary format ("Values", "Modules" of the core specification). */

/** `\0asm`, version 1. */
export const HEADER: readonly number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** LEB128, unsigned. `minimumBytes` pads it with bytes that say nothing, as the format allows. */
export function unsigned(value: bigint | number, minimumBytes = 1): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    if (rest < 0x80n && bytes.length >= minimumBytes - 1) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

/** LEB128, signed. */
export function signed(value: bigint | number): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    if ((rest >> 7n === 0n && low < 0x40) || (rest >> 7n === -1n && low >= 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

export function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

export function byteVector(bytes: ArrayLike<number>): number[] {
  return [...unsigned(bytes.length), ...Array.from(bytes)];
}

export function name(text: string): number[] {
  return byteVector(new TextEncoder().encode(text));
}

export function section(id: number, payload: readonly number[]): number[] {
  return [id, ...unsigned(payload.length), ...payload];
}

/** A module of these sections, in this order, right or wrong. */
export function moduleOf(...sections: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...HEADER, ...sections.flat()]);
}
