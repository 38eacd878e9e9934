import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidModuleError, parseModule, type ParsedModule } from '../../src/wasm/index.js';
import { encodeModule, HEADER, memoryType, moduleOf, name, section, vector } from '@guardstripe/wasm-builder';
import { v8 } from './v8.js';

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly expect: 'reject' | object;
  readonly v8Accepts: boolean;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/wasm-modules.json', import.meta.url), 'utf8'),
) as Vector[];

/** The record says that these offsets are not constant, as the original has it. Ours are computed: 8 + 8. */
const COMPUTED: Readonly<Record<string, (expected: object | string) => object>> = {
  extconst: (expected) => JSON.parse(JSON.stringify(expected).replace('"not constant"', '"16"')) as object,
};

/** What a module was read as, in the vectors' terms. */
function plain(parsed: ParsedModule): object {
  return {
    memories: parsed.memories.map(({ imported, minimumPages, maximumPages, shared, index, pageSize }) => ({
      kind: imported === undefined ? 'defined' : 'imported',
      minimumPages: String(minimumPages),
      maximumPages: maximumPages === undefined ? null : String(maximumPages),
      shared,
      index,
      pageSize,
    })),
    dataSegments: parsed.dataSegments.map((segment) =>
      segment.mode === 'passive'
        ? { mode: segment.mode, byteLength: segment.byteLength }
        : {
            mode: segment.mode,
            memoryIndex: segment.memoryIndex,
            offset: String(segment.offset),
            byteLength: segment.byteLength,
          },
    ),
  };
}

function outcome(bytes: Uint8Array): 'reject' | object {
  try {
    return plain(parseModule(bytes));
  } catch (error) {
    if (error instanceof InvalidModuleError) return 'reject';
    throw error;
  }
}

describe('known modules', () => {
  it('has all 22', () => expect(vectors).toHaveLength(22));

  it.each(vectors)('$name', ({ name: vectorName, hex, expect: expected }) => {
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
    expect(outcome(bytes)).toEqual(COMPUTED[vectorName]?.(expected) ?? expected);
  });

  it('reads a module that is a part of a larger buffer', () => {
    const plainModule = encodeModule({
      memories: [{ minimum: 1n }],
      segments: [{ memoryIndex: 0, offset: 8n, data: [97, 98, 99] }],
    });
    const buffer = new Uint8Array(plainModule.length + 30).fill(0xff);
    buffer.set(plainModule, 13);
    const { bytes, dataSegments } = parseModule(buffer.subarray(13, 13 + plainModule.length));
    const [segment] = dataSegments;
    expect([...bytes.subarray(segment?.start, bytes.length)]).toEqual([97, 98, 99]);
  });

  it('names imports as V8 does, byte order mark included', () => {
    const bytes = encodeModule({ memories: [{ minimum: 1n, importName: ['\uFEFFenv', 'größe'] }] });
    const [imported] = v8.Module.imports(new v8.Module(bytes));
    expect(parseModule(bytes).memories[0]?.imported).toEqual({
      module: imported?.module,
      name: imported?.name,
    });
    expect(imported?.module).toBe('\uFEFFenv');
  });

  it('reads all 64 bits of a 64-bit offset, and minus one as the largest', () => {
    const offsets = [0n, 127n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
    const segments = offsets.map((offset) => ({ memoryIndex: 0, offset, data: [] }));
    const parsed = parseModule(encodeModule({ memories: [{ minimum: 1n, index: 'i64' }], segments }));
    expect(parsed.dataSegments.map((segment) => segment.mode === 'active' && segment.offset)).toEqual(
      offsets,
    );
  });
});

describe('what V8 rejects', () => {
  const customPages = { minimum: 100n, maximum: 4096n, pageSizeLog2: 0 };

  it('is an error with a code and with what V8 said', () => {
    const error = catchError(() => parseModule(moduleOf(section(5, [1, 9]))));
    expect(error).toMatchObject({ name: 'InvalidModuleError', code: 'ERR_INVALID_MODULE' });
    expect((error as Error).cause).toMatchObject({ name: 'CompileError' });
  });

  it('is taken if only the memory types are beyond this V8', () => {
    const memories = [
      { minimum: 1n, importName: ['env', 'a'] as const },
      customPages,
      { minimum: 2n ** 20n, maximum: 2n ** 48n, index: 'i64' as const },
      { minimum: 5n, maximum: 9n, shared: true, pageSizeLog2: 0 },
    ];
    const bytes = encodeModule({ memories, segments: [{ memoryIndex: 1, offset: 97n, data: [1, 2, 3] }] });
    expect(v8.validate(bytes)).toBe(false);
    expect(parseModule(bytes).memories.map((memory) => memory.minimumPages)).toEqual([
      1n,
      100n,
      2n ** 20n,
      5n,
    ]);
  });

  it.each([
    [
      'code that does not type',
      [section(1, [1, 0x60, 0, 0]), section(3, [1, 0])],
      section(10, [1, 3, 0, 0x6a, 0x0b]),
    ],
    ['a function without code', [section(1, [1, 0x60, 0, 0]), section(3, [1, 0])], []],
    ['an i64 offset in an i32 memory', [], section(11, [1, 0, 0x42, 0, 0x0b, 0])],
    ['an unknown section', [], [0x40, 1, 0]],
  ])('stays invalid beside a custom page size: %s', (_, before, after) => {
    const bytes = moduleOf(...before, section(5, vector([memoryType(customPages)])), after);
    expect(() => parseModule(bytes)).toThrow(InvalidModuleError);
  });

  it.each([
    ['a page size of 2', { ...customPages, pageSizeLog2: 1 }],
    ['a maximum below the minimum', { ...customPages, minimum: 5000n }],
    ['too many 64-bit pages', { minimum: 2n ** 48n + 1n, index: 'i64' as const }],
    ['too many 32-bit pages', { minimum: 65_537n, pageSizeLog2: 16 }],
    ['a shared memory without a maximum', { minimum: 1n, shared: true, pageSizeLog2: 0 }],
  ])('stays invalid with a wrong memory type: %s', (_, memory) => {
    expect(() => parseModule(encodeModule({ memories: [memory] }))).toThrow(InvalidModuleError);
  });

  it.each([
    ['two memory sections', moduleOf(section(5, [1, 9, 1, 2, 0]), section(5, [1, 9, 1, 2, 0]))],
    ['imports behind memories', moduleOf(section(5, [1, 9, 1, 2, 0]), section(2, [0]))],
    ['bytes behind the entries', moduleOf(section(5, [1, 9, 1, 2, 0, 0]))],
    ['a count without entries', moduleOf(section(5, [0xff, 0xff, 0xff, 0xff, 0x0f, 9, 1, 2, 0]))],
    [
      'a second module behind the first',
      Uint8Array.from([...moduleOf(section(5, [1, 9, 1, 2, 0])), ...HEADER]),
    ],
    ['a custom section with too long a name', moduleOf(section(5, [1, 9, 1, 2, 0]), [0, 2, 9, 97])],
    [
      'an import of unknown kind',
      moduleOf(section(2, [1, ...name('a'), ...name('b'), 9]), section(5, [1, 9, 1, 2, 0])),
    ],
    ['version 13', Uint8Array.from([...HEADER.slice(0, 4), 13, 0, 0, 0, ...section(5, [1, 9, 1, 2, 0])])],
    ['nothing', new Uint8Array(0)],
    ['text', new TextEncoder().encode('(module)')],
  ])('stays invalid: %s', (_, bytes) => {
    expect(() => parseModule(bytes)).toThrow(InvalidModuleError);
  });

  it.each([undefined, null, 'AGFzbQ==', [0, 97], new ArrayBuffer(8)])('is no argument: %s', (bytes) => {
    expect(catchError(() => parseModule(bytes as unknown as Uint8Array))).toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});

function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
