/**
 * A digest of a memory, the same as that of `benchmarks/wasmtime/src/digest.rs`: FNV-1a of 64 bits over each page of 4096 bytes
 * that is not all zeros, its offset before it in eight bytes, the last page as short as it is.
 */

const PAGE = 4096;
const ZEROS = Buffer.alloc(1 << 16);

/** The state in two halves, for whole ones would be BigInts. */
export class Fnv1a64 {
  #high = 0xcbf2_9ce4;
  #low = 0x8422_2325;

  take(bytes: Uint8Array): this {
    let high = this.#high;
    let low = this.#low;
    for (const byte of bytes) {
      low = (low ^ byte) >>> 0;
      // Times the prime, 2^40 + 0x1b3: the first term moves the low half up by 8 bits into the high one.
      const product = low * 0x1b3;
      high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0;
      low = product >>> 0;
    }
    this.#high = high;
    this.#low = low;
    return this;
  }

  /** Sixteen digits. */
  toString(): string {
    return [this.#high, this.#low].map((half) => half.toString(16).padStart(8, '0')).join('');
  }
}

export function digestOf(memory: Uint8Array): string {
  const hash = new Fnv1a64();
  const offset = Buffer.alloc(8);
  for (let chunk = 0; chunk < memory.length; chunk += ZEROS.length) {
    const end = Math.min(chunk + ZEROS.length, memory.length);
    if (isZero(memory.subarray(chunk, end))) continue;
    for (let at = chunk; at < end; at += PAGE) {
      const page = memory.subarray(at, Math.min(at + PAGE, end));
      if (isZero(page)) continue;
      offset.writeBigUInt64LE(BigInt(at));
      hash.take(offset).take(page);
    }
  }
  return hash.toString();
}

function isZero(bytes: Uint8Array): boolean {
  return ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}
