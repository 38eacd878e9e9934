/**
 * Random lives of several instances and snapshots against plain copies of their bytes: writes, growth, snapshots of snapshots,
 * restores, forks in all directions, closing and collecting, the three ways mixed. After each step every byte is compared.
 */
import fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { snapshot, type Snapshot, type SnapshotMethod } from '../src/index.js';
import { instantiate, type MemoryShape, type TestInstance } from './support/wasm.js';
import { WAYS } from './support/ways.js';

const WASM_PAGE = 65_536;
const PAGE = 4096;
const NUM_INSTANCES = 4;
const MAX_PAGES = 12;

interface Actor extends TestInstance {
  bytes: Buffer;
  counter: number;
}

interface Taken {
  readonly state: Snapshot;
  readonly origin: number;
  readonly bytes: Buffer;
  readonly counter: number;
}

interface World {
  readonly actors: Actor[];
  readonly taken: Taken[];
}

const SHAPES: readonly (readonly [string, MemoryShape])[] = [
  ['32-bit memories', { initial: 4, maximum: MAX_PAGES }],
  ['64-bit memories that move', { initial: 1, is64: true }],
  ['shared memories', { initial: 3, maximum: MAX_PAGES, shared: true }],
];

const spot = fc.nat({ max: MAX_PAGES * 16 - 1 });
const which = fc.nat({ max: 1000 });
const actor = fc.nat({ max: NUM_INSTANCES - 1 });
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constant('write' as const),
      actor,
      fc.array(spot, { maxLength: 12 }),
      fc.nat({ max: 255 }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('fill' as const),
      actor,
      fc.array(spot, { minLength: 2, maxLength: 2 }),
      fc.nat({ max: 255 }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constant('grow' as const),
      actor,
      fc.constant([] as number[]),
      fc.integer({ min: 1, max: 3 }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constant('take' as const), actor, fc.constant([] as number[]), fc.nat({ max: 2 })),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constant('restore' as const), actor, fc.constant([] as number[]), which),
  },
  { weight: 3, arbitrary: fc.tuple(fc.constant('fork' as const), actor, fc.constant([] as number[]), which) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('look' as const), actor, fc.constant([] as number[]), which) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('close' as const), actor, fc.constant([] as number[]), which),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('replace' as const), actor, fc.constant([] as number[]), which),
  },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function newActor(shape: MemoryShape): Actor {
  return { ...instantiate([shape]), bytes: Buffer.alloc(shape.initial * WASM_PAGE), counter: 7 };
}

function write(each: Actor, places: readonly number[], value: number): void {
  for (const place of places) {
    const address = (place * PAGE + (value % 7)) % each.bytes.length;
    each.exports.poke(address, value);
    each.bytes[address] = value;
  }
  each.exports.counter.value = value;
  each.counter = value;
}

function grow(each: Actor, pages: number): void {
  if (each.exports.grow(pages) !== -1)
    each.bytes = Buffer.concat([each.bytes, Buffer.alloc(pages * WASM_PAGE)]);
}

/** What a restore makes of an instance that may be larger than the snapshot, and is grown if it is smaller. */
function becomes(each: Actor, { bytes, counter }: Taken): void {
  each.bytes = Buffer.concat([bytes, Buffer.alloc(Math.max(0, each.bytes.length - bytes.length))]);
  each.counter = counter;
}

function act({ actors, taken }: World, shape: MemoryShape, [kind, index, places, value]: Action): void {
  const each = actors[index]!;
  const chosen = taken.length === 0 ? undefined : taken[value % taken.length];
  switch (kind) {
    case 'write':
      return write(each, places, value);
    case 'fill': {
      const [from = 0, to = 0] = places
        .map((place) => (place * PAGE) % each.bytes.length)
        .toSorted((a, b) => a - b);
      each.exports.fill(from, value, to - from);
      each.bytes.fill(value, from, to);
      return;
    }
    case 'grow':
      return grow(each, value);
    case 'take': {
      const method: SnapshotMethod = WAYS[value]!;
      const state = snapshot(each.instance, { method, threadsAtRest: true });
      taken.push({ state, origin: index, bytes: Buffer.from(each.bytes), counter: each.counter });
      return;
    }
    case 'restore':
      if (chosen === undefined || chosen.origin === -1) return;
      chosen.state.restore();
      return becomes(actors[chosen.origin]!, chosen);
    case 'fork':
      if (chosen === undefined) return;
      chosen.state.restoreInto(each.instance);
      return becomes(each, chosen);
    case 'look':
      return look(actors, chosen);
    case 'close':
      if (chosen === undefined) return;
      chosen.state.close();
      taken.splice(taken.indexOf(chosen), 1);
      return;
    case 'replace':
      // The old one is garbage; its snapshots live on, for forks.
      actors[index] = newActor(shape);
      taken.forEach((old, i) => {
        if (old.origin === index) taken[i] = { ...old, origin: -1 };
      });
  }
}

/** The pages that differ, found by a loop. */
function look(actors: readonly Actor[], chosen: Taken | undefined): void {
  if (chosen === undefined || chosen.origin === -1) return;
  const { bytes } = actors[chosen.origin]!;
  let differing = 0;
  for (let at = 0; at < bytes.length; at += PAGE) {
    const wanted = at < chosen.bytes.length ? chosen.bytes.subarray(at, at + PAGE) : Buffer.alloc(PAGE);
    if (!bytes.subarray(at, at + PAGE).equals(wanted)) differing += PAGE;
  }
  expect(chosen.state.changedBytes()).toBe(differing);
}

function compare({ actors }: World, done: Action): void {
  for (const [i, { exports, bytes, counter }] of actors.entries()) {
    const real = new Uint8Array(exports.memory.buffer);
    const isSame = real.byteLength === bytes.length && Buffer.compare(real, bytes) === 0;
    if (!isSame || exports.counter.value !== counter)
      throw new Error(`instance ${i} is not what it should be after ${JSON.stringify(done)}`);
  }
}

describe.each(SHAPES)('a model of %s', (_, shape) => {
  it('is what instances and snapshots are, byte for byte', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 10, maxLength: 120 }), (actions) => {
        const world: World = {
          actors: Array.from({ length: NUM_INSTANCES }, () => newActor(shape)),
          taken: [],
        };
        try {
          for (const each of actions) {
            act(world, shape, each);
            compare(world, each);
          }
        } finally {
          for (const { state } of world.taken) state.close();
        }
      }),
      { numRuns: laps(60) },
    );
  });
});
