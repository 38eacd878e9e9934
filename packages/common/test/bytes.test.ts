import { runInNewContext } from 'node:vm';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bytesOf, isBytes } from '../src/index.ts';

const wrongType = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }) as Error;

describe('bytesOf', () => {
  it('is the same bytes of the same buffer', () => {
    fc.assert(
      fc.property(fc.nat(64), fc.nat(64), (offset, byteLength) => {
        const { buffer } = new Uint8Array(128);
        const bytes = bytesOf(new Uint8Array(buffer, offset, byteLength), 'bytes');
        expect(bytes.byteLength).toBe(byteLength);
        new Uint8Array(buffer, offset, byteLength).fill(7);
        expect(bytes.every((byte) => byte === 7)).toBe(true);
      }),
    );
  });

  it('takes shared buffers, Buffers and arrays of other realms', () => {
    expect(bytesOf(new Uint8Array(new SharedArrayBuffer(8)), 'bytes').byteLength).toBe(8);
    expect(bytesOf(Buffer.alloc(8), 'bytes').byteLength).toBe(8);
    expect(bytesOf(runInNewContext('new Uint8Array(8)'), 'bytes').byteLength).toBe(8);
  });

  it('does not believe what is put over the real length, offset and buffer', () => {
    class Longer extends Uint8Array {
      override get byteLength() {
        return 4096;
      }
      override get byteOffset() {
        return -4096;
      }
      override get buffer() {
        return new ArrayBuffer(4096);
      }
    }
    expect(bytesOf(new Longer(8), 'bytes').byteLength).toBe(8);
    const marked = new Uint8Array(8).fill(3);
    for (const name of ['byteLength', 'length', 'buffer', 'constructor', Symbol.toStringTag]) {
      Object.defineProperty(marked, name, { value: 4096 });
    }
    expect([...bytesOf(marked, 'bytes')]).toEqual(Array(8).fill(3));
  });

  it('has nothing of a detached buffer', () => {
    const bytes = new Uint8Array(8);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    expect(bytesOf(bytes, 'bytes').byteLength).toBe(0);
  });

  it.each([
    ['an object with its prototype', Object.create(Uint8Array.prototype, { byteLength: { value: 8 } })],
    ['a proxy', new Proxy(new Uint8Array(8), {})],
    ['another kind of array', new Uint16Array(8)],
    ['a buffer', new ArrayBuffer(8)],
    ['an array', [1, 2]],
    ['nothing', undefined],
    ['null', null],
    ['a string', 'Uint8Array'],
  ])('refuses %s', (_, value: unknown) => {
    expect(() => bytesOf(value, 'bytes')).toThrow(wrongType);
  });
});

describe('isBytes', () => {
  it('knows those of other realms, and who only looks like them', () => {
    expect(isBytes(new Uint8Array(8))).toBe(true);
    expect(isBytes(runInNewContext('new Uint8Array(8)'))).toBe(true);
    for (const other of [new Uint16Array(8), new ArrayBuffer(8), 'Uint8Array', undefined])
      expect(isBytes(other)).toBe(false);
  });

  it.each([
    ['a proxy', new Proxy(new Uint8Array(8), {})],
    ['its prototype', Object.create(Uint8Array.prototype)],
  ])('%s is told why it is none', (_, value: unknown) => {
    expect(isBytes(value)).toBe(false);
    expect(() => bytesOf(value, 'bytes')).toThrow(
      'Received an instance of Uint8Array. A proxy, or an object with the prototype alone, has no bytes',
    );
  });
});
