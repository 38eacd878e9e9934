/** Each section from what it says. None of them is checked: wrong ones are wanted as well. */
import { byteVector, name, section, signed, unsigned, vector } from './bytes.ts';

/** The two halves of an import's name. */
export type ImportName = readonly [module: string, name: string];

export interface MemoryShape {
  readonly minimum: bigint | number;
  readonly maximum?: bigint | number;
  readonly shared?: boolean;
  readonly index?: 'i32' | 'i64';
  /** log2; written only if given. */
  readonly pageSizeLog2?: number;
  /** Makes the memory an import. */
  readonly importName?: ImportName;
}

/** A constant, or whole instructions without `end`. */
export type Expression = bigint | number | readonly number[];

export interface GlobalShape {
  readonly type: 'i32' | 'i64';
  readonly mutable?: boolean;
  readonly init?: Expression;
  /** Makes the global an import. */
  readonly importName?: ImportName;
}

export interface SegmentShape {
  /** `undefined`: passive. */
  readonly memoryIndex?: number;
  /** In a memory of 64-bit addresses, a constant is an `i64.const`; say so with `index`. */
  readonly offset?: Expression;
  readonly index?: 'i32' | 'i64';
  readonly data: ArrayLike<number>;
}

const NO_RESULT = [0x60, 0, 0];
const END = 0x0b;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const VALUE_TYPES = { i32: 0x7f, i64: 0x7e } as const;

/** `count` function types without parameters and results. */
export const typeSection = (count = 1): number[] =>
  section(1, vector(Array.from({ length: count }, () => NO_RESULT)));

/** An import of any kind: `description` is what stands behind the names, its kind first. */
export const importEntry = ([module, field]: ImportName, description: readonly number[]): number[] => [
  ...name(module),
  ...name(field),
  ...description,
];

export const importSection = (entries: readonly (readonly number[])[]): number[] =>
  section(2, vector(entries));

/** Functions of type 0. */
export const functionSection = (count = 1): number[] =>
  section(3, vector(Array.from({ length: count }, () => [0])));

export function memoryType(memory: MemoryShape): number[] {
  const { minimum, maximum, shared, index, pageSizeLog2 } = memory;
  const flags =
    (maximum === undefined ? 0 : 1) |
    (shared ? 2 : 0) |
    (index === 'i64' ? 4 : 0) |
    (pageSizeLog2 === undefined ? 0 : 8);
  return [
    flags,
    ...unsigned(minimum),
    ...(maximum === undefined ? [] : unsigned(maximum)),
    ...(pageSizeLog2 === undefined ? [] : unsigned(pageSizeLog2)),
  ];
}

export const memorySection = (...memories: readonly MemoryShape[]): number[] =>
  section(5, vector(memories.map(memoryType)));

export const globalType = ({ type, mutable }: GlobalShape): number[] => [VALUE_TYPES[type], mutable ? 1 : 0];

export const globalSection = (...globals: readonly GlobalShape[]): number[] =>
  section(
    6,
    vector(globals.map((global) => [...globalType(global), ...expression(global.init ?? 0n, global.type)])),
  );

/** `kind` is 0 for a function, 1 a table, 2 a memory, 3 a global. */
export const exportSection = (
  ...entries: readonly (readonly [name: string, kind: number, index: number])[]
): number[] =>
  section(7, vector(entries.map(([field, kind, index]) => [...name(field), kind, ...unsigned(index)])));

export const startSection = (functionIndex = 0): number[] => section(8, unsigned(functionIndex));

/** Bodies without locals; `end` is added. */
export const codeSection = (...bodies: readonly (readonly number[])[]): number[] =>
  section(10, vector(bodies.map((body) => byteVector([0, ...body, END]))));

export const dataSection = (...segments: readonly SegmentShape[]): number[] =>
  section(11, vector(segments.map(dataSegment)));

export const dataCountSection = (count: number): number[] => section(12, unsigned(count));

export const customSection = (title: string, bytes: ArrayLike<number> = []): number[] =>
  section(0, [...name(title), ...Array.from(bytes)]);

/** Ends with `end`. A constant is unsigned, as addresses are: 2^32 - 1 is `i32.const -1`. */
export function expression(value: Expression, type: 'i32' | 'i64'): number[] {
  if (typeof value === 'object') return [...value, END];
  const is64 = type === 'i64';
  return [is64 ? I64_CONST : I32_CONST, ...signed(BigInt.asIntN(is64 ? 64 : 32, BigInt(value))), END];
}

function dataSegment({ memoryIndex, offset = 0n, index = 'i32', data }: SegmentShape): number[] {
  if (memoryIndex === undefined) return [1, ...byteVector(data)];
  const target = memoryIndex === 0 ? [0] : [2, ...unsigned(memoryIndex)];
  return [...target, ...expression(offset, index), ...byteVector(data)];
}
