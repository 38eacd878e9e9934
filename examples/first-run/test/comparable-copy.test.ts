import { describe, expect, it } from 'vitest';
import { comparableCopy, exportNameOf } from '../src/comparable-copy.ts';
import { webAssembly } from '../src/webassembly.ts';
import {
  data,
  exportsMemory,
  functions,
  memories,
  start,
  storesAtZero,
  types,
  wasm,
} from './support/wasm.ts';

function memoryOfInstance(bytes: Uint8Array, name: string): Uint8Array {
  const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), {});
  return new Uint8Array((exports[name] as { buffer: ArrayBuffer }).buffer);
}

describe('comparableCopy', () => {
  it('exports a memory that the module keeps to itself', () => {
    const copy = comparableCopy(wasm(memories({ minimum: 1 }), data(0, 5, [7])), [0]);
    expect(memoryOfInstance(copy.bytes, exportNameOf(0))[5]).toBe(7);
    expect(copy.changes).toEqual([]);
  });

  it('keeps the exports that are there', () => {
    const copy = comparableCopy(
      wasm(memories({ minimum: 1 }, { minimum: 2 }, { minimum: 3 }), exportsMemory, data(2, 9, [7])),
      [0, 1, 2],
    );
    expect(memoryOfInstance(copy.bytes, 'memory').byteLength).toBe(65_536);
    expect(memoryOfInstance(copy.bytes, exportNameOf(1)).byteLength).toBe(2 * 65_536);
    expect(memoryOfInstance(copy.bytes, exportNameOf(2))[9]).toBe(7);
  });

  it('leaves the start function out, which would change the memory', () => {
    const module = wasm(
      types,
      functions,
      memories({ minimum: 1 }),
      exportsMemory,
      start,
      storesAtZero,
      data(0, 0, [1, 2]),
    );
    expect(memoryOfInstance(module, 'memory').slice(0, 2)).toEqual(Uint8Array.of(0x63, 2));
    const copy = comparableCopy(module, [0]);
    expect(memoryOfInstance(copy.bytes, exportNameOf(0)).slice(0, 2)).toEqual(Uint8Array.of(1, 2));
    expect(copy.changes).toEqual(['its start function left out']);
  });

  it('adds its exports at the end where nothing follows', () => {
    const copy = comparableCopy(wasm(memories({ minimum: 1 })), [0]);
    expect(memoryOfInstance(copy.bytes, exportNameOf(0)).byteLength).toBe(65_536);
  });
});
