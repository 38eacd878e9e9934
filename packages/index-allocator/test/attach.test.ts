import { afterEach, describe, expect, it, vi } from 'vitest';

import { ModuleAffinityIndexAllocator, STATE_BYTES_PER_SLOT, stateBytes } from '../src/index.js';
import { CAPACITY_STAMP, WARM_LIMIT_STAMP, WARM_SLOTS } from '../src/state.js';

const A = { moduleId: 1, memoryIndex: 0 };

function make(buffer: unknown, byteOffset?: number, capacity = 3, limit = 2): ModuleAffinityIndexAllocator {
  const options = byteOffset === undefined ? { buffer } : { buffer, byteOffset };
  return new ModuleAffinityIndexAllocator(capacity, limit, options as { buffer: ArrayBuffer });
}

describe('stateBytes', () => {
  it('is 32 bytes a slot, and 64 once', () => {
    expect(STATE_BYTES_PER_SLOT).toBe(32);
    expect([0, 1, 3, 1_000_000].map(stateBytes)).toEqual([64, 96, 160, 32_000_064]);
    expect(new ModuleAffinityIndexAllocator(3, 0).buffer.byteLength).toBe(160);
  });

  it('checks its argument', () => {
    expect(() => stateBytes(-1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => stateBytes(-1)).toThrow(/"capacity"/);
    expect(() => stateBytes('1' as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });
});

describe('a buffer that is handed in', () => {
  it.each([ArrayBuffer, SharedArrayBuffer])('%o of zeros is an empty allocator', (Buffer) => {
    const buffer = new Buffer(stateBytes(3));
    const allocator = make(buffer);
    expect(allocator.buffer).toBe(buffer);
    expect([1, 2, 3, 4].map(() => allocator.alloc(A))).toEqual([0, 1, 2, undefined]);
    allocator.free(1, 7);
    const second = make(buffer);
    expect([second.length, second.unusedWarmSlots, second.unusedBytesResident]).toEqual([2, 1, 7]);
    expect(second.alloc(A)).toBe(1);
    expect(allocator.length).toBe(3);
  });

  it('is used from the offset on, and nowhere else', () => {
    const buffer = new ArrayBuffer(stateBytes(3) + 20);
    new Uint8Array(buffer).fill(0xaa, 0, 12);
    new Uint8Array(buffer).fill(0xbb, 12 + stateBytes(3));
    const allocator = make(buffer, 12);
    for (let i = 0; i < 4; i++) allocator.alloc(A);
    for (let slot = 0; slot < 3; slot++) allocator.free(slot, 2 ** 47);
    expect(new Uint8Array(buffer, 0, 12).every((byte) => byte === 0xaa)).toBe(true);
    expect(new Uint8Array(buffer, 12 + stateBytes(3)).every((byte) => byte === 0xbb)).toBe(true);
  });

  const noBuffer =
    'The "options.buffer" property must be an instance of ArrayBuffer or SharedArrayBuffer. Received ';
  it.each<[string, unknown, number, code: string, message: string]>([
    [
      'too small',
      new ArrayBuffer(stateBytes(3) - 1),
      0,
      'ERR_INVALID_ARG_VALUE',
      '"options.buffer" is too small for 3 slots: 160 bytes are needed from byte 0 on. Received 159 bytes',
    ],
    [
      'too small behind the offset',
      new ArrayBuffer(stateBytes(3)),
      4,
      'ERR_INVALID_ARG_VALUE',
      '160 bytes are needed from byte 4 on. Received 160 bytes',
    ],
    ['empty', new ArrayBuffer(0), 0, 'ERR_INVALID_ARG_VALUE', 'Received 0 bytes'],
    [
      'resizable',
      new ArrayBuffer(160, { maxByteLength: 320 }),
      0,
      'ERR_INVALID_ARG_VALUE',
      '"options.buffer" must not be resizable',
    ],
    [
      'growable',
      new SharedArrayBuffer(160, { maxByteLength: 320 }),
      0,
      'ERR_INVALID_ARG_VALUE',
      '"options.buffer" must not be growable',
    ],
    ['a view', new Int32Array(40), 0, 'ERR_INVALID_ARG_TYPE', noBuffer],
    ['null', null, 0, 'ERR_INVALID_ARG_TYPE', noBuffer],
    ['by its prototype alone', Object.create(ArrayBuffer.prototype), 0, 'ERR_INVALID_ARG_TYPE', noBuffer],
    [
      'shared by its prototype alone',
      Object.create(SharedArrayBuffer.prototype),
      0,
      'ERR_INVALID_ARG_TYPE',
      noBuffer,
    ],
    ['a proxy of one', new Proxy(new ArrayBuffer(160), {}), 0, 'ERR_INVALID_ARG_TYPE', noBuffer],
    [
      'at no word',
      new ArrayBuffer(1000),
      2,
      'ERR_OUT_OF_RANGE',
      '"options.byteOffset" is out of range. It must be a multiple of 4',
    ],
    ['at a negative offset', new ArrayBuffer(1000), -4, 'ERR_OUT_OF_RANGE', '"options.byteOffset"'],
    ['at a fraction', new ArrayBuffer(1000), 0.5, 'ERR_OUT_OF_RANGE', '"options.byteOffset"'],
    ['at no number', new ArrayBuffer(1000), '4' as never, 'ERR_INVALID_ARG_TYPE', '"options.byteOffset"'],
  ])('is refused if it is %s', (_, buffer, byteOffset, code, message) => {
    expect(() => make(buffer, byteOffset)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }),
    );
  });

  it('is refused with other settings than it was made with, and keeps its own', () => {
    const buffer = new ArrayBuffer(stateBytes(100));
    make(buffer).alloc(A);
    expect(() => make(buffer, 0, 4)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    expect(() => make(buffer, 0, 3, 1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
    expect(() => make(buffer, 0, 4)).toThrow(
      '"options.buffer" holds the state of an allocator with other settings: capacity 3 and at most 2 unused warm slots, ' +
        'not 4 and 2',
    );
    expect(make(buffer).length).toBe(1);
  });

  it.each([CAPACITY_STAMP, WARM_LIMIT_STAMP])(
    'is not taken for a new one by half of its header: word %i',
    (word) => {
      const buffer = new ArrayBuffer(stateBytes(3));
      new Int32Array(buffer)[word] = 7;
      const before = [...new Int32Array(buffer)];
      expect(() => make(buffer)).toThrow(/other settings/);
      expect([...new Int32Array(buffer)]).toEqual(before);
    },
  );

  it('is checked before it is taken up', () => {
    const { buffer } = make(new ArrayBuffer(stateBytes(3)));
    new Int32Array(buffer)[WARM_SLOTS] = 1;
    expect(() => make(buffer)).toThrow(expect.objectContaining({ code: 'ERR_INCONSISTENT_STATE' }));
  });

  it('is refused, and left alone, if it holds something else', () => {
    const buffer = new ArrayBuffer(stateBytes(3));
    const words = new Int32Array(buffer);
    // Bucket 0 names a list, though nothing was ever freed.
    words[7] = 16;
    const before = [...words];
    expect(() => make(buffer)).toThrow(expect.objectContaining({ code: 'ERR_INCONSISTENT_STATE' }));
    expect([...words]).toEqual(before);
  });

  it('must come in an options object', () => {
    for (const options of [null, 3, 'x']) {
      expect(() => new ModuleAffinityIndexAllocator(3, 0, options as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
  });
});

describe('a buffer that was transferred away', () => {
  it('ends every call in a typed error', () => {
    const allocator = new ModuleAffinityIndexAllocator(3, 3);
    allocator.alloc(A);
    (allocator.buffer as ArrayBuffer).transfer();
    const detached = expect.objectContaining({ code: 'ERR_STATE_DETACHED' });
    expect(() => allocator.alloc()).toThrow(detached);
    expect(() => allocator.alloc(A)).toThrow(detached);
    expect(() => allocator.allocAffineAndClearAffinity(A)).toThrow(detached);
    expect(() => allocator.free(0, 0)).toThrow(detached);
    expect(() => allocator.freeMany([{ slot: 0, bytesResident: 0 }])).toThrow(detached);
    expect(() => allocator.isUsed(0)).toThrow(detached);
    expect(() => allocator.length).toThrow(detached);
    expect(() => allocator.isEmpty).toThrow(detached);
    expect(() => allocator.unusedWarmSlots).toThrow(detached);
    expect(() => allocator.unusedBytesResident).toThrow(detached);
    expect(() => allocator.checkConsistency()).toThrow(detached);
  });
});

describe('a host', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('without memory for the state: the error says how much was asked for, and why there is none', () => {
    const cause = new RangeError('Array buffer allocation failed');
    vi.stubGlobal('Int32Array', function () {
      throw cause;
    });
    expect(() => new ModuleAffinityIndexAllocator(3, 0)).toThrow(
      expect.objectContaining({
        code: 'ERR_MEMORY_ALLOCATION_FAILED',
        message: 'Cannot allocate 160 bytes of state for 3 slots',
        cause,
      }),
    );
  });

  it('without shared buffers, as a page that is not isolated, has the others', () => {
    // Restored behind the test, however it ends.
    vi.stubGlobal('SharedArrayBuffer', SharedArrayBuffer);
    Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
    expect(make(new ArrayBuffer(160)).length).toBe(0);
    expect(() => make({})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });
});
