import { describe, expect, it } from 'vitest';

import { createView, detachView, Mmap, platform } from '../../src/index.js';

const { pageSize } = platform();

describe('views of a map', () => {
  it('are the same object for the same range, and of any alignment', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const whole = map.view();
    expect(map.view(0, 3 * pageSize)).toBe(whole);
    expect(whole.byteLength).toBe(3 * pageSize);
    const odd = map.view(3, 7);
    expect(map.view(3, 7)).toBe(odd);
    expect(map.view(3, 8)).not.toBe(odd);
    expect(map.view(4, 7)).not.toBe(odd);
    new Uint8Array(odd).fill(5);
    expect([...new Uint8Array(whole).subarray(2, 11)]).toEqual([0, 5, 5, 5, 5, 5, 5, 5, 0]);
    expect(map.view(pageSize).byteLength).toBe(2 * pageSize);
  });

  it('are detached by detachView, one at a time, and made anew', () => {
    using map = Mmap.anonymous(3 * pageSize);
    const views = [map.view(0, 10), map.view(10, 10), map.view(20, 10)];
    new Uint8Array(views[1]!).fill(1);
    map.detachView(views[1]!);
    expect(views.map((view) => view.byteLength)).toEqual([10, 0, 10]);
    map.detachView(views[1]!);
    const again = map.view(10, 10);
    expect(again).not.toBe(views[1]);
    expect(new Uint8Array(again)[0]).toBe(1);
    expect(map.view(0, 10)).toBe(views[0]);
  });

  it('are all detached by close, and typed arrays over them read nothing', () => {
    const map = Mmap.anonymous(3 * pageSize);
    const views = [map.view(), map.view(0, 10), map.view(5, 5), map.view(pageSize, 0)];
    const array = new Uint8Array(map.view());
    const data = new DataView(map.view(0, 10));
    map.close();
    expect(views.every((view) => view.detached && view.byteLength === 0)).toBe(true);
    expect(array.length).toBe(0);
    expect(array[0]).toBeUndefined();
    expect(() => data.getUint8(0)).toThrow(TypeError);
  });

  it('a view detached behind our back is replaced', () => {
    using map = Mmap.anonymous(pageSize);
    const view = map.view();
    detachView(view);
    expect(map.view()).not.toBe(view);
    expect(map.view().byteLength).toBe(pageSize);
  });

  it('refuses views of others', () => {
    using map = Mmap.anonymous(pageSize);
    using other = Mmap.anonymous(pageSize);
    const code = 'ERR_INVALID_ARG_VALUE';
    expect(() => map.detachView(other.view())).toThrow(
      expect.objectContaining({ name: 'TypeError', code }) as Error,
    );
    expect(() => map.detachView(new ArrayBuffer(8))).toThrow(expect.objectContaining({ code }) as Error);
    expect(() => map.detachView(createView(map.address, 8))).toThrow(
      expect.objectContaining({ code }) as Error,
    );
    expect(() => map.detachView(new Uint8Array(8) as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }) as Error,
    );
    expect(other.view().detached).toBe(false);
  });

  it('refuses ranges outside', () => {
    using map = Mmap.anonymous(pageSize);
    for (const [offset, byteLength] of [
      [0, pageSize + 1],
      [pageSize, 1],
      [pageSize + 1, 0],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [1, 2 ** 53],
    ] as const) {
      expect(() => map.view(offset, byteLength)).toThrow(RangeError);
    }
    expect(() => map.view(pageSize + 1)).toThrow(RangeError);
    expect(() => map.view(Number.NaN)).toThrow(RangeError);
    expect(() => map.view('0' as never)).toThrow(TypeError);
    expect(map.view(pageSize).byteLength).toBe(0);
  });
});
