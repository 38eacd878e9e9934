/** Whoever may say no to a memory that wants to be larger, and what it may do while it is asked. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  MemoryFreedError,
  MemoryLimitError,
  PoolClosedError,
  StoreDisposedError,
  type MemoryLimiter,
  type MemoryPool,
  type PooledMemory,
  type Store,
} from '../src/index.js';
import {
  checkBooks,
  contents,
  imageBytes,
  imageModule,
  PAGE,
  smallPool,
  zeroModule,
} from './support/memories.js';

let pool: MemoryPool;

beforeEach(() => {
  pool = smallPool();
});
afterEach(() => {
  if (!pool.closed) checkBooks(pool);
  pool.close({ force: true });
});

function open(memoryGrowing: MemoryLimiter['memoryGrowing']): Store {
  return pool.openStore({ limiter: { memoryGrowing } });
}

type Asked = [currentBytes: number, desiredBytes: number, maximumBytes: number];

describe('a limiter', () => {
  it('is asked at creation and before each grow, with the sizes and the maximum', async () => {
    const asked: Asked[] = [];
    const store = open((...sizes) => asked.push(sizes) > 0);
    const memory = store.allocate({ module: zeroModule(2, 5) });
    memory.grow(1);
    memory.grow(0);
    await memory.growAsync(2);
    // Also about what turns out not to fit.
    expect(() => memory.grow(1)).toThrow(RangeError);
    await store.allocateAsync({ module: zeroModule(0, 100) });
    expect(asked).toEqual([
      [0, 2 * PAGE, 5 * PAGE],
      [2 * PAGE, 3 * PAGE, 5 * PAGE],
      [3 * PAGE, 3 * PAGE, 5 * PAGE],
      [3 * PAGE, 5 * PAGE, 5 * PAGE],
      [5 * PAGE, 6 * PAGE, 5 * PAGE],
      [0, 0, 8 * PAGE],
    ]);
  });

  it.each(['allocate', 'allocateAsync'] as const)(
    'that says no to %s takes no slot, and leaves none that is trusted',
    async (how) => {
      let allows = false;
      const store = open(() => allows);
      const module = imageModule(0x51);
      for (let i = 0; i < 5; i++) {
        const denied =
          how === 'allocate' ? () => store.allocate({ module }) : store.allocateAsync({ module });
        const error = { code: 'ERR_MEMORY_LIMIT', currentBytes: 0, desiredBytes: 2 * PAGE };
        if (typeof denied === 'function') expect(denied).toThrow(expect.objectContaining(error));
        else await expect(denied).rejects.toThrow(expect.objectContaining(error));
        expect(pool.metrics()).toMatchObject({ liveMemories: 0, failedResets: 0 });
      }
      allows = true;
      for (let i = 0; i < 3; i++) {
        expect(contents(store.allocate({ module })).equals(imageBytes(0x51))).toBe(true);
      }
    },
  );

  it.each(['grow', 'growAsync'] as const)('that says no to %s changes nothing', async (how) => {
    let allows = true;
    const memory = open(() => allows).allocate({ module: zeroModule() });
    const { buffer } = memory;
    allows = false;
    const error = { currentBytes: 2 * PAGE, desiredBytes: 3 * PAGE };
    if (how === 'grow') expect(() => memory.grow(1)).toThrow(expect.objectContaining(error));
    else await expect(memory.growAsync(1)).rejects.toThrow(MemoryLimitError);
    expect(memory.buffer).toBe(buffer);
    expect(buffer.detached).toBe(false);
    allows = true;
    expect(memory.grow(1)).toBe(2);
  });

  it('that throws is heard, and nothing is taken', async () => {
    const down = new Error('the limiter is down');
    const store = open(() => {
      throw down;
    });
    expect(() => store.allocate({ module: zeroModule() })).toThrow(down);
    await expect(store.allocateAsync({ module: zeroModule() })).rejects.toBe(down);
    expect(pool.isEmpty).toBe(true);
  });

  it('that rejects is heard, and nothing is taken', async () => {
    const down = new Error('the limiter is down');
    const store = open(() => Promise.reject(down));
    await expect(store.allocateAsync({ module: zeroModule() })).rejects.toBe(down);
    expect(pool.isEmpty).toBe(true);
  });

  it.each([
    ['a promise of yes', () => Promise.resolve(true)],
    ['a promise that is rejected, which is not left unhandled', () => Promise.reject(new Error('later'))],
    ['nothing', () => undefined],
    ['a truthy word', () => 'yes'],
  ])('that answers a synchronous call with %s is refused', async (_, answer) => {
    const answers: (() => unknown)[] = [() => true, answer];
    const limiter = () => (answers.shift() ?? answer)() as boolean;
    const memory = open(limiter).allocate({ module: zeroModule() });
    expect(() => memory.grow(1)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }));
    expect(() => open(limiter).allocate({ module: zeroModule() })).toThrow(/limiter/);
    expect(memory.byteLength).toBe(2 * PAGE);
    expect(pool.metrics().liveMemories).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
  });

  it.each([undefined, 'no', 1])(
    'that answers an asynchronous call with %s has not said yes',
    async (answer) => {
      const store = open(() => Promise.resolve(answer as never));
      await expect(store.allocateAsync({ module: zeroModule() })).rejects.toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }),
      );
      expect(pool.isEmpty).toBe(true);
    },
  );

  it('may answer any time later, while others come and go', async () => {
    let answer: (yes: boolean) => void = () => undefined;
    const slow = open(() => new Promise((resolve) => (answer = resolve)));
    const other = pool.openStore();
    const coming = slow.allocateAsync({ module: imageModule(0x51) });
    const module = zeroModule();
    for (let i = 0; i < 3; i++)
      for (const memory of [1, 2].map(() => other.allocate({ module }))) memory.free();
    answer(true);
    const memory = await coming;
    expect(contents(memory).equals(imageBytes(0x51))).toBe(true);
    const growing = memory.growAsync(1);
    memory.free();
    answer(true);
    await expect(growing).rejects.toThrow(MemoryFreedError);
  });
});

/** What a limiter may do to the very memory that it is asked about. */
const misdeeds: [string, (store: Store) => void, new (...args: never[]) => Error][] = [
  ['disposes the store', (store) => store.dispose(), StoreDisposedError],
  ['closes the pool', () => pool.close({ force: true }), PoolClosedError],
];

describe.each(misdeeds)('a limiter that %s inside its call', (_, misdeed, expected) => {
  for (const answer of [true, false]) {
    it(`and answers ${answer} leaves no memory behind`, () => {
      const store: Store = open(() => {
        misdeed(store);
        return answer;
      });
      expect(() => store.allocate({ module: zeroModule() })).toThrow(answer ? expected : MemoryLimitError);
      expect(pool.metrics().liveMemories).toBe(0);
    });

    it(`and later answers ${answer} leaves no memory behind either`, async () => {
      const store: Store = open(async () => {
        await Promise.resolve();
        misdeed(store);
        return answer;
      });
      // Nobody waits for the answer any more.
      await expect(store.allocateAsync({ module: zeroModule() })).rejects.toThrow(expected);
      expect(pool.metrics().liveMemories).toBe(0);
    });
  }

  it('does not make the grown memory another tenant', () => {
    let isGrowing = false;
    const store: Store = open(() => {
      if (isGrowing) misdeed(store);
      return true;
    });
    const memory = store.allocate({ module: zeroModule() });
    isGrowing = true;
    expect(() => memory.grow(1)).toThrow(MemoryFreedError);
  });
});

describe('a limiter that frees the memory it is asked about', () => {
  it('does not grow the next tenant of its slot', () => {
    const tenants: PooledMemory[] = [];
    const other = pool.openStore();
    const module = zeroModule();
    const store = open((currentBytes) => {
      if (currentBytes === 0) return true;
      tenants.shift()!.free();
      tenants.push(other.allocate({ module }));
      return true;
    });
    const memory = store.allocate({ module });
    tenants.push(memory);
    expect(() => memory.grow(3)).toThrow(MemoryFreedError);
    expect(tenants[0]!.slot).toBe(memory.slot);
    expect(tenants[0]!.byteLength).toBe(2 * PAGE);
    expect(tenants[0]!.buffer.byteLength).toBe(2 * PAGE);
  });
});

describe('a limiter that grows the memory it is asked about', () => {
  it('is asked again, for what would then happen', () => {
    const asked: number[] = [];
    let nested = false;
    const memory: PooledMemory = open((currentBytes, desiredBytes) => {
      asked.push(desiredBytes / PAGE);
      if (currentBytes > 0 && !nested) {
        nested = true;
        memory.grow(2);
      }
      return true;
    }).allocate({ module: zeroModule(1) });
    expect(memory.grow(1)).toBe(3);
    expect(memory.byteLength).toBe(4 * PAGE);
    expect(asked).toEqual([1, 2, 3, 4]);
  });
});

describe('growAsync', () => {
  it('from several places at once adds up, and each learns its own old size', async () => {
    const asked: number[] = [];
    const store = open(async (_, desiredBytes) => {
      asked.push(desiredBytes / PAGE);
      await Promise.resolve();
      return true;
    });
    const memory = await store.allocateAsync({ module: zeroModule(1) });
    const before = await Promise.all([memory.growAsync(1), memory.growAsync(2), memory.growAsync(3)]);
    expect(before).toEqual([1, 2, 4]);
    expect(memory.byteLength).toBe(7 * PAGE);
    expect(contents(memory).equals(new Uint8Array(7 * PAGE))).toBe(true);
  });

  it('that no longer fits once another grew first is a RangeError', async () => {
    const memory = open(() => Promise.resolve(true));
    const grown = await memory.allocateAsync({ module: zeroModule(1, 3) });
    const results = await Promise.allSettled([grown.growAsync(2), grown.growAsync(2)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect((results[1] as PromiseRejectedResult).reason).toBeInstanceOf(RangeError);
    expect(grown.byteLength).toBe(3 * PAGE);
  });

  it('refuses what grow refuses, by rejection', async () => {
    const memory = pool.openStore().allocate({ module: zeroModule() });
    await expect(memory.growAsync(-1)).rejects.toThrow(RangeError);
    await expect(memory.growAsync('1' as never)).rejects.toThrow(TypeError);
    memory.free();
    await expect(memory.growAsync(0)).rejects.toThrow(MemoryFreedError);
  });
});
