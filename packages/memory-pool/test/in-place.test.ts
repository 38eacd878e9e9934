/** What may be done to memory that stays where it is: reset and discard of live memories, trim of free ones. */
import { channel } from 'node:diagnostics_channel';
import { platform } from '@guardstripe/mmap';
import fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';
import { describeMemory, type MemoryPoolConfig, type PooledMemory } from '../src/index.js';
import { faultyMemory } from './support/fault-injection.js';
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
  withGuards,
  zeroModule,
} from './support/memories.js';
import { residentBytes } from './support/resident.js';

const canScan = platform().canScanDirtyPages;
const KEEPING: MemoryPoolConfig = { linearMemoryKeepResident: 8 * PAGE };
const WAYS: Record<string, MemoryPoolConfig> = {
  'that keeps pages': KEEPING,
  'that drops pages': {},
  'that writes everything': { ...KEEPING, pagemapScan: 'disable' },
  'that keeps a few': { linearMemoryKeepResident: 3 * HOST_PAGE },
  ...withGuards({ 'whose slots are closed by guard markers': KEEPING }),
};
const MODULES = {
  zeros: { module: zeroModule(2), bytes: new Uint8Array(2 * PAGE) },
  'an image': { module: imageModule(0x41), bytes: imageBytes(0x41) },
  'an image in the middle': {
    module: imageModule(0x42, { offset: 9 * HOST_PAGE, byteLength: 5 * HOST_PAGE }),
    bytes: imageBytes(0x42, { offset: 9 * HOST_PAGE, byteLength: 5 * HOST_PAGE }),
  },
  'bytes that no image has': (() => {
    // Two pieces far apart in much memory: not worth a mapping.
    const data = new Uint8Array(100).fill(7);
    const module = closedLater(describeMemory({ initial: 2, contents: data, contentsOffset: 4000 }));
    const bytes = new Uint8Array(2 * PAGE);
    bytes.set(data, 4000);
    return { module, bytes };
  })(),
};

describe.each(Object.keys(WAYS))('a live memory of a pool %s', (way) => {
  it.each(Object.keys(MODULES) as (keyof typeof MODULES)[])('%s: reset puts it back in place', (name) => {
    using pool = smallPool(WAYS[way]);
    const { module, bytes } = MODULES[name];
    const store = pool.openStore();
    const [before, memory, after] = [1, 2, 3].map(() => store.allocate({ module })) as [
      PooledMemory,
      PooledMemory,
      PooledMemory,
    ];
    scribble(before, 1);
    scribble(after, 2);
    const { unsafeBuffer: buffer, slot, address } = memory;
    for (let round = 0; round < 4; round++) {
      scribble(memory, round + 3);
      memory.reset();
      expect(memory.unsafeBuffer).toBe(buffer);
      expect([memory.slot, memory.address, memory.freed]).toEqual([slot, address, false]);
      expect(contents(memory).equals(bytes)).toBe(true);
    }
    expect(contents(before).every((byte) => byte === 1)).toBe(true);
    expect(contents(after).every((byte) => byte === 2)).toBe(true);
    memory.free();
    expect(() => memory.reset()).toThrow(expect.objectContaining({ code: 'ERR_MEMORY_FREED' }));
    expect(() => memory.discard(0, 1)).toThrow(expect.objectContaining({ code: 'ERR_MEMORY_FREED' }));
    expect(contents(store.allocate({ module })).equals(bytes)).toBe(true);
    checkBooks(pool);
  });

  it('after a growth: the size goes back, the view is detached, and the limiter hears of it', () => {
    using pool = smallPool(WAYS[way]);
    const { module, bytes } = MODULES['an image'];
    const shrunk: [number, number][] = [];
    const limiter = {
      memoryGrowing: () => true,
      memoryShrunk: (oldBytes: number, newBytes: number) => void shrunk.push([oldBytes, newBytes]),
    };
    const store = pool.openStore({ limiter });
    const memory = store.allocate({ module });
    for (let round = 0; round < 3; round++) {
      memory.grow(4);
      const { unsafeBuffer: buffer } = memory;
      scribble(memory);
      memory.reset();
      expect(buffer.detached).toBe(true);
      expect(memory.byteLength).toBe(2 * PAGE);
      expect(contents(memory).equals(bytes)).toBe(true);
    }
    expect(shrunk).toEqual(Array.from({ length: 3 }, () => [6 * PAGE, 2 * PAGE]));
    // What it had grown by faults again, and reads zeros when it is had once more.
    memory.grow(5);
    expect(
      contents(memory)
        .subarray(2 * PAGE)
        .every((byte) => byte === 0),
    ).toBe(true);
    checkBooks(pool);
  });

  it('any discards, writes, growths and resets: the bytes of a plain copy', () => {
    const act = fc.oneof(
      fc.record({
        act: fc.constant('write' as const),
        offset: fc.nat(8 * PAGE),
        byteLength: fc.nat(3 * PAGE),
      }),
      fc.record({
        act: fc.constant('discard' as const),
        offset: fc.nat(8 * PAGE),
        byteLength: fc.nat(5 * PAGE),
      }),
      fc.constant({ act: 'grow' as const }),
      fc.constant({ act: 'reset' as const }),
      fc.constant({ act: 'free' as const }),
    );
    using pool = smallPool(WAYS[way]);
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(MODULES)),
        fc.array(act, { maxLength: 20 }),
        ({ module, bytes }, acts) => {
          using store = pool.openStore();
          let memory = store.allocate({ module });
          const start = new Uint8Array(8 * PAGE);
          start.set(bytes);
          let expected = Uint8Array.from(bytes);
          for (const step of acts) {
            if (step.act === 'grow') {
              if (memory.byteLength < 8 * PAGE) memory.grow(1);
              expected = Uint8Array.from({ length: memory.byteLength }, (_, i) => expected[i] ?? 0);
            } else if (step.act === 'reset') {
              memory.reset();
              expected = Uint8Array.from(bytes);
            } else if (step.act === 'free') {
              memory.free();
              memory = store.allocate({ module });
              expected = Uint8Array.from(bytes);
            } else {
              const offset = Math.min(step.offset, memory.byteLength);
              const byteLength = Math.min(step.byteLength, memory.byteLength - offset);
              if (step.act === 'discard') {
                memory.discard(offset, byteLength);
                expected.set(start.subarray(offset, offset + byteLength), offset);
              } else {
                new Uint8Array(memory.unsafeBuffer).fill(0x99, offset, offset + byteLength);
                expected.fill(0x99, offset, offset + byteLength);
              }
            }
          }
          expect(contents(memory).equals(expected)).toBe(true);
        },
      ),
      { numRuns: laps(60) },
    );
    checkBooks(pool);
  });
});

describe('discard', () => {
  it('gives many pages back, writes few, and says which it did', () => {
    using pool = smallPool(KEEPING);
    const memory = pool.openStore().allocate({ module: zeroModule(2) });
    scribble(memory);
    expect(memory.discard(HOST_PAGE, 15 * HOST_PAGE)).toBe(0);
    expect(memory.discard(1, 17 * HOST_PAGE)).toBe(16 * HOST_PAGE);
    if (canScan) expect(residentBytes(pool, memory.slot)).toBe(16 * HOST_PAGE);
    expect(
      contents(memory)
        .subarray(1, 17 * HOST_PAGE + 1)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(contents(memory)[0]).not.toBe(0);
    expect(memory.discard(2 * PAGE, 0)).toBe(0);
    expect(pool.metrics().decommits).toBe(1);
  });

  it('bothers the kernel only so often, and is right all the same', () => {
    const faulty = faultyMemory();
    using pool = smallPool({ ...KEEPING, virtualMemory: faulty.virtualMemory });
    const memory = pool.openStore().allocate({ module: zeroModule(2) });
    const bytes = new Uint8Array(memory.unsafeBuffer);
    for (let round = 0; round < 10_000; round++) {
      bytes[round % PAGE] = 1;
      memory.discard(0, PAGE);
      if (round % 1000 === 0) expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
    const calls = faulty.calls.filter((call) => call === 'decommit').length;
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThan(10_000);
  });

  it('refuses what is no part of the memory', () => {
    using pool = smallPool();
    const memory = pool.openStore().allocate({ module: zeroModule(2) });
    for (const [offset, byteLength] of [
      [-1, 1],
      [0.5, 1],
      [0, -1],
      [0, Number.NaN],
      [2 * PAGE + 1, 0],
      [0, 2 * PAGE + 1],
      [1, Number.MAX_SAFE_INTEGER],
    ] as const)
      expect(() => memory.discard(offset, byteLength)).toThrow(
        expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
      );
    expect(() => memory.discard('0' as never, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  it.each(['decommit', 'scanPages'] as const)(
    'and reset, when %s is refused: right, or told',
    (primitive) => {
      const faulty = faultyMemory();
      using pool = smallPool({
        linearMemoryKeepResident: 2 * HOST_PAGE,
        virtualMemory: faulty.virtualMemory,
      });
      const { module, bytes } = MODULES['an image'];
      const memory = pool.openStore().allocate({ module });
      scribble(memory);
      faulty.fail(primitive, 100);
      memory.reset();
      expect(contents(memory).equals(bytes)).toBe(true);
      scribble(memory);
      expect(memory.discard(0, 2 * PAGE)).toBe(primitive === 'decommit' ? 0 : 2 * PAGE);
      expect(contents(memory).equals(bytes)).toBe(true);
      // Where dirty pages cannot be found nobody asks for them.
      const isAsked = primitive === 'decommit' || faulty.calls.includes(primitive);
      expect(pool.metrics().refusedCalls > 0).toBe(isAsked);
      expect(isAsked).toBe(primitive === 'decommit' || canScan);
      faulty.heal();
    },
  );
});

describe('what free slots keep', () => {
  function used(config: MemoryPoolConfig, numMemories: number) {
    const pool = smallPool({ totalMemories: numMemories, ...KEEPING, ...config });
    const store = pool.openStore();
    const module = MODULES['an image'].module;
    const memories = Array.from({ length: numMemories }, () => store.allocate({ module }));
    for (const memory of memories) scribble(memory);
    return { pool, store, module, memories };
  }

  it.runIf(canScan)(
    'is bounded for all together; those freed longest ago give theirs back (skipped without a scan)',
    () => {
      const maxUnusedBytesResident = 10 * PAGE;
      const { pool, memories } = used({ maxUnusedBytesResident }, 20);
      for (const memory of memories) {
        memory.free();
        expect(pool.metrics().unusedBytesResident).toBeLessThanOrEqual(maxUnusedBytesResident);
      }
      const kept = memories.map(({ slot }) => residentBytes(pool, slot));
      expect(kept.reduce((sum, bytes) => sum + bytes, 0)).toBe(pool.metrics().unusedBytesResident);
      expect(kept[0]).toBe(0);
      expect(kept.at(-1)).toBe(2 * PAGE);
      expect(pool.metrics().bytesTrimmed).toBeGreaterThan(0);
      checkBooks(pool);
      pool.close();
    },
  );

  it('goes with trim: as far as asked, and at 0 with mappings and images', () => {
    const trimmed: unknown[] = [];
    const hear = (message: unknown) => trimmed.push(message);
    channel('guardstripe.memory-pool.trim').subscribe(hear);
    const { pool, store, module, memories } = used({ pagemapScan: 'disable' }, 6);
    const live = memories.pop()!;
    for (const memory of memories) memory.free();
    const before = pool.metrics();
    expect(before.unusedBytesResident).toBe(5 * 2 * PAGE);
    expect(pool.trim(3 * PAGE)).toBe(8 * PAGE);
    expect(pool.metrics()).toMatchObject({ unusedBytesResident: 2 * PAGE, mappings: before.mappings });
    expect(pool.trim()).toBe(2 * PAGE);
    const after = pool.metrics();
    expect(after.unusedBytesResident).toBe(0);
    expect(after.mappings).toBe(before.mappings / 6);
    expect(after.imageBytes).toBe(before.imageBytes);
    expect(trimmed).toEqual([{ byteLength: 8 * PAGE }, { byteLength: 2 * PAGE }]);
    expect(contents(live).every((byte) => byte === 0xee)).toBe(true);
    for (let i = 0; i < 5; i++) {
      expect(contents(store.allocate({ module })).equals(MODULES['an image'].bytes)).toBe(true);
    }
    for (const call of [-1, 0.5, 'much']) expect(() => pool.trim(call as number)).toThrow(/maxBytes/);
    checkBooks(pool);
    pool.close({ force: true });
    expect(() => pool.trim()).toThrow(expect.objectContaining({ code: 'ERR_POOL_CLOSED' }));
    channel('guardstripe.memory-pool.trim').unsubscribe(hear);
  });

  it.each(['decommit', 'mapZeros'] as const)('trim when %s is refused: what stays is clean', (primitive) => {
    const faulty = faultyMemory();
    const { pool, store, module, memories } = used({ virtualMemory: faulty.virtualMemory }, 4);
    for (const memory of memories) memory.free();
    faulty.fail(primitive, 100);
    pool.trim();
    faulty.heal();
    checkBooks(pool);
    for (let i = 0; i < 4; i++) {
      expect(contents(store.allocate({ module })).equals(MODULES['an image'].bytes)).toBe(true);
    }
    pool.close({ force: true });
  });
});
