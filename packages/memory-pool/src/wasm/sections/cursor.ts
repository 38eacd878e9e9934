/** A place in a module's bytes, and strict reading of the binary format's numbers from there. */
import { InvalidModuleError } from '../errors.js';

const MAX_U32_BYTES = 5;
const MAX_64_BIT_BYTES = 10;

/**
 * Reads numbers of `bytes` from `position` up to, not including, `end`. Every method throws {@link InvalidModuleError} if
 * the number ends behind `end` or is encoded wider than its type, as the specification demands ("Integers").
 */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;

  constructor(bytes: Uint8Array, position: number, end: number) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** One byte. */
  byte(): number {
    const value = this.position < this.end ? this.bytes[this.position] : undefined;
    if (value === undefined) throw this.error('it ends in the middle of a value');
    this.position++;
    return value;
  }

  /** An unsigned number of 32 bits. */
  u32(): number {
    let value = 0;
    for (let index = 0; index < MAX_U32_BYTES; index++) {
      const byte = this.byte();
      if (index === MAX_U32_BYTES - 1 && byte > 0x0f) break;
      value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return value >>> 0;
    }
    throw this.error('a 32-bit number has too many bits');
  }

  /** How many entries follow, each of at least `entryBytes` bytes. A number that cannot be is an error at once. */
  count(entryBytes: number): number {
    const count = this.u32();
    const restBytes = this.end - this.position;
    if (count * entryBytes > restBytes)
      throw this.error(`${count} entries are announced and ${restBytes} bytes are left`);
    return count;
  }

  /** A signed number of 32 bits. */
  s32(): number {
    let value = 0;
    for (let index = 0; index < MAX_U32_BYTES; index++) {
      const byte = this.byte();
      // Of the fifth byte, four bits are value; the three above must repeat the sign.
      if (index === MAX_U32_BYTES - 1 && byte > 0x07 && (byte < 0x78 || byte > 0x7f)) break;
      value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return index === MAX_U32_BYTES - 1 ? value : signExtend(value, 7 * (index + 1));
    }
    throw this.error('a 32-bit number has too many bits');
  }

  /** An unsigned number of 64 bits. */
  u64(): bigint {
    return this.#long(MAX_64_BIT_BYTES, (last) => last <= 1).value;
  }

  /** A signed number of 64 bits. */
  s64(): bigint {
    const { value, bits } = this.#long(MAX_64_BIT_BYTES, (last) => last === 0 || last === 0x7f);
    return BigInt.asIntN(Math.min(bits, 64), value);
  }

  /** A signed number of 33 bits, as heap types are. */
  s33(): bigint {
    const { value, bits } = this.#long(
      MAX_U32_BYTES,
      (last) => last <= 0x0f || (last >= 0x70 && last <= 0x7f),
    );
    return BigInt.asIntN(Math.min(bits, 33), value);
  }

  /** Moves on by `count` bytes. @returns where they start */
  skip(count: number): number {
    const start = this.position;
    if (count > this.end - start)
      throw this.error(`${count} bytes are announced and ${this.end - start} are left`);
    this.position = start + count;
    return start;
  }

  /** Moves on by `count` bytes and returns a view of them. */
  view(count: number): Uint8Array {
    const start = this.skip(count);
    return this.bytes.subarray(start, this.position);
  }

  /** @throws {@link InvalidModuleError} if there is anything left up to `end` */
  finish(what: string): void {
    if (this.position !== this.end)
      throw this.error(`${what} has ${this.end - this.position} bytes too many`);
  }

  /** An error that names the place. Made here, thrown by the caller. */
  error(reason: string): InvalidModuleError {
    return new InvalidModuleError(`${reason}, at byte ${this.position}`);
  }

  #long(maxBytes: number, lastByteFits: (byte: number) => boolean): { value: bigint; bits: number } {
    let value = 0n;
    for (let index = 0; index < maxBytes; index++) {
      const byte = this.byte();
      if (index === maxBytes - 1 && !lastByteFits(byte)) break;
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return { value, bits: 7 * (index + 1) };
    }
    throw this.error('a number has too many bits');
  }
}

function signExtend(value: number, bits: number): number {
  const shift = 32 - bits;
  return (value << shift) >> shift;
}
