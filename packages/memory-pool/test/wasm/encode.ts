/** Encodes small modules for the tests: memories, data segments, and exports to look at them from outside. */

export interface TestMemory {
  readonly minimum: bigint;
  readonly maximum?: bigint;
  readonly shared?: boolean;
  readonly index?: 'i32' | 'i64';
  /** log2; written only if given. */
  readonly pageSizeLog2?: number;
  /** Makes the memory an import. */
  readonly importName?: readonly [module: string, name: string];
}

export interface TestSegment {
  /** `undefined`: passive. */
  readonly memoryIndex?: number;
  /** The constant, or whole instructions without `end`. */
  readonly offset?: bigint | readonly number[];
  readonly data: readonly number[];
}

export interface TestModule {
  readonly memories: readonly TestMemory[];
  readonly segments?: readonly TestSegment[];
}

export const HEADER: readonly number[] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

export function unsigned(value: bigint | number): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(value); ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

export function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    if ((rest >> 7n === 0n && low < 0x40) || (rest >> 7n === -1n && low >= 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

export function section(id: number, payload: readonly number[]): number[] {
  return [id, ...unsigned(payload.length), ...payload];
}

export function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

export function name(text: string): number[] {
  const bytes = [...new TextEncoder().encode(text)];
  return [...unsigned(bytes.length), ...bytes];
}

export function memoryType(memory: TestMemory): number[] {
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

/** A module whose memories are exported as `m0`, `m1`, ... Imported ones must come first. */
export function encodeModule({ memories, segments = [] }: TestModule): Uint8Array {
  const imported = memories.filter((memory) => memory.importName !== undefined);
  const defined = memories.filter((memory) => memory.importName === undefined);
  return Uint8Array.from([
    ...HEADER,
    ...section(
      2,
      vector(imported.map((memory) => (memory.importName ?? []).flatMap(name).concat(2, memoryType(memory)))),
    ),
    ...section(5, vector(defined.map(memoryType))),
    ...section(7, vector(memories.map((_, index) => [...name(`m${index}`), 2, ...unsigned(index)]))),
    ...section(11, vector(segments.map((segment) => encodeSegment(segment, memories)))),
  ]);
}

function encodeSegment(
  { memoryIndex, offset = 0n, data }: TestSegment,
  memories: readonly TestMemory[],
): number[] {
  const bytes = [...unsigned(data.length), ...data];
  if (memoryIndex === undefined) return [1, ...bytes];
  const is64 = memories[memoryIndex]?.index === 'i64';
  const expression =
    typeof offset === 'bigint'
      ? [is64 ? 0x42 : 0x41, ...signed(BigInt.asIntN(is64 ? 64 : 32, offset))]
      : offset;
  const target = memoryIndex === 0 ? [0] : [2, ...unsigned(memoryIndex)];
  return [...target, ...expression, 0x0b, ...bytes];
}
