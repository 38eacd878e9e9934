/** What callers pass in is read once and as it is, whatever getters, iterators, subclasses and limiters make of it. */
import { setImmediate } from 'node:timers/promises';
import { platform } from '@guardstripe/mmap';
import { codeOf } from '@guardstripe/test-support';
import { encodeModule } from '@guardstripe/wasm-builder';
import { describe, expect, it } from 'vitest';
import {
  describeMemory,
  describeModule,
  MemoryPool,
  openModule,
  type ModuleHandle,
  type SharedPoolHandle,
  type StoreToken,
} from '../src/index.js';
import { contents, imageModule, PAGE, smallPool, zeroModule } from './support/memories.js';

/** The first answer of each property is the object's, and all later ones are `later`'s. */
function twoFaced<T extends object>(first: T, later: Partial<Record<keyof T, unknown>>): T {
  const asked = new Set<PropertyKey>();
  return new Proxy(first, {
    get(target, name) {
      const source = asked.has(name) && name in later ? later : target;
      asked.add(name);
      return Reflect.get(source, name) as unknown;
    },
  });
}

/** An array that says it has `length` elements, and whose iterator has no end. */
function endless<T>(elements: readonly T[]): T[] {
  return Object.assign([...elements], {
    *[Symbol.iterator]() {
      for (;;) yield elements[0];
    },
  });
}

/** Bytes that say they are `byteLength`. */
function lying(bytes: Uint8Array, byteLength: number): Uint8Array {
  return Object.defineProperty(Uint8Array.from(bytes), 'byteLength', { value: byteLength });
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

/** Looks like bytes, and is none. */
const FORGED = Object.create(Uint8Array.prototype) as Uint8Array;

describe('settings', () => {
  it('are those that were checked, the primitives too', () => {
    const config = twoFaced(
      { totalMemories: 3, maxMemorySize: PAGE, virtualMemory: platform() },
      { totalMemories: 0.5, virtualMemory: {} },
    );
    using pool = MemoryPool.create(config);
    expect(pool.layout.numSlots).toBe(3);
  });

  it.each([
    [null, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ pageSize: 100 }, 'ERR_OUT_OF_RANGE'],
    [{ pageSize: 12_288 }, 'ERR_OUT_OF_RANGE'],
    [{ pageSize: Number.NaN }, 'ERR_OUT_OF_RANGE'],
    [{ pageSize: '4096' }, 'ERR_INVALID_ARG_TYPE'],
  ])('of a description: primitives are not %o', (virtualMemory, code) => {
    const options = { virtualMemory: virtualMemory as never };
    expect(codeOf(() => describeMemory({ contents: Uint8Array.of(1) }, options))).toBe(code);
  });
});

describe('a handle of a pool', () => {
  it('is the one that was checked', () => {
    using pool = smallPool({ shared: true });
    const other = { modules: new SharedArrayBuffer(8), indexAllocators: [new SharedArrayBuffer(8)] };
    const handle: SharedPoolHandle = twoFaced(pool.share(), other);
    // This thread has it already; up to there all of the handle was good.
    expect(() => MemoryPool.attach(handle)).toThrow(/attached already/);
  });
});

describe('what is allocated', () => {
  const wishes = () => ({ small: zeroModule(1), large: zeroModule(6) });

  it('is what the limiter was asked for, though it puts another module in its place', () => {
    using pool = smallPool();
    const { small, large } = wishes();
    const options: { module: typeof small } = { module: small };
    const memoryGrowing = (): boolean => {
      options.module = large;
      return true;
    };
    expect(pool.openStore({ limiter: { memoryGrowing } }).allocate(options).byteLength).toBe(PAGE);
  });

  it('is what the limiter was asked for, though somebody changes the options while one waits for it', async () => {
    using pool = smallPool();
    const { small, large } = wishes();
    const options: { module: typeof small; memoryIndex?: number } = { module: small };
    const memoryGrowing = async (): Promise<boolean> => (await setImmediate(), true);
    const waiting = pool.openStore({ limiter: { memoryGrowing } }).allocateAsync(options);
    options.module = large;
    options.memoryIndex = 7;
    expect((await waiting).byteLength).toBe(PAGE);
  });

  it('is one memory of the options, though they answer otherwise each time', () => {
    using pool = smallPool();
    const { small, large } = wishes();
    const asked: number[] = [];
    const memoryGrowing = (_: number, desiredBytes: number): boolean => asked.push(desiredBytes) > 0;
    const store = pool.openStore({ limiter: { memoryGrowing } });
    let turn = 0;
    const options = {
      get module() {
        return turn++ % 2 === 0 ? small : large;
      },
    };
    for (let i = 0; i < 3; i++) {
      const { byteLength } = store.allocate(options);
      expect(byteLength).toBe(asked.at(-1));
      turn += i;
    }
  });
});

describe('bytes', () => {
  const WASM = encodeModule({ memories: [{ minimum: 1 }] });
  const fakes: readonly (readonly [string, Uint8Array])[] = [['forged', FORGED]];

  it.each(fakes)('that are %s are none', (_, bytes) => {
    const wrong = 'ERR_INVALID_ARG_TYPE';
    using pool = smallPool({ shared: true });
    expect(codeOf(() => describeMemory({ contents: bytes }))).toBe(wrong);
    expect(codeOf(() => describeModule(bytes))).toBe(wrong);
    expect(codeOf(() => pool.adopt({ poolStore: bytes }))).toBe(wrong);
    const { poolModule } = imageModule(1).handle;
    const handle: ModuleHandle = { poolModule: { ...poolModule, contentHash: bytes } };
    expect(codeOf(() => openModule(handle))).toBe(wrong);
  });

  it('that were given away make no memory of zeros, and no store', () => {
    using pool = smallPool({ shared: true });
    expect(codeOf(() => describeMemory({ contents: detached() }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(codeOf(() => describeModule(detached()))).toBe('ERR_INVALID_MODULE');
    expect(codeOf(() => pool.adopt({ poolStore: detached() }))).toBe('ERR_STORE_TOKEN');
    expect(describeMemory({ contents: new Uint8Array(0), initial: 1 }).memories[0]!.initialPages).toBe(1n);
  });

  it('are as many as they are', () => {
    using pool = smallPool({ shared: true });
    const bytes = Uint8Array.of(1, 2, 3);
    for (const said of [0, 1, 2 ** 40]) {
      using module = describeMemory({ contents: lying(bytes, said) });
      using store = pool.openStore();
      expect(contents(store.allocate({ module })).subarray(0, 4)).toEqual(Buffer.from([1, 2, 3, 0]));
    }
    const limits = { maxModuleBytes: WASM.byteLength - 1 };
    expect(codeOf(() => describeModule(lying(WASM, 8), { limits }))).toBe('ERR_MODULE_LIMIT');
    const token: StoreToken = pool.openStore().release();
    const other = { poolStore: lying(token.poolStore, 4) };
    expect(pool.adopt(other).store.liveMemories).toBe(0);
  });
});

describe('lists in a handle of a module', () => {
  it.each(['types', 'plans'])('are as long as they say: %s', (name) => {
    using module = imageModule(3);
    const { poolModule } = module.handle;
    const list = (poolModule as Record<string, unknown[]>)[name]!;
    using opened = openModule({ poolModule: { ...poolModule, [name]: endless(list) } });
    expect(opened.memories).toEqual(module.memories);
  });

  it('are read once: one that is longer the second time is as long as it was', () => {
    using module = imageModule(3);
    const { poolModule } = module.handle;
    const { types } = poolModule as { readonly types: readonly object[] };
    const growing = twoFaced([...types], { length: 2 ** 31 });
    using opened = openModule({ poolModule: { ...poolModule, types: growing } });
    expect(opened.memories).toHaveLength(1);
  });
});
