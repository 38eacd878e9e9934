/** Memories of real modules in a pool: the corner cases of the formats, never silently wrong. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  describeMemory,
  describeModule,
  ModuleNotPoolableError,
  type MemoryPool,
  type MemoryPoolConfig,
  type PooledMemory,
  type PoolModule,
  type Store,
} from '../../src/index.js';
import {
  checkBooks,
  closedLater,
  contents,
  HOST_PAGE,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  smallPool,
} from '../support/memories.js';
import { encodeModule, type MemoryShape, type SegmentShape } from '@guardstripe/wasm-builder';

let pool: MemoryPool;
let store: Store;

function open(config: MemoryPoolConfig = {}): void {
  pool = smallPool({ maxMemoriesPerModule: 3, ...config });
  store = pool.openStore();
}
afterEach(() => {
  checkBooks(pool);
  pool.close({ force: true });
});

function wasm(memories: readonly MemoryShape[], segments: readonly SegmentShape[] = []): PoolModule {
  return closedLater(describeModule(encodeModule({ memories, segments })));
}

/** The bytes of the memory after `segments`, in order. */
function expected(
  byteLength: number,
  segments: readonly { offset: number; data: readonly number[] }[],
): Buffer {
  const bytes = Buffer.alloc(byteLength);
  for (const { offset, data } of segments) bytes.set(data, offset);
  return bytes;
}

/** Three tenants in turn, each of which must find exactly `bytes` and leaves nothing as it was. */
function expectEachTime(module: PoolModule, bytes: Uint8Array, memoryIndex?: number): PooledMemory {
  let memory: PooledMemory | undefined;
  for (let i = 0; i < 3; i++) {
    memory?.free();
    memory = store.allocate(memoryIndex === undefined ? { module } : { module, memoryIndex });
    expect(memory.byteLength).toBe(bytes.length);
    expect(contents(memory).equals(bytes)).toBe(true);
    scribble(memory);
  }
  return memory!;
}

const segment = (offset: number, ...data: number[]) => ({ memoryIndex: 0, offset: BigInt(offset), data });

describe('a 64-bit memory', () => {
  it('is like any other, up to what the pool has', () => {
    open();
    const module = wasm([{ minimum: 1n, maximum: 2n ** 40n, index: 'i64' }], [segment(70, 1, 2, 3)]);
    const memory = expectEachTime(module, expected(PAGE, [{ offset: 70, data: [1, 2, 3] }]));
    expect(memory.grow(7)).toBe(1);
    expect(() => memory.grow(1)).toThrow(RangeError);
  });

  it('whose minimum no number can count is refused by name', () => {
    open();
    const module = wasm([{ minimum: 2n ** 47n, index: 'i64' }]);
    expect(() => store.allocate({ module })).toThrow(ModuleNotPoolableError);
    expect(() => store.allocate({ module })).toThrow(/Memory 0 .*9223372036854775808 bytes/);
  });
});

describe('a memory without a maximum', () => {
  const GiB = 2 ** 30;

  it.each([
    ['4 GiB', { minimum: 1n }, { maxMemorySize: 4 * GiB, memoryReservation: 4 * GiB }, 4 * GiB],
    [
      '4 GiB, also in a larger slot',
      { minimum: 1n },
      { maxMemorySize: 6 * GiB, memoryReservation: 6 * GiB },
      4 * GiB,
    ],
    ["the slot's size", { minimum: 1n }, {}, 8 * PAGE],
    [
      "the slot's size, with 64-bit addresses",
      { minimum: 1n, index: 'i64' as const },
      { maxMemorySize: 6 * GiB, memoryReservation: 6 * GiB },
      6 * GiB,
    ],
  ])('grows up to %s', (_, type, config, last) => {
    open(config);
    const memory = store.allocate({ module: wasm([type]) });
    expect(memory.grow(last / PAGE - 1)).toBe(1);
    expect(memory.byteLength).toBe(last);
    expect(() => memory.grow(1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(memory.byteLength).toBe(last);
  });
});

describe('a memory with pages of one byte', () => {
  it('has any size, is accessible in whole host pages, and grows by bytes', () => {
    open();
    const module = wasm([{ minimum: 5000n, maximum: 9000n, pageSizeLog2: 0 }]);
    expect(module.memories[0]).toMatchObject({ pageBytes: 1, initialPages: 5000n });
    const memory = expectEachTime(module, expected(5000, []));
    expect(memory.grow(1)).toBe(5000);
    expect(memory.byteLength).toBe(5001);
    expect(memory.grow(3999)).toBe(5001);
    expect(new Uint8Array(memory.buffer)[8999]).toBe(0);
    expect(() => memory.grow(1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    memory.free();
    expectEachTime(module, expected(5000, []));
  });

  it.each([
    ['its maximum, whatever the host page', { minimum: 1n, maximum: 5001n }, 5001],
    ['its minimum, if that is the maximum', { minimum: 4095n, maximum: 4095n }, 4095],
    ["the pool's largest size, without a maximum", { minimum: 5001n }, 8 * PAGE],
    ["the pool's largest size, with a larger maximum", { minimum: 1n, maximum: 8n * 65_536n + 1n }, 8 * PAGE],
  ])('grows up to %s, and not a byte further', (_, type, last) => {
    open();
    const module = wasm([{ ...type, pageSizeLog2: 0 }]);
    const memory = store.allocate({ module });
    const minimum = Number(type.minimum);
    expect(memory.grow(last - minimum)).toBe(minimum);
    expect(memory.byteLength).toBe(last);
    expect(memory.buffer.byteLength).toBe(last);
    expect(() => memory.grow(1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(memory.grow(0)).toBe(last);
    scribble(memory);
    memory.free();
    expectEachTime(module, expected(minimum, []));
  });

  it('has an image if that ends within its last whole host page', () => {
    open();
    const module = wasm([{ minimum: 5000n, pageSizeLog2: 0 }], [segment(100, 7, 8)]);
    expect(module.memories[0]).toMatchObject({ initialization: 'image' });
    expectEachTime(module, expected(5000, [{ offset: 100, data: [7, 8] }]));
  });

  it('has its bytes written at each allocation if the image would reach past its end', () => {
    open();
    const module = wasm([{ minimum: 5000n, pageSizeLog2: 0 }], [segment(4999, 9), segment(0, 1)]);
    expect(module.memories[0]).toMatchObject({ initialization: 'copy', image: undefined });
    expectEachTime(
      module,
      expected(5000, [
        { offset: 4999, data: [9] },
        { offset: 0, data: [1] },
      ]),
    );
  });

  it('may be smaller than a host page, or have nothing at all', () => {
    open();
    expectEachTime(wasm([{ minimum: 3n, pageSizeLog2: 0 }], [segment(1, 5)]), Buffer.from([0, 5, 0]));
    const none = expectEachTime(wasm([{ minimum: 0n, maximum: 1n, pageSizeLog2: 0 }]), expected(0, []));
    expect(none.grow(1)).toBe(0);
    expect(new Uint8Array(none.buffer)[0]).toBe(0);
  });

  it.each([0, 3 * HOST_PAGE])(
    'does not show the next tenant what lies behind its end, %d bytes kept',
    (keep) => {
      open({ linearMemoryKeepResident: keep });
      const small = wasm([{ minimum: 100n, maximum: 8192n, pageSizeLog2: 0 }]);
      for (let i = 0; i < 3; i++) {
        const memory = store.allocate({ module: small });
        memory.grow(4900);
        scribble(memory);
        memory.free();
        const next = store.allocate({ module: small });
        next.grow(8092);
        expect(contents(next).equals(Buffer.alloc(8192))).toBe(true);
        scribble(next);
        next.free();
      }
    },
  );
});

describe('a module with several memories', () => {
  const three: MemoryShape[] = [{ minimum: 1n }, { minimum: 2n }, { minimum: 1n, maximum: 2n }];

  it('has each of them in a slot of its own, with its own image and its own affinity', () => {
    open();
    const module = wasm(three, [
      { memoryIndex: 0, offset: 10n, data: [1] },
      { memoryIndex: 2, offset: 20n, data: [3] },
    ]);
    const bytes = [
      expected(PAGE, [{ offset: 10, data: [1] }]),
      expected(2 * PAGE, []),
      expected(PAGE, [{ offset: 20, data: [3] }]),
    ];
    const memories = bytes.map((_, memoryIndex) => store.allocate({ module, memoryIndex }));
    for (const [i, memory] of memories.entries()) {
      expect(contents(memory).equals(bytes[i]!)).toBe(true);
      scribble(memory);
    }
    for (const memory of memories) memory.free();
    for (const i of [2, 0, 1]) {
      const again = store.allocate({ module, memoryIndex: i });
      expect(again.slot).toBe(memories[i]!.slot);
      expect(contents(again).equals(bytes[i]!)).toBe(true);
    }
    expect(store.stripe).toBe(memories[0]!.stripe);
    store.dispose();
    expect(pool.purgeModule(module)).toBe(3);
  });

  it('is refused if it has more than maxMemoriesPerModule, with both numbers', () => {
    open({ maxMemoriesPerModule: 2 });
    const module = wasm(three);
    expect(() => store.allocate({ module })).toThrow(ModuleNotPoolableError);
    expect(() => pool.validateModule(module)).toThrow(/3 memories.*maxMemoriesPerModule, 2/);
  });

  it('does not count imported ones, and allocates the first that it defines', () => {
    open({ maxMemoriesPerModule: 1 });
    const module = wasm(
      [
        { minimum: 1n, importName: ['env', 'memory'] },
        { minimum: 2n, maximum: 3n },
      ],
      [{ memoryIndex: 1, offset: 0n, data: [4] }],
    );
    pool.validateModule(module);
    expectEachTime(module, expected(2 * PAGE, [{ offset: 0, data: [4] }]));
    expect(() => store.allocate({ module, memoryIndex: 0 })).toThrow(/Memory 0 .*imported/);
    expect(() => store.allocate({ module, memoryIndex: 2 })).toThrow(/Memory 2 .*does not exist/);
  });

  it.each([-1, 0.5, Number.NaN])('cannot be asked for memory %d', (memoryIndex) => {
    open();
    const module = wasm(three);
    expect(() => store.allocate({ module, memoryIndex })).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  it('has no memory behind the last', () => {
    open();
    const module = wasm(three);
    expect(() => store.allocate({ module, memoryIndex: 3 })).toThrow(ModuleNotPoolableError);
    expect(() => store.allocate({ module, memoryIndex: '0' as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(() => store.allocate({ module, memoryIndex: 'length' as never })).toThrow(TypeError);
  });
});

describe('a module without a memory of its own', () => {
  it.each([
    ['none at all', []],
    ['an imported one', [{ minimum: 1n, importName: ['env', 'memory'] as const }]],
  ])('fits every pool, and nothing can be allocated: %s', (_, memories) => {
    open({ maxMemoriesPerModule: 0 });
    const module = wasm(memories);
    pool.validateModule(module);
    expect(module.numDefinedMemories).toBe(0);
    expect(() => store.allocate({ module })).toThrow(/defines no memory/);
  });
});

describe('data segments', () => {
  it('that overlap are applied in order, later ones over earlier ones', () => {
    open();
    const segments = [
      segment(4090, 1, 1, 1, 1, 1, 1, 1, 1),
      segment(4094, 2, 2, 2),
      segment(4095, 3),
      segment(0, 9),
    ];
    const data = segments.map(({ offset, data: bytes }) => ({ offset: Number(offset), data: bytes }));
    expectEachTime(wasm([{ minimum: 1n }], segments), expected(PAGE, data));
  });

  it.each([
    ['past the end', segment(PAGE - 1, 1, 2), 0],
    ['past the end of a memory that could grow', segment(2 * PAGE, 1), 0],
    ['at a negative offset', { memoryIndex: 0, offset: -1n, data: [1] }, 0],
    ['with nothing in it, past the end', segment(PAGE + 1), 0],
  ])('%s make no memory: every instantiation would trap', (_, outside) => {
    open();
    const module = wasm([{ minimum: 1n, maximum: 4n }], [segment(0, 1), outside]);
    expect(() => store.allocate({ module })).toThrow(ModuleNotPoolableError);
    expect(() => store.allocate({ module })).toThrow(/Memory 0 .*segment 1 lies out of bounds/);
    expect(pool.isEmpty).toBe(true);
  });

  it('in a memory without bytes are out of bounds, unless they are empty', () => {
    open();
    expect(() => store.allocate({ module: wasm([{ minimum: 0n }], [segment(0, 1)]) })).toThrow(
      /out of bounds/,
    );
    expectEachTime(wasm([{ minimum: 0n }], [segment(0)]), expected(0, []));
  });

  it('that end exactly with the memory are in it', () => {
    open();
    const module = wasm([{ minimum: 1n }], [segment(PAGE - 2, 6, 7), segment(PAGE)]);
    expectEachTime(module, expected(PAGE, [{ offset: PAGE - 2, data: [6, 7] }]));
  });

  it('whose place only an instance knows are left to the guest, on zeros', () => {
    open();
    const bytes = encodeModule({
      memories: [{ minimum: 1n }],
      globals: [{ type: 'i32', importName: ['env', 'base'] }],
      segments: [segment(0, 1), { memoryIndex: 0, offset: [0x23, 0], data: [5] }],
    });
    const module = closedLater(describeModule(bytes));
    expect(module.memories[0]).toMatchObject({ initialization: 'guest', image: undefined });
    expectEachTime(module, expected(PAGE, []));
  });

  it('whose place is computed from constants are in the image', () => {
    open();
    const bytes = encodeModule({
      memories: [{ minimum: 1n }],
      globals: [
        { type: 'i32', init: 1000n },
        { type: 'i32', init: [0x23, 0, 0x41, 4, 0x6c] },
      ],
      // global.get 1, i32.const 8, i32.sub
      segments: [segment(0, 1), { memoryIndex: 0, offset: [0x23, 1, 0x41, 8, 0x6b], data: [5] }],
    });
    const module = closedLater(describeModule(bytes));
    expectEachTime(
      module,
      expected(PAGE, [
        { offset: 0, data: [1] },
        { offset: 3992, data: [5] },
      ]),
    );
  });

  it('that are passive are left to the guest', () => {
    open();
    const module = wasm([{ minimum: 1n }], [{ data: [1, 2, 3] }]);
    expect(module.memories[0]).toMatchObject({ initialization: 'zeros' });
    expectEachTime(module, expected(PAGE, []));
  });

  it('far apart are written one by one rather than mapped', () => {
    const size = 64 * PAGE;
    open({ maxMemorySize: size, memoryReservation: size });
    const segments = [segment(0, 1), segment(size - 1, 2)];
    const module = wasm([{ minimum: 64n }], segments);
    expect(module.memories[0]).toMatchObject({ initialization: 'copy' });
    expectEachTime(
      module,
      expected(size, [
        { offset: 0, data: [1] },
        { offset: size - 1, data: [2] },
      ]),
    );
    // Nothing of them reaches a tenant without data in the same slot.
    store.dispose();
    store = pool.openStore();
    const zeros = wasm([{ minimum: 64n }]);
    for (let i = 0; i < 3; i++) {
      expect(contents(store.allocate({ module: zeros })).equals(Buffer.alloc(size))).toBe(true);
    }
  });
});

describe('a module that does not fit the pool', () => {
  it('because a memory starts too large says its index, its size and the setting', () => {
    open();
    const module = wasm([{ minimum: 1n }, { minimum: 9n }]);
    expect(() => store.allocate({ module, memoryIndex: 0 })).toThrow(
      expect.objectContaining({ code: 'ERR_MODULE_NOT_POOLABLE', memoryIndex: 1 }),
    );
    expect(() => store.allocate({ module })).toThrow(/Memory 1 .*0x90000 .*maxMemorySize, 0x80000/);
  });

  it('fits if it is exactly as large as may be', () => {
    open();
    expectEachTime(wasm([{ minimum: 8n, maximum: 8n }]), expected(8 * PAGE, []));
  });

  it('because a memory is shared says its index', () => {
    open();
    const module = wasm([{ minimum: 1n }, { minimum: 1n, maximum: 2n, shared: true }]);
    expect(() => store.allocate({ module })).toThrow(
      expect.objectContaining({ code: 'ERR_MODULE_NOT_POOLABLE', memoryIndex: 1 }),
    );
    expect(() => pool.validateModule(module)).toThrow(/Memory 1 .*shared/);
  });

  it.each([undefined, null, {}, 'module', new Uint8Array(8)])('because it is none: %s', (module) => {
    open();
    expect(() => store.allocate({ module: module as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

describe('an image larger than the initial size', () => {
  it('cannot be described', () => {
    open();
    const outside = [
      { initial: 1, contents: new Uint8Array(PAGE + 1) },
      { initial: 1, contents: new Uint8Array(2), contentsOffset: PAGE - 1 },
      { initial: 0, contents: new Uint8Array(1) },
      { initial: 1, contents: new Uint8Array(1), contentsOffset: -1 },
      { initial: 1, contents: new Uint8Array(1), contentsOffset: Number.NaN },
    ];
    for (const description of outside) expect(() => describeMemory(description)).toThrow(RangeError);
  });

  it.each(['abc', [1, 2], new ArrayBuffer(4), 7])('nor can contents that are no bytes: %s', (bytes) => {
    open();
    expect(() => describeMemory({ initial: 1, contents: bytes as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  it('is no danger to the tenant after a larger one', () => {
    open();
    // The first image reaches further than the second memory.
    const place = { initial: 6, offset: 4 * PAGE, byteLength: 2 * PAGE };
    for (let i = 0; i < 3; i++) {
      const memory = store.allocate({ module: imageModule(0x66, place) });
      expect(contents(memory).equals(imageBytes(0x66, place))).toBe(true);
      scribble(memory);
      memory.free();
      const small = store.allocate({ module: wasm([{ minimum: 1n }]) });
      small.grow(7);
      expect(contents(small).equals(Buffer.alloc(8 * PAGE))).toBe(true);
      small.free();
    }
  });
});
