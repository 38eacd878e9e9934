/** Recorded runs of the original allocator, reproduced operation by operation. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { ModuleAffinityIndexAllocator, SharedIndexAllocator } from '../src/index.js';
import type { MemoryKey } from '../src/index.js';
import { ModelAllocator } from './model.js';

type Key = [moduleId: number, memoryIndex: number];
type Operation =
  | ['alloc', Key | null, number | null]
  | ['free', slot: number, bytesResident: number, unusedWarmSlots: number, unusedBytesResident: number]
  | ['purge', Key, number | null];

interface Trace {
  capacity: number;
  maxUnusedWarmSlots: number;
  ops: Operation[];
}

type Replayed = Pick<
  ModuleAffinityIndexAllocator,
  'alloc' | 'allocAffineAndClearAffinity' | 'free' | 'unusedWarmSlots' | 'unusedBytesResident'
>;

function keyOf([moduleId, memoryIndex]: Key): MemoryKey {
  return { moduleId, memoryIndex };
}

/** What an operation gives now, in the form of the trace. */
function replay(allocator: Replayed, operation: Operation): Operation {
  switch (operation[0]) {
    case 'alloc':
      return ['alloc', operation[1], allocator.alloc(operation[1] ? keyOf(operation[1]) : undefined) ?? null];
    case 'purge':
      return ['purge', operation[1], allocator.allocAffineAndClearAffinity(keyOf(operation[1])) ?? null];
    case 'free':
      allocator.free(operation[1], operation[2]);
      return ['free', operation[1], operation[2], allocator.unusedWarmSlots, allocator.unusedBytesResident];
  }
}

describe.each([
  [1, 387],
  [2, 292],
  [3, 95],
  [4, 2500],
  [5, 1499],
  [6, 5997],
])('allocator-trace-%i.json', (number, numOperations) => {
  const url = new URL(`vectors/allocator-trace-${number}.json`, import.meta.url);
  const trace = JSON.parse(readFileSync(url, 'utf8')) as Trace;

  it('is whole', () => {
    expect(trace.ops).toHaveLength(numOperations);
  });

  it('is what the allocator does, and the books agree after each step', () => {
    const allocator = new ModuleAffinityIndexAllocator(trace.capacity, trace.maxUnusedWarmSlots);
    for (const [index, operation] of trace.ops.entries()) {
      expect(replay(allocator, operation), `operation ${index}`).toEqual(operation);
      allocator.checkConsistency();
    }
  });

  it('is what a shared allocator of one shard does', () => {
    const { capacity, maxUnusedWarmSlots } = trace;
    const threads = { self: 1, isAlive: () => true };
    const allocator = SharedIndexAllocator.create(capacity, maxUnusedWarmSlots, { threads, numShards: 1 });
    for (const [index, operation] of trace.ops.entries()) {
      expect(replay(allocator, operation), `operation ${index}`).toEqual(operation);
    }
    allocator.checkConsistency();
  });

  it('is what the model does', () => {
    const model = new ModelAllocator(trace.capacity, trace.maxUnusedWarmSlots);
    for (const [index, operation] of trace.ops.entries()) {
      expect(replay(model, operation), `operation ${index}`).toEqual(operation);
    }
  });
});
