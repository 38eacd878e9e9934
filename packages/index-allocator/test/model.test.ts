/** Random commands, given to the allocator and to the model; the answers and the books are compared after each. */
import fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { ModuleAffinityIndexAllocator, stateBytes } from '../src/index.js';
import type { MemoryKey } from '../src/index.js';
import { ModelAllocator } from './model.js';

/** One random number for each thing an action may have to choose. */
interface Choice {
  readonly action: Action;
  readonly moduleId: number;
  readonly memoryIndex: number;
  readonly pick: number;
  readonly bytes: number;
}

type Api = ModuleAffinityIndexAllocator;
type Action = keyof Api;
type Run = (real: Api, model: ModelAllocator, choice: Choice) => void;

function keyOf({ moduleId, memoryIndex }: Choice): MemoryKey {
  return { moduleId, memoryIndex };
}

/** Some used slot, or `undefined` if there is none. */
function pickUsed(model: ModelAllocator, pick: number): number | undefined {
  return [...model.used.keys()][pick % Math.max(model.length, 1)];
}

/** Used slots from the picked one on, at most five, in a scrambled order. */
function pickBatch(
  model: ModelAllocator,
  { pick, bytes }: Choice,
): { slot: number; bytesResident: number }[] {
  const slots = [...model.used.keys()].toSpliced(0, pick % Math.max(model.length, 1)).slice(0, 5);
  if (pick % 2 === 1) slots.reverse();
  return slots.map((slot, index) => ({ slot, bytesResident: bytes + index }));
}

/** Every public member has an action here: a new one without does not compile. */
const actions: Record<Action, Run> = {
  alloc: (real, model, choice) => {
    const key = choice.pick % 8 === 0 ? undefined : keyOf(choice);
    expect(real.alloc(key)).toBe(model.alloc(key));
  },
  allocAffineAndClearAffinity: (real, model, choice) => {
    const key = keyOf(choice);
    expect(real.allocAffineAndClearAffinity(key)).toBe(model.allocAffineAndClearAffinity(key));
  },
  allocOldestWarm: (real, model) => {
    expect(real.allocOldestWarm()).toBe(model.allocOldestWarm());
  },
  free: (real, model, { pick, bytes }) => {
    const slot = pickUsed(model, pick);
    if (slot === undefined) return;
    real.free(slot, bytes);
    model.free(slot, bytes);
  },
  freeMany: (real, model, choice) => {
    const batch = pickBatch(model, choice);
    const bad = [{ slot: batch[0]?.slot ?? 0, bytesResident: 0 }];
    // The first slot twice, or one that nobody holds: refused as a whole, so the model is not told.
    expect(() => real.freeMany([...batch, ...bad])).toThrow(/"items\[\d\]\.slot"/);
    if (choice.pick % 3 === 0) real.freeMany(new Set(batch));
    else real.freeMany(batch);
    model.freeMany(batch);
  },
  trim: (real, model, { pick, bytes }) => {
    const walk = (allocator: Api | ModelAllocator): [number, number][] => {
      const visited: [number, number][] = [];
      allocator.trim(pick % 3 === 0 ? 0 : bytes, (slot, bytesResident) => {
        visited.push([slot, bytesResident]);
        return pick % 4 === 0 ? Math.floor(bytesResident / 2) : 0;
      });
      return visited;
    };
    expect(walk(real)).toEqual(walk(model));
  },
  isUsed: (real, model, { pick }) => {
    if (real.capacity === 0) return;
    expect(real.isUsed(pick % real.capacity)).toBe(model.isUsed(pick % real.capacity));
  },
  checkConsistency: (real) => real.checkConsistency(),
  capacity: (real, model) => expect(real.capacity).toBe(model.capacity),
  maxUnusedWarmSlots: (real, model) =>
    expect(real.maxUnusedWarmSlots).toBe(Math.min(model.maxUnusedWarmSlots, model.capacity)),
  length: (real, model) => expect(real.length).toBe(model.length),
  isEmpty: (real, model) => expect(real.isEmpty).toBe(model.isEmpty),
  unusedWarmSlots: (real, model) => expect(real.unusedWarmSlots).toBe(model.unusedWarmSlots),
  unusedBytesResident: (real, model) => expect(real.unusedBytesResident).toBe(model.unusedBytesResident),
  buffer: (real, model) => {
    expect(real.buffer.byteLength).toBe(stateBytes(model.capacity));
    // A second allocator on the same state says the same.
    const other = new ModuleAffinityIndexAllocator(real.capacity, real.maxUnusedWarmSlots, {
      buffer: real.buffer as ArrayBuffer,
    });
    expect(other.length).toBe(model.length);
  },
};

const names = Object.keys(actions) as Action[];
const choices = fc.record<Choice>({
  action: fc.oneof(
    { weight: 12, arbitrary: fc.constant<Action>('alloc') },
    { weight: 9, arbitrary: fc.constant<Action>('free') },
    { weight: 6, arbitrary: fc.constantFrom(...names) },
  ),
  moduleId: fc.oneof(
    { weight: 9, arbitrary: fc.nat({ max: 4 }) },
    { weight: 1, arbitrary: fc.constantFrom(65_536, 2 ** 31 - 2) },
  ),
  memoryIndex: fc.oneof(
    { weight: 9, arbitrary: fc.nat({ max: 1 }) },
    { weight: 1, arbitrary: fc.constant(65_535) },
  ),
  pick: fc.nat(),
  bytes: fc.oneof(
    fc.nat({ max: 65_536 }),
    fc.nat({ max: 2 ** 44 }),
    fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 32),
  ),
});

function compareAll(capacity: number, limit: number, steps: readonly Choice[]): void {
  const real = new ModuleAffinityIndexAllocator(capacity, limit);
  const model = new ModelAllocator(capacity, limit);
  for (const step of steps) {
    actions[step.action](real, model, step);
    real.checkConsistency();
    expect(real.length).toBe(model.length);
    expect(real.unusedWarmSlots).toBe(model.unusedWarmSlots);
    expect(real.unusedBytesResident).toBe(model.unusedBytesResident);
  }
}

describe('the allocator does what the model does', () => {
  it.each([
    [0, 0],
    [1, 0],
    [1, 1],
    [3, 1],
    [5, 100],
    [16, 4],
    [100, 0],
    [100, 30],
  ])('with %i slots and a warm limit of %i', (capacity, limit) => {
    fc.assert(
      fc.property(fc.array(choices, { maxLength: 200, size: 'max' }), (steps) =>
        compareAll(capacity, limit, steps),
      ),
      { numRuns: laps(100, 40) },
    );
  });

  it('with any number of slots and any limit', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 40 }),
        fc.nat({ max: 45 }),
        fc.array(choices, { maxLength: 120, size: 'max' }),
        compareAll,
      ),
      { numRuns: laps(300, 100) },
    );
  });
});
