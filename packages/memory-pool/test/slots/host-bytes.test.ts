/** The host's own access to slots: the views of the main thread, and what workers copy with, beside a plain model. */
import { platform } from '@guardstripe/mmap';
import { laps } from '@guardstripe/test-support';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poolCoreOf } from '../../src/pool.js';
import { CopiedBytes } from '../../src/slots/host-bytes.js';
import { PAGE, smallPool, zeroModule } from '../support/memories.js';
import { stripedOrNot, stripesOf } from '../support/striped.js';

it('a record that says that a memory is longer than its slot makes nobody a view of the neighbour', () => {
  using pool = smallPool();
  const memory = pool.openStore().allocate({ module: zeroModule() });
  const { records } = poolCoreOf(pool);
  const { byteLength } = memory;
  records.setByteLength(memory.slot, 9 * 8 * PAGE);
  for (const view of ['buffer', 'unsafeBuffer'] as const)
    expect(() => memory[view]).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  records.setByteLength(memory.slot, byteLength);
  expect(memory.buffer.byteLength).toBe(byteLength);
});

it('a record that says more than a slot has shows nobody the neighbour', () => {
  using pool = smallPool();
  const memory = pool.openStore().allocate({ module: zeroModule() });
  const { records } = poolCoreOf(pool);
  const pages = records.accessiblePages(memory.slot);
  records.setAccessiblePages(memory.slot, 9 * pages);
  expect(() => memory.read(0, PAGE)).toThrow(expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }));
  records.setAccessiblePages(memory.slot, pages);
  expect(memory.read(0, PAGE)).toEqual(new Uint8Array(PAGE));
});

it.each(['views', 'copies by address'])(
  '%s take no byte that a shared buffer grew by since it was checked',
  (way) => {
    using pool = smallPool();
    const { slot } = pool.openStore().allocate({ module: zeroModule() });
    const { pages, records, live } = poolCoreOf(pool);
    const bytes =
      way === 'views'
        ? live.bytes
        : new CopiedBytes({ pages, records, virtualMemory: platform(), numStripes: 1 });
    for (const checkedBytes of [0, 1, 1000, 20_000, PAGE - 5]) {
      const buffer = new SharedArrayBuffer(checkedBytes, { maxByteLength: 2 * PAGE });
      const array = new Uint8Array(buffer);
      buffer.grow(2 * PAGE);
      array.fill(1);
      bytes.fill(slot, 0, 0, PAGE);
      bytes.write(slot, 5, array, checkedBytes);
      const found = new Uint8Array(PAGE);
      bytes.read(slot, 0, found, PAGE);
      const wanted = new Uint8Array(PAGE).fill(1, 5, 5 + checkedBytes);
      expect(Buffer.compare(found, wanted)).toBe(0);
    }
  },
);

const BYTES = 2 * PAGE;
/** Around what goes by way of the thread's own bytes. */
const sizes = fc.oneof(
  fc.constantFrom(0, 1, 16_383, 16_384, 16_385, 40_000),
  fc.integer({ min: 0, max: BYTES }),
);
const kinds = fc.constantFrom('array', 'part', 'shared', 'Buffer', 'subclass');

/** Hands nothing of itself over to what is derived from it. */
class Odd extends Uint8Array {
  static get [Symbol.species](): never {
    throw new Error('asked for a constructor');
  }
  override subarray(): never {
    throw new Error('asked for a part');
  }
}

function arrayOf(kind: string, byteLength: number): Uint8Array {
  switch (kind) {
    case 'part':
      return new Uint8Array(new ArrayBuffer(byteLength + 13), 5, byteLength);
    case 'shared':
      return new Uint8Array(new SharedArrayBuffer(byteLength + 8), 3, byteLength);
    case 'Buffer':
      return Buffer.alloc(byteLength);
    case 'subclass':
      return new Odd(byteLength);
    default:
      return new Uint8Array(byteLength);
  }
}

const step = fc.record({
  what: fc.constantFrom('read', 'write', 'fill', 'zero'),
  slot: fc.integer({ min: 0, max: 2 }),
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  size: sizes,
  kind: kinds,
  value: fc.integer({ min: 0, max: 255 }),
});

describe('copies by address', () => {
  it('are what the model says, in every kind of array, and touch nothing beside', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), stripedOrNot, (steps, isStriped) => {
        using pool = smallPool({ ...stripesOf(3, isStriped), maxMemorySize: BYTES });
        using store = pool.openStore();
        const core = poolCoreOf(pool);
        const { pages, records, layout } = core;
        const bytes = new CopiedBytes({
          pages,
          records,
          virtualMemory: platform(),
          numStripes: layout.numStripes,
        });
        const memories = [0, 1, 2].map(() => store.allocate({ module: zeroModule(2) }));
        const models = memories.map(() => new Uint8Array(BYTES));
        for (const { what, slot: at, place, size, kind, value } of steps) {
          const [{ slot }, model] = [memories[at]!, models[at]!];
          const offset = Math.floor(place * (BYTES - size));
          const array = arrayOf(kind, size);
          if (what === 'read') {
            bytes.read(slot, offset, array, size);
            expect(Buffer.compare(array, model.subarray(offset, offset + size))).toBe(0);
          } else if (what === 'write') {
            for (let i = 0; i < size; i += 97) array[i] = i + value;
            bytes.write(slot, offset, array, size);
            model.set(array, offset);
          } else {
            bytes.fill(slot, what === 'zero' ? 0 : value, offset, size);
            model.fill(what === 'zero' ? 0 : value, offset, offset + size);
          }
          // By views.
          for (const [i, memory] of memories.entries())
            expect(Buffer.compare(memory.read(0, BYTES), models[i]!)).toBe(0);
        }
      }),
      { seed: 1, numRuns: laps(60) },
    );
  });

  it('refuse what the slot does not have, and change nothing', () => {
    using pool = smallPool({ totalMemories: 3 });
    using store = pool.openStore();
    const { pages, records } = poolCoreOf(pool);
    const bytes = new CopiedBytes({ pages, records, virtualMemory: platform(), numStripes: 1 });
    const { slot } = store.allocate({ module: zeroModule(1) });
    const array = new Uint8Array(PAGE + 1).fill(1);
    const corrupted = expect.objectContaining({ code: 'ERR_POOL_CORRUPTED' }) as unknown;
    for (const [offset, byteLength] of [
      [0, PAGE + 1],
      [PAGE, 1],
      [Number.NaN, 1],
      [0, Number.NaN],
    ] as const) {
      expect(() => bytes.read(slot, offset, array, byteLength)).toThrow(corrupted);
      expect(() => bytes.write(slot, offset, array, byteLength)).toThrow(corrupted);
      expect(() => bytes.fill(slot, 1, offset, byteLength)).toThrow(corrupted);
    }
    expect(array.every((byte) => byte === 1)).toBe(true);
    const accessible = records.accessiblePages(slot);
    records.setAccessiblePages(slot, 9 * accessible);
    expect(() => bytes.read(slot, 0, array, PAGE)).toThrow(corrupted);
    records.setAccessiblePages(slot, accessible);
    bytes.read(slot, 0, array, PAGE);
    expect(array.subarray(0, PAGE).every((byte) => byte === 0)).toBe(true);
  });
});
