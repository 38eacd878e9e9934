/** What newcomers get wrong, and what the error says that they probably meant. */
import { runInNewContext } from 'node:vm';
import { readSettings } from '@guardstripe/layout';
import { afterAll, describe, expect, it } from 'vitest';
import { describeMemory, describeModule, MemoryPool } from '../src/index.js';

// (module (memory 1 2) (data (i32.const 8) "abc"))
const bytes = Buffer.from('0061736d010000000504010101020b09010041080b03616263', 'hex');
const module = describeModule(bytes);
const pool = MemoryPool.create({ totalMemories: 3, maxMemorySize: '1MiB', memoryReservation: '1MiB' });
const store = pool.openStore();
const { Module } = Reflect.get(globalThis, 'WebAssembly') as { Module: new (bytes: Uint8Array) => object };
const compiled = new Module(bytes);
const memory = store.allocate({ module });
afterAll(() => pool.close({ force: true }));

/** A call as JavaScript allows it. */
const loosely = (target: object, name: string, ...args: readonly unknown[]): unknown =>
  (Reflect.get(target, name) as (...all: unknown[]) => unknown).apply(target, [...args]);

describe('a slip is answered with what was probably meant', () => {
  it.each<[string, () => unknown, string, string]>([
    [
      'no options',
      () => loosely(store, 'allocate'),
      'ERR_INVALID_ARG_TYPE',
      'allocate({ module: describeMemory(...) })?',
    ],
    [
      'the module itself',
      () => loosely(store, 'allocate', module),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean allocate({ module })?',
    ],
    [
      'bytes',
      () => loosely(store, 'tryAllocate', bytes),
      'ERR_INVALID_ARG_TYPE',
      'allocate({ module: describeModule(bytes) })?',
    ],
    [
      'bytes as the module',
      () => loosely(store, 'allocate', { module: bytes }),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean describeModule(bytes)?',
    ],
    [
      'a compiled module',
      () => loosely(store, 'allocate', { module: compiled }),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean describeModule(bytes)?',
    ],
    [
      'no store',
      () => loosely(pool, 'allocate', { module }),
      'ERR_METHOD_NOT_IMPLEMENTED',
      'pool.openStore().allocate({ module })?',
    ],
    [
      'no store, in turn',
      () => loosely(pool, 'allocateAsync', { module }),
      'ERR_METHOD_NOT_IMPLEMENTED',
      'pool.openStore().allocateAsync({ module })?',
    ],
    ['new', () => Reflect.construct(MemoryPool, [{}]), 'ERR_INVALID_ARG_TYPE', 'MemoryPool.create(config)?'],
    [
      'slots',
      () => MemoryPool.create({ slots: 3 } as object),
      'ERR_INVALID_ARG_VALUE',
      "did you mean 'totalMemories'?",
    ],
    [
      'keepResident',
      () => MemoryPool.create({ keepResident: 3 } as object),
      'ERR_INVALID_ARG_VALUE',
      "did you mean 'linearMemoryKeepResident'?",
    ],
    [
      'maxMemories of a plan',
      () => readSettings({ maxMemories: 3 }),
      'ERR_INVALID_ARG_VALUE',
      "did you mean 'totalMemories'?",
    ],
    [
      'a limiter of a pool',
      () => MemoryPool.create({ limiter: {} } as object),
      'ERR_INVALID_ARG_VALUE',
      'pool.openStore({ limiter })?',
    ],
    [
      'a limiter itself',
      () => loosely(pool, 'openStore', { memoryGrowing: () => true }),
      'ERR_INVALID_ARG_VALUE',
      'did you mean openStore({ limiter })?',
    ],
    [
      'a count',
      () => loosely({ describeMemory }, 'describeMemory', 64),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean { initial: pages }?',
    ],
    [
      'contents alone',
      () => loosely({ describeMemory }, 'describeMemory', bytes),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean { contents: bytes }?',
    ],
    [
      'contents alone, of another realm',
      () => loosely({ describeMemory }, 'describeMemory', runInNewContext('new Uint8Array(8)')),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean { contents: bytes }?',
    ],
    [
      'a path',
      () => loosely({ describeMemory }, 'describeMemory', 'a.bin'),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean { file: path }?',
    ],
    [
      'a size of a memory',
      () => describeMemory({ size: 1 } as object),
      'ERR_INVALID_ARG_VALUE',
      "did you mean 'initial', in pages of 64 KiB?",
    ],
    [
      'bytes of a memory',
      () => describeMemory({ bytes } as object),
      'ERR_INVALID_ARG_VALUE',
      "did you mean 'contents'?",
    ],
    [
      'a size where pages are counted',
      () => loosely({ describeMemory }, 'describeMemory', { initial: '1MiB' }),
      'ERR_INVALID_ARG_TYPE',
      'Pages are counted, of 64 KiB: 16 for 1MiB',
    ],
    [
      'a size to grow by',
      () => loosely(memory, 'grow', '100KiB'),
      'ERR_INVALID_ARG_TYPE',
      'Pages are counted, of 64 KiB: 2 for 100KiB',
    ],
    [
      'a path of a module',
      () => loosely({ describeModule }, 'describeModule', 'a.wasm'),
      'ERR_INVALID_ARG_TYPE',
      'readFileSync(path)?',
    ],
    [
      'an ArrayBuffer',
      () => loosely({ describeModule }, 'describeModule', new ArrayBuffer(8)),
      'ERR_INVALID_ARG_TYPE',
      'new Uint8Array(buffer)?',
    ],
    [
      'a compiled module to read',
      () => loosely({ describeModule }, 'describeModule', compiled),
      'ERR_INVALID_ARG_TYPE',
      'pass the bytes that it was compiled from',
    ],
    [
      'a limit beside limits',
      () => describeModule(bytes, { maxImageBytes: 1 } as object),
      'ERR_INVALID_ARG_VALUE',
      'did you mean { limits: { maxImageBytes } }?',
    ],
    [
      'write the wrong way round',
      () => loosely(memory, 'write', bytes, 0),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean write(offset, bytes)?',
    ],
    [
      'readInto the wrong way round',
      () => loosely(memory, 'readInto', 0, bytes),
      'ERR_INVALID_ARG_TYPE',
      'Did you mean readInto(target, offset)?',
    ],
  ])('%s', (_, slip, code, hint) => {
    expect(slip).toThrow(expect.objectContaining({ code, message: expect.stringContaining(hint) as string }));
    expect(pool.metrics().liveMemories).toBe(1);
  });

  it('what is no slip gets no hint', () => {
    expect(() => loosely(memory, 'write', 0, 'abc')).toThrow(/Received type string \('abc'\)$/);
    expect(() => loosely(store, 'allocate', { module: {} })).toThrow(/Received an instance of Object$/);
    expect(() => loosely({ describeModule }, 'describeModule', 1)).toThrow(/Received type number \(1\)$/);
    expect(() => loosely(memory, 'grow', 'more')).toThrow(/Received type string \('more'\)$/);
    expect(() => MemoryPool.create({ nothingLikeIt: 1 } as object)).toThrow(/is not known\. Received 1$/);
  });

  it('sizes as text are no slip where bytes are counted', () => {
    expect(pool.trim('1MiB')).toBe(0);
    expect(() => describeModule(bytes, { limits: { maxImageBytes: '1KiB' } })).toThrow(
      expect.objectContaining({ code: 'ERR_MODULE_LIMIT', maximum: 1024 }),
    );
  });

  it('forgotten stores are seen by nobody who does not slip', () => {
    expect(Object.keys(MemoryPool.prototype)).toEqual([]);
    expect('allocate' in ({} as MemoryPool)).toBe(false);
  });
});
