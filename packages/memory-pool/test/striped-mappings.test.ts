/** Stripes cost no mappings, and with guard markers a slot takes one. */
import { mappingsForPools } from '@guardstripe/layout';
import { host } from '@guardstripe/mmap';
import { expect, it } from 'vitest';
import { MemoryPool, type MemoryPoolConfig, type PoolModule } from '../src/index.js';
import { mappingsOf } from './support/mappings.js';
import { CLOSINGS, HOST_PAGE, imageModule, PAGE, zeroModule } from './support/memories.js';
import { describeWithKeys } from './support/striped.js';

/** Three stripes of three slots. */
const SETTINGS = {
  totalMemories: 9,
  maxMemorySize: 8 * PAGE,
  memoryReservation: 16 * PAGE,
  memoryGuardSize: PAGE,
  memoryProtectionKeys: 'enable',
} as const;

type Taken = { readonly live: number; readonly freed: number };

/** Mappings of the slab in rounds of tenants of several sizes that fill it: while they live, and when they were freed. */
function mappingsTaken(config: MemoryPoolConfig, module: (numPages: number) => PoolModule): Taken[] {
  using pool = MemoryPool.create({ ...SETTINGS, ...config });
  const { slabAddress, layout } = pool;
  const stores = [0, 1, 2].map(() => pool.openStore());
  return [6, 2, 4, 1].map((numPages) => {
    const memories = stores.flatMap((store) =>
      [1, 2, 3].map(() => store.allocate({ module: module(numPages) })),
    );
    for (const memory of memories) memory.write(0, new Uint8Array(memory.byteLength).fill(7));
    const taken = () => mappingsOf(slabAddress, slabAddress + layout.totalSlabBytes);
    const live = taken();
    for (const memory of memories) memory.free();
    return { live, freed: taken() };
  });
}

describeWithKeys('a striped slab', () => {
  it('takes no more mappings than without stripes, in slots that were opened further before and shut again, too', () => {
    const withKeys = mappingsTaken({ guardPages: 'disable' }, zeroModule);
    expect(withKeys).toEqual(
      mappingsTaken({ guardPages: 'disable', memoryProtectionKeys: 'disable' }, zeroModule),
    );
  });

  // Guards of a page at both ends of the slab, and what is between.
  const guards = 2;

  it.runIf(CLOSINGS.includes('enable')).each([
    ['zeros', zeroModule, 1],
    // The zeros before, the image, the zeros behind.
    ['an image', (initial: number) => imageModule(1, { initial, offset: HOST_PAGE }), 3],
  ] as const)(
    'takes one mapping a slot with guard markers, and two more for an image: %s',
    (_, module, ofSlot) => {
      const all = guards + 9 * ofSlot;
      const rounds = mappingsTaken({ guardPages: 'enable', linearMemoryKeepResident: 8 * PAGE }, module);
      expect(rounds).toEqual(rounds.map(() => ({ live: all, freed: all })));
    },
  );

  it('is closed by guard markers by itself where access rights would take more mappings than there are', () => {
    const slots = mappingsForPools(host().maxMapCount ?? Infinity, 0) / 2;
    const pool = (totalMemories: number) => mappingsTaken({ totalMemories, guardPages: 'auto' }, zeroModule);
    expect(pool(9)[0]?.live).toBe(guards + 2 * 9 - 1);
    if (CLOSINGS.includes('enable')) expect(pool(Math.floor(slots) + 3)[0]?.live).toBe(guards + 9);
  });
});
