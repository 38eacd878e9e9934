import { runInNewContext } from 'node:vm';

import { describe, expect, it } from 'vitest';

import { snapshot } from '../../src/index.js';
import { instantiate } from '../support/wasm.js';

const code = (value: string) => expect.objectContaining({ code: value });

describe('what a snapshot is taken of', () => {
  it('can be an instance, its exports, a memory, or an array of them', () => {
    const { instance, exports } = instantiate([{ initial: 2 }, { initial: 1 }]);
    const single = new WebAssembly.Memory({ initial: 1 });
    for (const target of [
      instance,
      instance.exports,
      { ...instance.exports },
      exports.memory,
      [exports.memory, exports.memory1],
      [instance, single],
      [exports.memory, exports.memory, exports.memory],
    ]) {
      using state = snapshot(target);
      exports.poke(9, 9);
      state.restore();
      expect(exports.peek(9)).toBe(0);
    }
    using both = snapshot([exports.memory, exports.memory, single]);
    expect(both.byteLength).toBe(3 * 65_536);
  });

  it('can come from another realm', () => {
    const foreign = runInNewContext('new WebAssembly.Memory({ initial: 1 })') as WebAssembly.Memory;
    expect(foreign instanceof WebAssembly.Memory).toBe(false);
    using state = snapshot(foreign);
    new Uint8Array(foreign.buffer)[0] = 1;
    state.restore();
    expect(new Uint8Array(foreign.buffer)[0]).toBe(0);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['bytes', new Uint8Array(65_536)],
    ['a table', new WebAssembly.Table({ element: 'anyfunc', initial: 1 })],
    ['an object of a class', new Map()],
    ['an array in an array', [[new WebAssembly.Memory({ initial: 1 })]]],
    [
      'a revoked proxy',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      })(),
    ],
    ['what only calls itself a memory', { [Symbol.toStringTag]: 'WebAssembly.Memory' }],
  ])('cannot be %s', (_, target) => {
    expect(() => snapshot(target as never)).toThrow(TypeError);
  });

  it('must have a memory', () => {
    const empty = new WebAssembly.Instance(
      new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)),
    );
    for (const target of [empty, {}, [], empty.exports])
      expect(() => snapshot(target)).toThrow(code('ERR_INVALID_ARG_VALUE'));
  });

  it('is reached by V8’s own methods, whatever its object carries', () => {
    const { instance, exports } = instantiate();
    const decoy = new ArrayBuffer(65_536);
    Object.defineProperty(exports.memory, 'buffer', { value: decoy, configurable: true });
    exports.poke(1, 1);
    using state = snapshot(instance);
    exports.poke(1, 2);
    state.restore();
    expect(exports.peek(1)).toBe(1);
  });

  it('tells -0 from 0 in a table', () => {
    const table = new WebAssembly.Table({ element: 'externref', initial: 2 });
    table.set(0, -0);
    using state = snapshot({ memory: new WebAssembly.Memory({ initial: 1 }), table });
    table.set(0, 0);
    table.set(1, -0);
    state.restore();
    expect([table.get(0), table.get(1)]).toEqual([-0, undefined]);
  });

  it('saves NaN, -0 and references of globals as they are', () => {
    const float = new WebAssembly.Global({ value: 'f64', mutable: true }, NaN);
    const zero = new WebAssembly.Global({ value: 'f32', mutable: true }, -0);
    const object = { any: 'thing' };
    const reference = new WebAssembly.Global({ value: 'externref', mutable: true }, object);
    using state = snapshot({ memory: new WebAssembly.Memory({ initial: 1 }), float, zero, reference });
    float.value = 1;
    zero.value = 0;
    reference.value = undefined;
    state.restore();
    expect([float.value, zero.value, reference.value]).toEqual([NaN, -0, object]);
    expect(reference.value).toBe(object);
  });

  it('refuses what only looks like an object of V8, also among exports', () => {
    const { instance, exports } = instantiate();
    using state = snapshot(instance);
    const { Memory, Instance, Table } = WebAssembly;
    const lookalikes = [
      ...[instance, exports.memory].map((real) => new Proxy(real, {})),
      ...[Memory, Instance].flatMap(({ prototype }) => [prototype, Object.create(prototype) as object]),
      { memory: new Proxy(exports.memory, {}) },
      { memory: exports.memory, table: Object.create(Table.prototype) as object },
    ];
    for (const each of lookalikes) {
      expect(() => snapshot(each)).toThrow(code('ERR_INVALID_ARG_TYPE'));
      expect(() => state.restoreInto(each)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    }
  });

  it('refuses options that it does not know or that cannot be', () => {
    const { instance } = instantiate();
    expect(() => snapshot(instance, { methods: 'copy' } as never)).toThrow(/did you mean 'method'/);
    expect(() => snapshot(instance, { method: 'fast' as never })).toThrow(code('ERR_INVALID_ARG_VALUE'));
    expect(() => snapshot(instance, { threadsAtRest: 1 as never })).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => snapshot(instance, { module: {} })).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => snapshot(instance, { virtualMemory: {} as never })).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => snapshot(instance, 'copy' as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  });
});
