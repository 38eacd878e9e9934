/** What hosts do to memories beside calling into them. */
import { open } from 'node:fs/promises';
import { addressOf, platform, type VirtualMemory } from '@guardstripe/mmap';
import { describe, expect, it } from 'vitest';
import { snapshot } from '../src/index.js';
import { bytesOf, instantiate } from './support/wasm.js';
import { WAYS } from './support/ways.js';

const WASM_PAGE = 65_536;
const PAGE = 4096;

/** The system with some of what it offers left out, as an older kernel or a sandbox around the process has it. */
function without(...missing: readonly (keyof VirtualMemory)[]): VirtualMemory {
  return new Proxy(platform(), {
    get: (target, name: keyof VirtualMemory) => (missing.includes(name) ? false : target[name]),
  });
}

describe.each(WAYS)('a snapshot, %s,', (method) => {
  it('of locked pages', () => {
    const { instance, exports } = instantiate();
    exports.fill(WASM_PAGE, 5, WASM_PAGE);
    const before = bytesOf(exports.memory);
    const address = addressOf(new Uint8Array(exports.memory.buffer));
    const system = platform();
    system.lock(address, 4 * WASM_PAGE, false);
    try {
      using state = snapshot(instance, { method });
      const fork = instantiate();
      const forkAddress = addressOf(new Uint8Array(fork.exports.memory.buffer));
      system.lock(forkAddress, 4 * WASM_PAGE, false);
      fork.exports.fill(0, 8, 4 * WASM_PAGE);
      for (let round = 0; round < 5; round++) {
        exports.fill(round * PAGE, 9, 2 * WASM_PAGE);
        state.restore();
        expect(bytesOf(exports.memory).equals(before)).toBe(true);
        state.restoreInto(fork.instance);
        expect(bytesOf(fork.exports.memory).equals(before)).toBe(true);
        fork.exports.fill(round, 7, WASM_PAGE);
      }
      system.unlock(forkAddress, 4 * WASM_PAGE);
    } finally {
      system.unlock(address, 4 * WASM_PAGE);
    }
  });

  it('of huge pages', () => {
    const shape = [{ initial: 128, maximum: 256 }];
    const { instance, exports } = instantiate(shape);
    const bytes = new Uint8Array(exports.memory.buffer);
    const address = addressOf(bytes);
    const aligned = Math.ceil(address / 2 ** 21) * 2 ** 21;
    platform().advise(aligned, 2 ** 22, 'hugepage');
    bytes.fill(3);
    bytes.fill(0, 2 ** 21 + 5000, 2 ** 21 + 900_000);
    using state = snapshot(instance, { method });
    const before = bytesOf(exports.memory);
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 50; i++) bytes[(i * 162_017 + round) % bytes.length] = round;
      state.restore();
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
    }
  });

  it('undoes what the system wrote into the memory on another thread, once that has ended', async () => {
    const { instance, exports } = instantiate();
    exports.fill(0, 5, WASM_PAGE);
    using state = snapshot(instance, { method });
    const before = bytesOf(exports.memory);
    await using file = await open('/dev/urandom', 'r');
    const view = new Uint8Array(exports.memory.buffer, 0, 2 * WASM_PAGE);
    for (let round = 0; round < 10; round++) {
      await file.read(view, round, view.length - round, null);
      state.restore();
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
    }
  });

  it('of a memory whose buffer can be resized', (context) => {
    const { instance, exports } = instantiate();
    const resizable = exports.memory as unknown as { toResizableBuffer?: () => ArrayBuffer };
    if (resizable.toResizableBuffer === undefined) {
      context.skip('this V8 has no resizable buffers of memories');
      return;
    }
    const buffer = resizable.toResizableBuffer();
    exports.poke(1, 1);
    using state = snapshot(instance, { method });
    exports.grow(2);
    expect(exports.memory.buffer).toBe(buffer);
    exports.fill(0, 9, 6 * WASM_PAGE);
    state.restore();
    expect(
      bytesOf(exports.memory)
        .subarray(2)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(exports.peek(1)).toBe(1);
    buffer.resize(7 * WASM_PAGE);
    exports.fill(0, 9, 7 * WASM_PAGE);
    state.restore();
    expect([exports.peek(1), exports.peek(7 * WASM_PAGE - 1)]).toEqual([1, 0]);
  });

  it('of a large memory that is all holes takes next to no memory', () => {
    const { instance, exports } = instantiate([{ initial: 8192, maximum: 16_384 }]);
    for (let i = 0; i < 100; i++) exports.poke(i * 5_000_011, 1);
    const before = process.memoryUsage().rss;
    using state = snapshot(instance, { method });
    expect(state.byteLength).toBe(2 ** 29);
    for (let i = 0; i < 100; i++) exports.poke(i * 5_000_011, 2);
    exports.poke(77, 2);
    state.restore();
    expect([exports.peek(0), exports.peek(77), exports.peek(99 * 5_000_011)]).toEqual([1, 0, 1]);
    const fork = instantiate([{ initial: 8192, maximum: 16_384 }]);
    state.restoreInto(fork.instance);
    expect(state.changedBytes()).toBe(0);
    for (let round = 0; round < 2; round++) {
      const wanted = Array.from({ length: 100 }, (_, i) => [
        fork.exports.peek(i * 5_000_011),
        fork.exports.peek(i * 5_000_011 + 1),
      ]);
      expect(wanted).toEqual(Array.from({ length: 100 }, () => [1, 0]));
      for (let i = 0; i < 100; i++) fork.exports.fill(i * 5_000_011, 9, 2);
      state.restoreInto(fork.instance);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
    expect(state.savedBytes).toBe(100 * PAGE);
  });

  it('goes on with the stack of a call that has trapped', () => {
    const { instance, exports } = instantiate();
    exports.poke(1, 1);
    using state = snapshot(instance, { method });
    exports.poke(1, 2);
    expect(() => exports.poke(2 ** 31, 1)).toThrow(WebAssembly.RuntimeError);
    state.restore();
    expect(exports.peek(1)).toBe(1);
  });
});

describe('on a kernel that has less', () => {
  it.each([
    ['no userfaultfd', ['canWatchWrites'], 'laid'],
    ['no scan of page tables', ['canScanDirtyPages', 'canWatchWrites'], 'copy'],
  ] as const)('%s: the next way is taken, with the same bytes', (_, missing, expected) => {
    const virtualMemory = without(...missing);
    const { instance, exports } = instantiate();
    exports.fill(100, 5, 3 * WASM_PAGE);
    using state = snapshot(instance, { virtualMemory });
    const before = bytesOf(exports.memory);
    expect(state.method).toBe(expected);
    const fork = instantiate();
    for (let round = 0; round < 5; round++) {
      exports.fill(round * 3000, 9, WASM_PAGE);
      state.restore();
      state.restoreInto(fork.instance);
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
      expect(bytesOf(fork.exports.memory).equals(before)).toBe(true);
      fork.exports.fill(round, 9, 4 * WASM_PAGE - round);
    }
  });
});
