/** The bits of NaNs in exported globals: those of a user do not reach the next. */
import { describe, expect, it } from 'vitest';
import { exportSection, moduleOf, section, vector, byteVector, memoryType } from '@guardstripe/wasm-builder';

import { createInstancePool, snapshot } from '../../src/index.js';

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly f32: WebAssembly.Global;
  readonly f64: WebAssembly.Global;
  readonly getF32: () => number;
  readonly setF32: (bits: number) => void;
  readonly getF64: () => bigint;
  readonly setF64: (bits: bigint) => void;
}

const [F32, F64, I32, I64, FUNC, END] = [0x7d, 0x7c, 0x7f, 0x7e, 0x60, 0x0b];
const body = (...code: number[]): number[] => byteVector([0, ...code, END]);

const module = new WebAssembly.Module(
  moduleOf(
    section(
      1,
      vector([
        [FUNC, 0, 1, I32],
        [FUNC, 1, I32, 0],
        [FUNC, 0, 1, I64],
        [FUNC, 1, I64, 0],
      ]),
    ),
    section(3, vector([[0], [1], [2], [3]])),
    section(5, vector([memoryType({ minimum: 1 })])),
    section(
      6,
      vector([
        [F32, 1, 0x43, 0, 0, 0, 0, END],
        [F64, 1, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, END],
      ]),
    ),
    exportSection(
      ['memory', 2, 0],
      ['f32', 3, 0],
      ['f64', 3, 1],
      ['getF32', 0, 0],
      ['setF32', 0, 1],
      ['getF64', 0, 2],
      ['setF64', 0, 3],
    ),
    section(
      10,
      vector([
        body(0x23, 0, 0xbc), // i32.reinterpret_f32 (global.get 0)
        body(0x20, 0, 0xbe, 0x24, 0),
        body(0x23, 1, 0xbd),
        body(0x20, 0, 0xbf, 0x24, 1),
      ]),
    ),
  ),
);

const make = (): WebAssembly.Instance => new WebAssembly.Instance(module);
const exportsOf = ({ exports }: WebAssembly.Instance): Exports => exports as unknown as Exports;
const bitsOf = (instance: WebAssembly.Instance): readonly [number, bigint] => {
  const { getF32, getF64 } = exportsOf(instance);
  return [getF32() >>> 0, BigInt.asUintN(64, getF64())];
};

function set(instance: WebAssembly.Instance, [f32, f64]: readonly [number, bigint]): void {
  const { setF32, setF64 } = exportsOf(instance);
  setF32(f32 | 0);
  setF64(BigInt.asIntN(64, f64));
}

/** Quiet, signalling, negative; the last is no NaN. */
const STATES: readonly (readonly [number, bigint])[] = [
  [0x7fc0_0000, 0x7ff8_0000_0000_0000n],
  [0x7fc0_beef, 0x7ffd_eadb_eefc_afe1n],
  [0x7fa0_0001, 0x7ff4_0000_0000_0001n],
  [0xffc1_2345, 0xfff8_1234_0000_0000n],
  [0x8000_0000, 0x8000_0000_0000_0000n],
];

describe.each(STATES)('globals of the bits %d, %d', (...state) => {
  it('are not touched by a snapshot, and come back from any others', () => {
    const instance = make();
    set(instance, state);
    using saved = snapshot(instance);
    expect(bitsOf(instance)).toEqual(state);
    for (const other of STATES) {
      set(instance, other);
      saved.restore();
      expect(bitsOf(instance)).toEqual(state);
    }
  });

  it('are those of forks, each with globals of its own', () => {
    const instance = make();
    set(instance, state);
    using saved = snapshot(instance);
    const forks = STATES.map((other) => {
      const fork = make();
      set(fork, other);
      saved.restoreInto(fork);
      return fork;
    });
    for (const fork of forks) expect(bitsOf(fork)).toEqual(state);
    set(forks[0]!, STATES[1]!);
    saved.restoreInto(forks[0]!);
    for (const each of [instance, ...forks]) expect(bitsOf(each)).toEqual(state);
  });

  it.each([false, true])('are what a pool hands out, fork: %s', async (fork) => {
    await using pool = createInstancePool({
      create: make,
      prepare: (instance) => set(instance, state),
      size: 2,
      fork,
    });
    for (const left of STATES) {
      const leases = [await pool.acquire(), await pool.acquire()];
      for (const { instance } of leases) {
        expect(bitsOf(instance)).toEqual(state);
        set(instance, left);
      }
      for (const lease of leases) lease.release();
    }
  });
});

describe('a NaN', () => {
  const memory = (): WebAssembly.Memory => new WebAssembly.Memory({ initial: 1 });
  const global = (value: 'f32' | 'f64' | 'externref', mutable: boolean): WebAssembly.Global =>
    new WebAssembly.Global({ value, mutable }, NaN);

  it('of an f32 does not fit an f64', () => {
    using saved = snapshot({ memory: memory(), value: global('f32', true) });
    expect(() => saved.restoreInto({ memory: memory(), value: global('f64', true) })).toThrow(
      expect.objectContaining({ code: 'ERR_SNAPSHOT_WRONG_TARGET' }),
    );
  });

  it('that is a constant, or an object of the host, is saved as it is', () => {
    const target = { memory: memory(), constant: global('f64', false), reference: global('externref', true) };
    using saved = snapshot(target);
    target.reference.value = 5;
    saved.restore();
    expect(target.reference.value).toBeNaN();
    const other = { memory: memory(), constant: global('f64', false), reference: global('externref', true) };
    other.reference.value = 'text';
    expect(() => saved.restoreInto(other)).toThrow(/another type/);
  });
});
