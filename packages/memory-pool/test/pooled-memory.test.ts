/** Copying access: ranges are checked, nothing is handed out, and nothing that a caller can replace is trusted. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryFreedError } from '../src/index.js';
import { PAGE, smallPool, zeroModule } from './support/memories.js';

const SIZE = 2 * PAGE;

describe('read, readInto, write and fill', () => {
  it('do what a plain array does, at any place, also after a grow', () => {
    const place = fc.tuple(fc.nat({ max: 3 * PAGE }), fc.nat({ max: 300 }));
    const action = fc.record({
      place,
      value: fc.integer({ min: 0, max: 255 }),
      kind: fc.constantFrom('write', 'fill', 'grow'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
        using pool = smallPool();
        const memory = pool.openStore().allocate({ module: zeroModule() });
        let model = Buffer.alloc(SIZE);
        for (const {
          place: [at, length],
          value,
          kind,
        } of actions) {
          if (kind === 'grow') {
            if (model.length === SIZE) model = Buffer.concat([model, Buffer.alloc(PAGE)]);
            if (memory.byteLength < model.length) memory.grow(1);
          } else if (at + length > model.length) {
            const action = () =>
              kind === 'fill' ? memory.fill(value, at, length) : memory.write(at, new Uint8Array(length));
            expect(action).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
          } else if (kind === 'fill') {
            memory.fill(value, at, length);
            model.fill(value, at, at + length);
          } else {
            memory.write(at, new Uint8Array(length).fill(value));
            model.fill(value, at, at + length);
          }
          const into = new Uint8Array(model.length);
          memory.readInto(into, 0);
          expect(model.equals(into)).toBe(true);
        }
        expect(model.equals(memory.read(0, model.length))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    [-1, 1],
    [0, -1],
    [SIZE, 1],
    [0, SIZE + 1],
    [1.5, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
    [1, Number.MAX_SAFE_INTEGER],
    [Infinity, 0],
  ])('refuse %d, %d', (offset, byteLength) => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module: zeroModule() });
    const outOfRange = expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' });
    expect(() => memory.read(offset, byteLength)).toThrow(outOfRange);
    expect(() => memory.fill(1, offset, byteLength)).toThrow(outOfRange);
  });

  it('refuse what is no number, no bytes, no byte, and a memory that was freed', () => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module: zeroModule() });
    const wrongType = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
    for (const wrong of ['1', 1n, null, undefined, {}, Object.create(null), Symbol('s')]) {
      expect(() => memory.read(wrong as number, 1)).toThrow(wrongType);
      expect(() => memory.read(0, wrong as number)).toThrow(wrongType);
      expect(() => memory.fill(wrong as number, 0, 1)).toThrow(wrongType);
      expect(() => memory.write(0, wrong as unknown as Uint8Array)).toThrow(wrongType);
      expect(() => memory.readInto(wrong as unknown as Uint8Array, 0)).toThrow(wrongType);
    }
    for (const value of [-1, 256, 0.5, Number.NaN]) {
      expect(() => memory.fill(value, 0, 1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    }
    memory.free();
    expect(() => memory.read(0, 0)).toThrow(MemoryFreedError);
    expect(() => memory.write(0, new Uint8Array(0))).toThrow(MemoryFreedError);
  });

  it('refuse bytes that were transferred away, or lie behind the end of their buffer', () => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module: zeroModule() });
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    const shrunk = new ArrayBuffer(16, { maxByteLength: 16 });
    const behind = new Uint8Array(shrunk, 8, 8);
    shrunk.resize(4);
    const wrongValue = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
    for (const bytes of [detached, behind]) {
      expect(() => memory.write(0, bytes)).toThrow(wrongValue);
      expect(() => memory.readInto(bytes, 0)).toThrow(wrongValue);
    }
    memory.write(0, new Uint8Array(0));
    memory.readInto(new Uint8Array(shrunk, 4, 0), 0);
  });

  it('believe the array, not its properties, and give no buffer to a species', () => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module: zeroModule() });
    const target = new Uint8Array(4).fill(7);
    for (const name of ['length', 'byteLength']) Object.defineProperty(target, name, { value: SIZE * 2 });
    memory.readInto(target, SIZE - 4);
    const given: unknown[] = [];
    class Greedy extends Uint8Array {
      constructor(...args: unknown[]) {
        super(...(args as [number]));
        given.push(args[0]);
      }
    }
    const source = new Greedy(4);
    given.length = 0;
    const species = Object.getOwnPropertyDescriptor(
      Object.getPrototypeOf(Uint8Array) as object,
      Symbol.species,
    )!;
    Object.defineProperty(Uint8Array, Symbol.species, { configurable: true, value: Greedy });
    try {
      memory.write(0, source);
      memory.readInto(source, 0);
      memory.read(0, 4);
      memory.fill(1, 0, 4);
    } finally {
      Object.defineProperty(Uint8Array, Symbol.species, { configurable: true, ...species });
    }
    expect(given).toEqual([]);
    expect(new Uint8Array(target.buffer)).toEqual(new Uint8Array(4));
  });
});
