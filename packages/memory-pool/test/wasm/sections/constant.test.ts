/** Offsets that are computed, from globals that start with anything a global may start with. */
import {
  dataSection,
  expression,
  functionSection,
  codeSection,
  importEntry,
  importSection,
  memorySection,
  moduleOf,
  name,
  section,
  signed,
  typeSection,
  unsigned,
  vector,
  type MemoryShape,
} from '@guardstripe/wasm-builder';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  InvalidModuleError,
  parseModule,
  resolveLimits,
  type ParsedModule,
} from '../../../src/wasm/index.js';
import { readModule } from '../../../src/wasm/reader.js';
import { v8 } from '../v8.js';

const I32 = 0x7f;
const I64 = 0x7e;
const F32 = 0x7d;
const F64 = 0x7c;
const V128 = 0x7b;
const FUNCREF = 0x70;
const EXTERNREF = 0x6f;
const END = 0x0b;
const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
const i32 = (value: number): number[] => [0x41, ...signed(value | 0)];
const globalGet = (index: number): number[] => [0x23, ...unsigned(index)];

type GlobalBytes = readonly [type: readonly number[], mutable: 0 | 1, init: readonly number[]];

const globals = (...entries: readonly GlobalBytes[]): number[] =>
  section(6, vector(entries.map(([type, mutable, init]) => [...type, mutable, ...init, END])));

const offsetOf = ({
  dataSegments: [segment],
}: Pick<ParsedModule, 'dataSegments'>): bigint | string | undefined =>
  segment?.mode === 'active' ? segment.offset : undefined;

const memory: MemoryShape = { minimum: 1 };
const at = (offset: readonly number[], index: 'i32' | 'i64' = 'i32'): number[] =>
  dataSection({ memoryIndex: 0, index, offset, data: [1] });

describe('an offset', () => {
  it('is computed as V8 computes it, 32 bits wide', () => {
    const operation = fc.constantFrom([0x6a, 'add'], [0x6b, 'sub'], [0x6c, 'mul'] as const);
    const number = fc.oneof(fc.integer(), fc.integer({ min: -5, max: 70_000 }));
    fc.assert(
      fc.property(number, number, number, operation, operation, (a, b, c, [first], [second]) => {
        const offset = [...i32(a), ...i32(b), ...i32(c), first as number, second as number];
        const module = moduleOf(memorySection(memory), globals([[I32], 0, offset]), at(globalGet(0)));
        const found = offsetOf(parseModule(module));
        // V8 tells by an exported global.
        const exporting = moduleOf(globals([[I32], 0, offset]), section(7, vector([[...name('g'), 3, 0]])));
        const { exports } = new v8.Instance(new v8.Module(exporting));
        const { value } = exports['g'] as unknown as { readonly value: number };
        expect(found).toBe(BigInt(value >>> 0));
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['f32', [F32], [0x43, ...zeros(4)]],
    ['f64', [F64], [0x44, ...zeros(8)]],
    ['v128', [V128], [0xfd, 0x0c, ...zeros(16)]],
    ['a null function', [FUNCREF], [0xd0, FUNCREF]],
    ['a null of a type of the module', [0x63, 0], [0xd0, 0]],
    ['a null object', [EXTERNREF], [0xd0, EXTERNREF]],
    ['a function', [FUNCREF], [0xd2, 0]],
    ['a small integer', [0x6c], [...i32(5), 0xfb, 0x1c]],
    ['a small integer that is computed', [0x6c], [...i32(5), ...i32(6), 0x6a, 0xfb, 0x1c]],
    ['a structure', [0x64, 1], [...i32(5), 0xfb, 0x00, 1]],
    ['a structure of zeros', [0x63, 1], [0xfb, 0x01, 1]],
    ['an array', [0x64, 2], [...i32(5), ...i32(3), 0xfb, 0x06, 2]],
    ['an array of zeros', [0x64, 2], [...i32(3), 0xfb, 0x07, 2]],
    ['an array of these', [0x64, 2], [...i32(1), ...i32(2), 0xfb, 0x08, 2, 2]],
    ['a foreign object', [0x6e], [0xd0, EXTERNREF, 0xfb, 0x1a]],
  ])('reads a global behind one that is %s', (_, type, init) => {
    const types = section(
      1,
      vector([
        [0x60, 0, 0],
        [0x5f, 1, I32, 0],
        [0x5e, I32, 0],
      ]),
    );
    const module = moduleOf(
      types,
      functionSection(),
      memorySection(memory),
      // So that the function may be referred to.
      globals([type, 0, init], [[I32], 0, i32(0x1234)]),
      section(9, [1, 3, 0, 1, 0]),
      codeSection([]),
      at(globalGet(1)),
    );
    expect(v8.validate(module)).toBe(true);
    expect(offsetOf(parseModule(module))).toBe(0x1234n);
  });

  it('is not constant if it reads an imported global, at whatever remove', () => {
    const module = moduleOf(
      importSection([importEntry(['env', 'base'], [3, I32, 0])]),
      memorySection(memory),
      globals([[I32], 0, [...globalGet(0), ...i32(0), 0x6c]], [[I32], 0, i32(7)]),
      dataSection(
        ...[globalGet(0), globalGet(1), globalGet(2)].map((offset) => ({
          memoryIndex: 0,
          offset,
          data: [1],
        })),
      ),
    );
    const offsets = parseModule(module).dataSegments.map((one) => one.mode === 'active' && one.offset);
    expect(offsets).toEqual(['not constant', 'not constant', 7n]);
  });

  it('has 64 bits in a memory of 64-bit addresses', () => {
    const module = moduleOf(
      memorySection({ minimum: 1, index: 'i64' }),
      globals([[I64], 0, [0x42, ...signed(2n ** 40n)]]),
      // global.get 0, global.get 0, i64.mul: 2^80 modulo 2^64; and i64.const 3, i64.add.
      at([...globalGet(0), ...globalGet(0), 0x7e, 0x42, 3, 0x7c], 'i64'),
    );
    expect(offsetOf(readModule(module, resolveLimits()))).toBe(3n);
  });
});

// Without V8 before it.
describe('the reader alone', () => {
  const read = (...sections: readonly number[][]) => readModule(moduleOf(...sections), resolveLimits());

  it('leaves what it does not know to V8: an instruction of a proposal to come', () => {
    const unknown: GlobalBytes = [[I32], 0, [0xfb, 0x7f]];
    const reading = read(memorySection(memory), globals([[I32], 0, i32(3)], unknown, [[I32], 0, i32(4)]));
    expect(reading.complete).toBe(false);
    const segments = [globalGet(0), globalGet(1), globalGet(2)].map((offset) =>
      offsetOf(
        read(memorySection(memory), globals([[I32], 0, i32(3)], unknown, [[I32], 0, i32(4)]), at(offset)),
      ),
    );
    expect(segments).toEqual([3n, 'not constant', 'not constant']);
  });

  it.each([
    ['a mutable global', [[I32], 1, i32(3)], globalGet(0)],
    ['a global that is not there', [[I32], 0, i32(3)], globalGet(1)],
    ['a global of another type', [[I64], 0, [0x42, 3]], globalGet(0)],
    ['a global that is no integer', [[F32], 0, [0x43, ...zeros(4)]], globalGet(0)],
    ['an operand of another type', [[I32], 0, i32(3)], [...i32(1), 0x42, 1, 0x6a]],
    ['an operand too few', [[I32], 0, i32(3)], [...i32(1), 0x6a]],
    ['a global that starts with nothing', [[I32], 0, []], i32(0)],
    ['a global that starts with two values', [[I32], 0, [...i32(0), ...i32(0)]], i32(0)],
    ['a global of unknown mutability', [[I32], 2 as never, i32(3)], i32(0)],
    ['a global of unknown type', [[0x10], 0, i32(3)], i32(0)],
    [
      'ten thousand operands and one',
      [[I32], 0, i32(3)],
      Array.from({ length: 10_002 }, () => i32(1)).flat(),
    ],
  ] as readonly (readonly [string, GlobalBytes, readonly number[]])[])('refuses %s', (_, global, offset) => {
    expect(() => read(memorySection(memory), globals(global), at(offset))).toThrow(InvalidModuleError);
  });

  it('refuses a constant whose end is missing', () => {
    const cut = [...expression(5n, 'i32').slice(0, -1)];
    expect(() => read(memorySection(memory), section(11, [1, 0, ...cut]))).toThrow(InvalidModuleError);
  });

  it('refuses a count of data segments that is not theirs, and takes it without the section for none', () => {
    expect(() => read(memorySection(memory), section(12, [2]), at(i32(0)))).toThrow(InvalidModuleError);
    expect(() => read(memorySection(memory), section(12, [1]))).toThrow(InvalidModuleError);
    expect(read(memorySection(memory), section(12, [0])).dataSegments).toEqual([]);
    expect(
      read(typeSection(), memorySection(memory), section(12, [1]), at(i32(0))).dataSegments,
    ).toHaveLength(1);
  });
});
