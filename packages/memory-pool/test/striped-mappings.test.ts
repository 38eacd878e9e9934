/** Stripes cost no mappings. */
import { expect, it } from 'vitest';
import { MemoryPool, type MemoryPoolConfig } from '../src/index.js';
import { mappingsOf } from './support/mappings.js';
import { PAGE, zeroModule } from './support/memories.js';
import { describeWithKeys } from './support/striped.js';

/** Three stripes of three slots. */
const SETTINGS = {
  totalMemories: 9,
  maxMemorySize: 8 * PAGE,
  memoryReservation: 16 * PAGE,
  memoryGuardSize: PAGE,
  memoryProtectionKeys: 'enable',
} as const;

describeWithKeys('a striped slab', () => {
  it('takes no more mappings than without stripes, in slots that were opened further before and shut again, too', () => {
    const taken = (config: MemoryPoolConfig): number[] => {
      using pool = MemoryPool.create({ ...SETTINGS, ...config });
      const { slabAddress, layout } = pool;
      const stores = [0, 1, 2].map(() => pool.openStore());
      return [6, 2, 4, 1].map((numPages) => {
        const memories = stores.flatMap((store) =>
          [1, 2, 3].map(() => store.allocate({ module: zeroModule(numPages) })),
        );
        for (const memory of memories) memory.write(0, new Uint8Array(memory.byteLength).fill(7));
        for (const memory of memories) memory.free();
        return mappingsOf(slabAddress, slabAddress + layout.totalSlabBytes);
      });
    };
    expect(taken({})).toEqual(taken({ memoryProtectionKeys: 'disable' }));
  });
});
