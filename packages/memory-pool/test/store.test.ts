/** Whatever order a tenant's things end in, and whatever fails in between, nothing of it stays. */
import { SystemError, type VirtualMemory } from '@guardstripe/mmap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemoryPool, PooledMemory } from '../src/index.js';
import { faultyMemory } from './support/fault-injection.js';
import {
  checkBooks,
  contents,
  imageModule,
  PAGE,
  scribble,
  smallPool,
  zeroModule,
} from './support/memories.js';

const SLOTS = 6;

function expectAllSlots(pool: MemoryPool): void {
  checkBooks(pool);
  const store = pool.openStore();
  const slots = Array.from({ length: SLOTS }, () => {
    const memory = store.allocate({ module: zeroModule(8) });
    expect(contents(memory).equals(new Uint8Array(8 * PAGE))).toBe(true);
    return memory.slot;
  });
  expect(new Set(slots).size).toBe(SLOTS);
  store.dispose();
}

describe('stores and memories', () => {
  it('end in any order, more than once', () => {
    // 0 to 5: that memory; 6 to 8: that store, which holds two of them.
    const order = fc.shuffledSubarray(
      Array.from({ length: 18 }, (_, i) => i % 9),
      { minLength: 9 },
    );
    fc.assert(
      fc.property(order, (ends) => {
        using pool = smallPool({ totalMemories: SLOTS, decommitBatchSize: 2 });
        const stores = [1, 2, 3].map(() => pool.openStore());
        const memories = stores.flatMap((store) =>
          [1, 2].map(() => store.allocate({ module: imageModule(0x21) })),
        );
        for (const memory of memories) scribble(memory);
        const gone = new Set<PooledMemory>();
        for (const end of ends) {
          const ended = end < SLOTS ? [memories[end]!] : memories.slice((end - SLOTS) * 2).slice(0, 2);
          if (end < SLOTS) memories[end]!.free();
          else stores[end - SLOTS]!.dispose();
          for (const memory of ended) gone.add(memory);
          checkBooks(pool);
          expect(memories.filter((memory) => memory.freed).length).toBe(gone.size);
          expect(pool.metrics().liveMemories).toBe(SLOTS - gone.size);
        }
        for (const store of stores) store.dispose();
        expectAllSlots(pool);
      }),
    );
  });

  it.each(['decommit', 'decommitMany', 'scanPages', 'mapFile'] as const)(
    'all end, also when each %s on the way fails',
    (primitive) => {
      const faulty = faultyMemory();
      using pool = smallPool({
        totalMemories: SLOTS,
        virtualMemory: faulty.virtualMemory,
        decommitBatchSize: primitive === 'decommitMany' ? 2 : 1,
        linearMemoryKeepResident: primitive === 'decommitMany' ? 0 : 4096,
      });
      const store = pool.openStore();
      for (let i = 0; i < SLOTS; i++) scribble(store.allocate({ module: imageModule(i) }));
      faulty.fail(primitive, Number.POSITIVE_INFINITY);
      store.dispose();
      expect(store.liveMemories).toBe(0);
      expect(pool.metrics().liveMemories).toBe(0);
      faulty.heal();
      expectAllSlots(pool);
    },
  );

  it('all end, also when an error comes up that no system made, and the error is told', () => {
    const faulty = faultyMemory();
    const broken = new TypeError('broken');
    let breaks = 2;
    const virtualMemory = Object.assign(Object.create(faulty.virtualMemory) as VirtualMemory, {
      decommit(address: number, byteLength: number) {
        if (breaks-- > 0) throw broken;
        faulty.virtualMemory.decommit(address, byteLength);
      },
    });
    using pool = smallPool({ totalMemories: SLOTS, virtualMemory });
    const store = pool.openStore();
    for (let i = 0; i < SLOTS; i++) scribble(store.allocate({ module: imageModule(i) }));
    expect(() => store.dispose()).toThrow(expect.objectContaining({ errors: [broken, broken] }));
    expect(pool.metrics()).toMatchObject({ liveMemories: 0, failedResets: 2 });
    expectAllSlots(pool);
    breaks = 1;
    const memory = pool.openStore().allocate({ module: zeroModule() });
    expect(() => memory.free()).toThrow(broken);
    expect(memory.freed).toBe(true);
    expectAllSlots(pool);
  });

  it('that failed to grow end like others', () => {
    const faulty = faultyMemory();
    using pool = smallPool({ totalMemories: SLOTS, virtualMemory: faulty.virtualMemory });
    const store = pool.openStore();
    const memories = [1, 2, 3].map((value) => store.allocate({ module: imageModule(value) }));
    for (const at of [0, 2]) {
      faulty.fail('protect');
      expect(() => memories[at]!.grow(1)).toThrow(SystemError);
    }
    store.dispose();
    expect(pool.metrics()).toMatchObject({ liveMemories: 0, failedResets: 2, resets: { decommit: 1 } });
    expectAllSlots(pool);
  });
});
