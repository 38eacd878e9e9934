/** Pools in stripes whose system calls fail, each one once. */
import { SystemError } from '@guardstripe/mmap';
import { expect, it } from 'vitest';
import { MemoryPool, type PooledMemory } from '../src/index.js';
import { faultyMemory } from './support/fault-injection.js';
import {
  checkBooks,
  contents,
  imageBytes,
  imageModule,
  PAGE,
  scribble,
  zeroModule,
} from './support/memories.js';
import { describeClosings } from './support/striped.js';

describeClosings('every failing system call of a striped pool', (guardPages) => {
  it('loses no slot and shows nobody else’s bytes', () => {
    // The life below makes some thirty calls; each fails once.
    for (let skip = 0; skip < 40; skip++) {
      const faulty = faultyMemory();
      const pool = MemoryPool.create({
        totalMemories: 9,
        maxMemorySize: 8 * PAGE,
        memoryReservation: 16 * PAGE,
        memoryGuardSize: PAGE,
        memoryProtectionKeys: 'enable',
        guardPages,
        virtualMemory: faulty.virtualMemory,
      });
      expect(pool.layout.numStripes).toBe(3);
      const stores = [0, 1, 2].map(() => pool.openStore());
      const a = imageModule(0x61);
      const b = imageModule(0x62, { initial: 3, offset: 70_000 });
      faulty.failCall(skip);
      for (const module of [a, b, a, zeroModule(2), b]) {
        for (const store of stores) attempt(() => useOnce(store.allocate({ module })));
        attempt(() => pool.purgeModule(module));
        checkBooks(pool);
      }
      faulty.heal();
      for (const store of stores) {
        const memories = [1, 2, 3].map(() => store.allocate({ module: b }));
        for (const memory of memories) {
          const wanted = imageBytes(0x62, { initial: 3, offset: 70_000 });
          expect(contents(memory).equals(wanted)).toBe(true);
        }
      }
      checkBooks(pool);
      pool.close({ force: true });
    }
  });

  function useOnce(memory: PooledMemory): void {
    scribble(memory);
    attempt(() => memory.grow(1));
    scribble(memory);
    memory.free();
  }

  function attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }
});
