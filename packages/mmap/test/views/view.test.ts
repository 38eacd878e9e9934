import { afterAll, describe, expect, it } from 'vitest';

import { createView, detachView, Mmap, platform } from '../../src/index.js';

const { pageSize } = platform();
const map = Mmap.anonymous(3 * pageSize);
afterAll(() => map.close());

describe('createView', () => {
  it('reads and writes the memory at an address', () => {
    const [one, two] = [createView(map.address, 64), createView(map.address + 1, 8)];
    new Uint8Array(two)[0] = 42;
    expect(new Uint8Array(one)[1]).toBe(42);
    detachView(one);
    detachView(two);
  });

  it('refuses to be transferred by its own methods, which nobody changes for all views', () => {
    const view = createView(map.address, 16);
    for (const name of ['transfer', 'transferToFixedLength'] as const) {
      expect(() => view[name]()).toThrow(
        expect.objectContaining({ code: 'ERR_VIEW_NOT_TRANSFERABLE' }) as Error,
      );
      expect(() => view[name](0)).toThrow(TypeError);
      expect(Reflect.set(view, name, ArrayBuffer.prototype[name])).toBe(false);
      expect(Reflect.deleteProperty(Object.getPrototypeOf(view) as object, name)).toBe(false);
    }
    expect(Object.keys(view)).toEqual([]);
    expect(view.byteLength).toBe(16);
    detachView(view);
  });

  it('cannot be moved out by structuredClone or a message port', () => {
    const view = createView(map.address, 16);
    expect(() => structuredClone(view, { transfer: [view] })).toThrow(/transfer/i);
    const { port1, port2 } = new MessageChannel();
    expect(() => port1.postMessage(view, [view])).toThrow(/transfer|clone/i);
    port1.close();
    port2.close();
    expect(view.byteLength).toBe(16);
    detachView(view);
  });

  it('makes empty views over nothing', () => {
    const view = createView(map.address, 0);
    expect(view.byteLength).toBe(0);
    expect(view.detached).toBe(false);
    expect(() => view.transfer()).toThrow(TypeError);
    detachView(view);
    expect(view.detached).toBe(true);
  });

  it('makes views above 4 GiB', () => {
    using large = Mmap.reserve(8 * 2 ** 30);
    large.makeAccessible(5 * 2 ** 30, pageSize);
    const view = createView(large.address, large.byteLength);
    const bytes = new Uint8Array(view);
    bytes[5 * 2 ** 30] = 3;
    const part = createView(large.address + 5 * 2 ** 30, 1);
    expect(new Uint8Array(part)[0]).toBe(3);
    detachView(part);
    detachView(view);
  });

  it.each([
    [0, 8],
    [-4096, 8],
    [1.5, 8],
    [Number.NaN, 8],
    [2 ** 53, 8],
    [4096, -1],
    [4096, 0.5],
    [2 ** 47, 2 ** 53 - 1],
  ])('refuses address %d, length %d', (address, byteLength) => {
    expect(() => createView(address, byteLength)).toThrow(RangeError);
  });
});

describe('detachView', () => {
  it('detaches at once, and again for nothing', () => {
    const view = createView(map.address, 16);
    const bytes = new Uint8Array(view);
    detachView(view);
    expect(view.detached).toBe(true);
    expect(bytes.length).toBe(0);
    detachView(view);
  });

  it('leaves foreign buffers alone', () => {
    const foreign = new ArrayBuffer(8);
    expect(() => detachView(foreign)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }) as Error,
    );
    expect(foreign.byteLength).toBe(8);
    for (const value of [undefined, null, 5, {}, new Uint8Array(4), new SharedArrayBuffer(4)]) {
      expect(() => detachView(value as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
      );
    }
  });
});
