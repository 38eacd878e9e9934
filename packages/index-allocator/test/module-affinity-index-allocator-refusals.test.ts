import { describe, expect, it } from 'vitest';

import {
  MAX_MEMORY_INDEX,
  MAX_MODULE_ID,
  MAX_SLOT_BYTES_RESIDENT,
  ModuleAffinityIndexAllocator,
  SlotNotInUseError,
} from '../src/index.js';
import type { MemoryKey } from '../src/index.js';
import { mixed, refuses } from './support/mixed.js';

const NO_KEY = '"key" argument must be of type object, with moduleId and memoryIndex';

describe('bad arguments leave the state as it is', () => {
  const numbers = [-1, 6, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53];
  const others = ['0', null, undefined, 0n, true, {}, [], Symbol('slot'), () => 0];

  it.each(numbers)('slot %d', (slot) => {
    const allocator = mixed();
    const words = ['slot', String(slot)];
    refuses(allocator, () => allocator.free(slot, 0), 'ERR_OUT_OF_RANGE', ...words);
    refuses(allocator, () => allocator.isUsed(slot), 'ERR_OUT_OF_RANGE', ...words);
    const items = [
      { slot: 0, bytesResident: 0 },
      { slot, bytesResident: 0 },
    ];
    refuses(allocator, () => allocator.freeMany(items), 'ERR_OUT_OF_RANGE', 'items[1].slot', String(slot));
  });

  it('a slot that is not there: says which is the last', () => {
    const allocator = mixed();
    expect(() => allocator.free(6, 0)).toThrow(/<= 5\b.*Received 6$/);
    expect(() => allocator.isUsed(6)).toThrow(/<= 5\b.*Received 6$/);
  });

  it.each(others)('slot %s', (bad) => {
    const allocator = mixed();
    const slot = bad as number;
    refuses(allocator, () => allocator.free(slot, 0), 'ERR_INVALID_ARG_TYPE', 'slot');
    refuses(allocator, () => allocator.isUsed(slot), 'ERR_INVALID_ARG_TYPE', 'slot');
    refuses(
      allocator,
      () => allocator.freeMany([{ slot, bytesResident: 0 }]),
      'ERR_INVALID_ARG_TYPE',
      'slot',
    );
  });

  it.each([-1, 0.5, 2 ** 40 + 0.5, NaN, Infinity, MAX_SLOT_BYTES_RESIDENT + 1, '1', null, undefined, 1n])(
    'bytesResident %s',
    (bad) => {
      const allocator = mixed();
      const bytesResident = bad as number;
      const code = typeof bad === 'number' ? 'ERR_OUT_OF_RANGE' : 'ERR_INVALID_ARG_TYPE';
      refuses(allocator, () => allocator.free(0, bytesResident), code, 'bytesResident');
      refuses(
        allocator,
        () => allocator.freeMany([{ slot: 0, bytesResident }]),
        code,
        'items[0].bytesResident',
      );
    },
  );

  it.each([
    [null, 'ERR_INVALID_ARG_TYPE', NO_KEY],
    [7, 'ERR_INVALID_ARG_TYPE', NO_KEY],
    ['1:0', 'ERR_INVALID_ARG_TYPE', NO_KEY],
    [{}, 'ERR_INVALID_ARG_TYPE', 'moduleId'],
    [{ moduleId: 1 }, 'ERR_INVALID_ARG_TYPE', 'memoryIndex'],
    [{ moduleId: '1', memoryIndex: 0 }, 'ERR_INVALID_ARG_TYPE', 'moduleId'],
    [{ moduleId: 1n, memoryIndex: 0 }, 'ERR_INVALID_ARG_TYPE', 'moduleId'],
    [{ moduleId: -1, memoryIndex: 0 }, 'ERR_OUT_OF_RANGE', 'moduleId'],
    [{ moduleId: NaN, memoryIndex: 0 }, 'ERR_OUT_OF_RANGE', 'moduleId'],
    [{ moduleId: MAX_MODULE_ID + 1, memoryIndex: 0 }, 'ERR_OUT_OF_RANGE', 'moduleId'],
    [{ moduleId: 2 ** 32 + 1, memoryIndex: 0 }, 'ERR_OUT_OF_RANGE', 'moduleId'],
    [{ moduleId: 1, memoryIndex: 0.5 }, 'ERR_OUT_OF_RANGE', 'memoryIndex'],
    [{ moduleId: 1, memoryIndex: MAX_MEMORY_INDEX + 1 }, 'ERR_OUT_OF_RANGE', 'memoryIndex'],
    [{ moduleId: 1, memoryIndex: null }, 'ERR_INVALID_ARG_TYPE', 'memoryIndex'],
  ])('key %o', (bad, code, field) => {
    const allocator = mixed();
    const key = bad as unknown as MemoryKey;
    refuses(allocator, () => allocator.alloc(key), code, field);
    refuses(allocator, () => allocator.allocAffineAndClearAffinity(key), code, field);
  });

  it('no key at all: there is nothing to purge', () => {
    const allocator = mixed();
    const purge = () => allocator.allocAffineAndClearAffinity(undefined as never);
    refuses(allocator, purge, 'ERR_INVALID_ARG_TYPE', NO_KEY);
  });

  it('a key that cannot be read: its own error, and a revoked proxy is no key', () => {
    const allocator = mixed();
    const mine = Object.assign(new Error('mine'), { code: 'MINE' });
    const failing = {
      moduleId: 1,
      get memoryIndex(): number {
        throw mine;
      },
    };
    const { proxy, revoke } = Proxy.revocable({ moduleId: 1, memoryIndex: 0 }, {});
    revoke();
    for (const call of [
      (key: MemoryKey) => allocator.alloc(key),
      (key: MemoryKey) => allocator.allocAffineAndClearAffinity(key),
    ]) {
      refuses(allocator, () => call(failing), 'MINE');
      refuses(allocator, () => call(proxy), 'ERR_INVALID_ARG_TYPE', NO_KEY);
    }
  });

  it('the largest key is one', () => {
    const allocator = new ModuleAffinityIndexAllocator(3, 3);
    const key = { moduleId: MAX_MODULE_ID, memoryIndex: MAX_MEMORY_INDEX };
    const slot = allocator.alloc(key)!;
    allocator.free(slot, 1);
    expect(allocator.allocAffineAndClearAffinity(key)).toBe(slot);
  });

  it('settings that are none, by their names', () => {
    const make = (capacity: unknown, limit: unknown) => () =>
      new ModuleAffinityIndexAllocator(capacity as number, limit as number);
    expect(make(-1, 0)).toThrow(/"capacity" is out of range/);
    expect(make('3', 0)).toThrow(/"capacity" argument must be of type number/);
    expect(make(3, -1)).toThrow(/"maxUnusedWarmSlots" is out of range/);
    const allocator = mixed();
    refuses(allocator, () => allocator.trim(-1, () => 0), 'ERR_OUT_OF_RANGE', '"maxBytes"');
    refuses(allocator, () => allocator.trim(0, 1 as never), 'ERR_INVALID_ARG_TYPE', '"release"');
  });

  it('a negative zero is zero', () => {
    const allocator = new ModuleAffinityIndexAllocator(3, -0);
    allocator.alloc({ moduleId: -0, memoryIndex: -0 });
    allocator.free(-0, -0);
    expect(Object.is(allocator.alloc({ moduleId: 0, memoryIndex: 0 }), 0)).toBe(true);
    expect(Object.is(allocator.unusedBytesResident, 0)).toBe(true);
    allocator.checkConsistency();
  });
});

describe('slots that nobody holds', () => {
  it.each([
    ['freed just now', 2],
    ['never taken', 4],
  ])('%s', (_, slot) => {
    const allocator = mixed();
    refuses(allocator, () => allocator.free(slot, 0), 'ERR_SLOT_NOT_IN_USE', `slot ${slot}`);
    refuses(
      allocator,
      () => allocator.freeMany([{ slot, bytesResident: 0 }]),
      'ERR_SLOT_NOT_IN_USE',
      'items[0]',
    );
    expect(allocator.isUsed(slot)).toBe(false);
  });

  it('carry their number in the error', () => {
    const allocator = mixed();
    allocator.free(1, 0);
    expect(() => allocator.free(1, 0)).toThrow(SlotNotInUseError);
    expect(() => allocator.free(1, 0)).toThrow(
      expect.objectContaining({ slot: 1, name: 'SlotNotInUseError' }),
    );
  });
});
