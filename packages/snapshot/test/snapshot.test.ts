import { inspect } from 'node:util';
import {
  codeSection,
  exportSection,
  memorySection,
  moduleOf,
  section,
  vector,
} from '@guardstripe/wasm-builder';
import { describe, expect, it } from 'vitest';

import { snapshot, type SnapshotMethod } from '../src/index.js';
import { bytesOf, instantiate } from './support/wasm.js';
import { obstacleTo, WAYS } from './support/ways.js';

const PAGE = 4096;
const WASM_PAGE = 65_536;

const code = (value: string) => expect.objectContaining({ code: value });

describe('a snapshot', () => {
  it('shows what it is', () => {
    const { instance, exports } = instantiate();
    exports.poke(5000, 1);
    const state = snapshot(instance, { method: 'copy' });
    expect(inspect(state)).toBe('Snapshot { 0x1000 (4 KiB) of 0x40000 (256 KiB), copy }');
    state.close();
    expect(inspect(state)).toBe('Snapshot { closed }');
  });
});

describe('what is no part of a snapshot', () => {
  it("is what lies in objects of WebAssembly's garbage collector, exported or not", () => {
    // (type $box (struct (field (mut i32)))) (global $g (export "box") (ref $box) (struct.new $box (i32.const 5)))
    const I32 = 0x7f;
    const bytes = moduleOf(
      section(
        1,
        vector([
          [0x5f, 1, I32, 1],
          [0x60, 0, 1, I32],
          [0x60, 1, I32, 0],
        ]),
      ),
      section(3, vector([[1], [2]])),
      memorySection({ minimum: 1 }),
      section(6, vector([[0x64, 0, 0, 0x41, 5, 0xfb, 0, 0, 0x0b]])),
      exportSection(['memory', 2, 0], ['get', 0, 0], ['set', 0, 1], ['box', 3, 0]),
      codeSection([0x23, 0, 0xfb, 2, 0, 0], [0x23, 0, 0x20, 0, 0xfb, 5, 0, 0]),
    );
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const { get, set } = instance.exports as { get: () => number; set: (value: number) => void };
    using state = snapshot(instance);
    set(9);
    state.restore();
    expect(get()).toBe(9);
  });
});

describe.each(WAYS)('a snapshot, %s', (method: SnapshotMethod) => {
  const options = { method };

  it('goes that way where the kernel has it', (context) => {
    const obstacle = obstacleTo(method);
    if (obstacle !== undefined) context.skip(obstacle);
    using state = snapshot(instantiate().instance, options);
    expect(state.method).toBe(method);
    state.restore();
    expect(state.method).toBe(method);
  });

  it('brings every byte back, again and again', () => {
    const { instance, exports } = instantiate();
    for (let address = 0; address < 4 * WASM_PAGE; address += 5003) exports.poke(address, address % 251);
    using state = snapshot(instance, options);
    const before = bytesOf(exports.memory);
    for (let round = 1; round <= 20; round++) {
      for (let i = 0; i < round * 3; i++) exports.poke((i * 7919 * round) % (4 * WASM_PAGE), round);
      expect(bytesOf(exports.memory).equals(before)).toBe(false);
      state.restore();
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
    }
  });

  it('brings back writes from JavaScript, bulk instructions and the kernel', async () => {
    const { instance, exports } = instantiate();
    exports.fill(PAGE, 7, 3 * PAGE);
    using state = snapshot(instance, options);
    const before = bytesOf(exports.memory);
    const { open } = await import('node:fs/promises');
    await using file = await open('/dev/zero', 'r');
    exports.fill(100, 9, 70_000);
    new Uint8Array(exports.memory.buffer).fill(3, 2 * WASM_PAGE, 2 * WASM_PAGE + 10);
    await file.read(new Uint8Array(exports.memory.buffer, PAGE, 2 * PAGE));
    state.restore();
    expect(bytesOf(exports.memory).equals(before)).toBe(true);
  });

  it('turns pages that came since into zeros, and goes on', () => {
    const { instance, exports } = instantiate();
    exports.poke(5, 1);
    using state = snapshot(instance, options);
    for (let round = 0; round < 3; round++) {
      exports.grow(2);
      const { byteLength } = exports.memory.buffer;
      exports.poke(byteLength - 1, 9);
      exports.poke(5, 9);
      exports.poke(4 * WASM_PAGE, 9);
      state.restore();
      expect(exports.memory.buffer.byteLength).toBe(byteLength);
      expect([exports.peek(5), exports.peek(4 * WASM_PAGE), exports.peek(byteLength - 1)]).toEqual([1, 0, 0]);
    }
    expect(() => exports.poke(exports.memory.buffer.byteLength, 1)).toThrow(WebAssembly.RuntimeError);
  });

  it('keeps views valid, which show the bytes that are there again', () => {
    const { instance, exports } = instantiate();
    const view = new Uint8Array(exports.memory.buffer);
    view[10] = 4;
    using state = snapshot(instance, options);
    view[10] = 5;
    state.restore();
    expect(view[10]).toBe(4);
    expect(view.buffer).toBe(exports.memory.buffer);
  });

  it('brings exported globals and tables back', () => {
    const { instance, exports } = instantiate();
    using state = snapshot(instance, options);
    const [first, second] = [exports.table.get(1), exports.table.get(2)];
    exports.counter.value = 1000;
    exports.wide.value = 2n ** 60n;
    exports.table.set(1, second);
    exports.table.set(2, null);
    exports.table.set(5, first);
    exports.table.grow(3, first);
    state.restore();
    expect([exports.counter.value, exports.wide.value]).toEqual([7, 8n]);
    const entries = Array.from({ length: exports.table.length }, (_, i): unknown => exports.table.get(i));
    expect(entries).toEqual([null, first, second, ...Array<null>(8).fill(null)]);
    expect([exports.indirect(1), exports.indirect(2)]).toEqual([10, 11]);
  });

  it('lists the pages that changed, byte by byte compared', () => {
    const { instance, exports } = instantiate();
    exports.poke(PAGE, 1);
    using state = snapshot(instance, options);
    expect(state.changedPages()).toEqual([]);
    exports.poke(PAGE, 1); // written, and the same
    exports.poke(3 * PAGE, 1);
    exports.poke(4 * PAGE + 5, 1);
    exports.poke(3 * WASM_PAGE, 1);
    expect(state.changedPages()).toEqual([
      { memory: 0, offset: 3 * PAGE, byteLength: 2 * PAGE },
      { memory: 0, offset: 3 * WASM_PAGE, byteLength: PAGE },
    ]);
    expect(state.changedBytes()).toBe(3 * PAGE);
    exports.grow(1);
    exports.poke(4 * WASM_PAGE, 1);
    expect(state.changedBytes()).toBe(4 * PAGE);
    state.restore();
    expect(state.changedBytes()).toBe(0);
  });

  it.each([
    ['without a maximum', [{ initial: 2 }]],
    ['with 64-bit addresses', [{ initial: 2, maximum: 8, is64: true }]],
    ['with 64-bit addresses and no maximum', [{ initial: 2, is64: true }]],
    ['of one page', [{ initial: 1, maximum: 8 }]],
    ['empty', [{ initial: 0, maximum: 8 }]],
  ])('of a memory %s', (_, shape) => {
    const { instance, exports } = instantiate(shape);
    const { byteLength } = exports.memory.buffer;
    if (byteLength > 0) exports.poke(9, 9);
    using state = snapshot(instance, options);
    const before = bytesOf(exports.memory);
    for (let round = 0; round < 3; round++) {
      exports.grow(1);
      exports.fill(0, 5, exports.memory.buffer.byteLength);
      state.restore();
      const after = bytesOf(exports.memory);
      expect(after.subarray(0, byteLength).equals(before)).toBe(true);
      expect(after.subarray(byteLength).every((byte) => byte === 0)).toBe(true);
    }
  });

  it('of a memory that V8 moves when it grows', () => {
    // 64-bit memories without a maximum get no room to grow in place.
    const { instance, exports } = instantiate([{ initial: 1, is64: true }]);
    exports.poke(77, 7);
    using state = snapshot(instance, options);
    for (const pages of [100, 1000, 10_000]) {
      exports.grow(pages);
      exports.poke(exports.memory.buffer.byteLength - 1, 1);
      exports.poke(77, 1);
      state.restore();
      expect([exports.peek(77), exports.peek(exports.memory.buffer.byteLength - 1)]).toEqual([7, 0]);
      exports.poke(77, 2);
      state.restore();
      expect(exports.peek(77)).toBe(7);
    }
  });

  it('of several memories of an instance, as one', () => {
    const { instance, exports } = instantiate([{ initial: 2, maximum: 4 }, { initial: 3 }]);
    exports.poke(1, 1);
    exports.poke1(2 * WASM_PAGE, 2);
    using state = snapshot(instance, options);
    exports.poke(1, 9);
    exports.poke1(2 * WASM_PAGE, 9);
    expect(state.changedPages().map(({ memory }) => memory)).toEqual([0, 1]);
    state.restore();
    expect([exports.peek(1), exports.peek1(2 * WASM_PAGE)]).toEqual([1, 2]);
    expect(state.byteLength).toBe(5 * WASM_PAGE);
  });

  it('of a shared memory, whose threads are said to be at rest', () => {
    const { instance, exports } = instantiate([{ initial: 2, maximum: 8, shared: true }]);
    expect(() => snapshot(instance, options)).toThrow(code('ERR_SNAPSHOT_SHARED_MEMORY'));
    exports.poke(1, 1);
    using state = snapshot(instance, { ...options, threadsAtRest: true });
    expect(state.method).not.toBe('laid');
    exports.poke(1, 2);
    exports.grow(1);
    exports.poke(2 * WASM_PAGE, 2);
    state.restore();
    expect([exports.peek(1), exports.peek(2 * WASM_PAGE)]).toEqual([1, 0]);
  });

  it('nested in another: each goes back to its own state', () => {
    const { instance, exports } = instantiate();
    exports.poke(0, 1);
    using outer = snapshot(instance, options);
    exports.poke(0, 2);
    exports.poke(WASM_PAGE, 2);
    using inner = snapshot(instance, options);
    const state = () => [exports.peek(0), exports.peek(WASM_PAGE), exports.peek(9 * PAGE)];
    for (const [back, expected] of [
      [inner, [2, 2, 0]],
      [outer, [1, 0, 0]],
      [outer, [1, 0, 0]],
      [inner, [2, 2, 0]],
    ] as const) {
      exports.poke(9 * PAGE, 9);
      exports.poke(0, 9);
      back.restore();
      expect(state()).toEqual(expected);
    }
    inner.close();
    exports.poke(0, 9);
    outer.restore();
    expect(state()).toEqual([1, 0, 0]);
  });

  it('lets the instance be, once it is closed', () => {
    const { instance, exports } = instantiate();
    exports.fill(0, 6, 2 * WASM_PAGE);
    const state = snapshot(instance, options);
    exports.poke(0, 9);
    state.close();
    state.close();
    expect([exports.peek(0), exports.peek(1)]).toEqual([9, 6]);
    exports.poke(1, 2);
    exports.grow(1);
    expect(exports.peek(1)).toBe(2);
    for (const use of [
      () => state.restore(),
      () => state.restoreInto(instance),
      () => state.changedPages(),
      () => state.changedBytes(),
    ]) {
      expect(use).toThrow(code('ERR_SNAPSHOT_CLOSED'));
    }
  });
});
