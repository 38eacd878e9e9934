/** What the tests of the allocator start from, and what a refused call must leave. */
import { expect } from 'vitest';
import { ModuleAffinityIndexAllocator } from '../../src/index.js';
import type { MemoryKey } from '../../src/index.js';

export const A: MemoryKey = { moduleId: 1, memoryIndex: 0 };
export const B: MemoryKey = { moduleId: 2, memoryIndex: 0 };
export const C: MemoryKey = { moduleId: 1, memoryIndex: 1 };

/** Everything a failed call could have changed. */
export function bytesOf(allocator: ModuleAffinityIndexAllocator): number[] {
  return [...new Int32Array(allocator.buffer)];
}

/** `call` throws an error with this code and these words in it, and not a bit of the state changes. */
export function refuses(
  allocator: ModuleAffinityIndexAllocator,
  call: () => unknown,
  code: string,
  ...words: string[]
): void {
  const before = bytesOf(allocator);
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code });
  for (const word of words) expect((error as Error).message).toContain(word);
  expect(bytesOf(allocator)).toEqual(before);
  allocator.checkConsistency();
}

/** Six slots: 0 and 1 used by A and B, 2 warm for A, 3 warm for nobody, 4 and 5 cold. */
export function mixed(): ModuleAffinityIndexAllocator {
  const allocator = new ModuleAffinityIndexAllocator(6, 6);
  for (const key of [A, B, A, undefined]) allocator.alloc(key);
  allocator.free(2, 4096);
  allocator.free(3, 8192);
  return allocator;
}
