import { describe, expect, it } from 'vitest';

import { addressOf, createView, detachView, Mmap } from '../src/index.js';

const readAt = (address: number, byteLength: number): number[] => {
  const view = createView(address, byteLength);
  const bytes = [...new Uint8Array(view)];
  detachView(view);
  return bytes;
};

describe('addressOf', () => {
  it('is that of a map for its views', () => {
    using map = Mmap.anonymous(65_536);
    expect(addressOf(new Uint8Array(map.view()))).toBe(map.address);
    expect(addressOf(new DataView(map.view(100, 50)))).toBe(map.address + 100);
  });

  it('leads to the bytes of plain, shared and WebAssembly buffers, offsets included', () => {
    for (const buffer of [new ArrayBuffer(64), new SharedArrayBuffer(64)]) {
      const bytes = new Uint8Array(buffer, 8, 3);
      bytes.set([1, 2, 3]);
      expect(readAt(addressOf(bytes), 3)).toEqual([1, 2, 3]);
      expect(addressOf(new Float64Array(buffer, 16))).toBe(addressOf(bytes) + 8);
    }
  });

  it('refuses what is nowhere or no bytes', () => {
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    for (const bytes of [detached, new Uint8Array(0)]) {
      expect(() => addressOf(bytes)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    }
    for (const other of [8, 'bytes', undefined, new ArrayBuffer(8)]) {
      expect(() => addressOf(other as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
  });
});
