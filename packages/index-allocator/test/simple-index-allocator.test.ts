import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';

import { SimpleIndexAllocator, stateBytes } from '../src/index.js';
import { WARM_SLOTS } from '../src/state.js';

describe('SimpleIndexAllocator', () => {
  it('reuses the least recently freed slot before it touches a new one', () => {
    const allocator = new SimpleIndexAllocator(4);
    expect([allocator.alloc(), allocator.alloc(), allocator.alloc()]).toEqual([0, 1, 2]);
    allocator.free(1);
    allocator.free(0);
    expect([1, 2, 3, 4].map(() => allocator.alloc())).toEqual([1, 0, 3, undefined]);
    expect([allocator.length, allocator.capacity, allocator.isEmpty]).toEqual([4, 4, false]);
    allocator.checkConsistency();
  });

  it.each([0, 1, 3])('is empty again after %i slots have come and gone', (capacity) => {
    const allocator = new SimpleIndexAllocator(capacity);
    for (let slot = 0; slot < capacity; slot++) expect(allocator.alloc()).toBe(slot);
    expect(allocator.alloc()).toBeUndefined();
    for (let slot = 0; slot < capacity; slot++) allocator.free(slot);
    expect(allocator.isEmpty).toBe(true);
    allocator.checkConsistency();
  });

  it('refuses what nobody holds', () => {
    const allocator = new SimpleIndexAllocator(3);
    allocator.alloc();
    allocator.free(0);
    expect(() => allocator.free(0)).toThrow(expect.objectContaining({ code: 'ERR_SLOT_NOT_IN_USE' }));
    expect(() => allocator.free(2)).toThrow(expect.objectContaining({ code: 'ERR_SLOT_NOT_IN_USE' }));
    expect(() => allocator.free(3)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => allocator.free(NaN)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
    expect(() => allocator.isUsed('0' as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(allocator.isUsed(0)).toBe(false);
    allocator.checkConsistency();
  });

  it('is shown by how many slots are used', () => {
    const allocator = new SimpleIndexAllocator(3);
    allocator.alloc();
    expect(inspect(allocator)).toBe('SimpleIndexAllocator { 1 of 3 slots used }');
  });

  it('notices that somebody has written into its state', () => {
    const allocator = new SimpleIndexAllocator(3);
    new Int32Array(allocator.buffer)[WARM_SLOTS] = 1;
    expect(() => allocator.checkConsistency()).toThrow(
      expect.objectContaining({ code: 'ERR_INCONSISTENT_STATE' }),
    );
  });

  it('lives in a buffer that is handed in', () => {
    const buffer = new ArrayBuffer(stateBytes(3));
    new SimpleIndexAllocator(3, { buffer }).alloc();
    const second = new SimpleIndexAllocator(3, { buffer });
    expect(second.buffer).toBe(buffer);
    expect([second.length, second.alloc()]).toEqual([1, 1]);
  });
});
