/**
 * Making pools: of small slots, so that a million of them fit the address space. Beside the whole, what it is made of: reserving
 * the slab, and the allocator's state.
 */
import { ModuleAffinityIndexAllocator } from '@guardstripe/index-allocator';
import { describeMemory, MemoryPool } from '@guardstripe/memory-pool';
import { Mmap } from '@guardstripe/mmap';
import { setImmediate } from 'node:timers/promises';
import { median } from '../support/measure.ts';
import { duration, printTable } from '../support/table.ts';
import { WASM_PAGE } from '../support/wasm-module.ts';

const SLOT_COUNTS = [1000, 10_000, 100_000, 1_000_000];

/** Medians, in nanoseconds. */
export interface CreateResult {
  readonly numSlots: number;
  readonly createNs: number;
  readonly reserveNs: number;
  readonly allocatorNs: number;
  readonly firstAllocateNs: number;
  readonly closeNs: number;
}

export async function create(rounds: number): Promise<readonly CreateResult[]> {
  using module = describeMemory({ initial: 1 });
  const results: CreateResult[] = [];
  for (const numSlots of SLOT_COUNTS) {
    const figures = { createNs: [], reserveNs: [], allocatorNs: [], firstAllocateNs: [], closeNs: [] } as {
      [name in Exclude<keyof CreateResult, 'numSlots'>]: number[];
    };
    for (let round = 0; round < rounds + 2; round++) {
      const config = {
        totalMemories: numSlots,
        maxMemorySize: WASM_PAGE,
        memoryReservation: WASM_PAGE,
        memoryGuardSize: WASM_PAGE,
        memoryProtectionKeys: 'disable',
      } as const;
      const [createNs, pool] = timed(() => MemoryPool.create(config));
      const [firstAllocateNs, memory] = timed(() => pool.openStore().allocate({ module }));
      memory.free();
      const { totalSlabBytes } = pool.layout;
      const [closeNs] = timed(() => pool.close());
      const [reserveNs, slab] = timed(() => Mmap.reserve(totalSlabBytes));
      slab.close();
      const [allocatorNs] = timed(() => new ModuleAffinityIndexAllocator(numSlots, 100));
      // Nobody should pay for the garbage of the round before.
      await setImmediate();
      if (round < 2) continue;
      for (const [name, ns] of Object.entries({
        createNs,
        reserveNs,
        allocatorNs,
        firstAllocateNs,
        closeNs,
      })) {
        figures[name as keyof typeof figures].push(ns);
      }
    }
    results.push({
      numSlots,
      createNs: median(figures.createNs),
      reserveNs: median(figures.reserveNs),
      allocatorNs: median(figures.allocatorNs),
      firstAllocateNs: median(figures.firstAllocateNs),
      closeNs: median(figures.closeNs),
    });
  }
  return results;
}

function timed<T>(run: () => T): [ns: number, result: T] {
  const start = process.hrtime.bigint();
  const result = run();
  return [Number(process.hrtime.bigint() - start), result];
}

export function printCreate(results: readonly CreateResult[]): void {
  printTable(
    'Making a pool (slots of 64 KiB and a guard as large)',
    ['slots', 'create', 'of it: reserve', 'of it: allocator', 'first allocate', 'close'],
    results.map((result) => [
      result.numSlots.toLocaleString('en'),
      duration(result.createNs),
      duration(result.reserveNs),
      duration(result.allocatorNs),
      duration(result.firstAllocateNs),
      duration(result.closeNs),
    ]),
  );
}
