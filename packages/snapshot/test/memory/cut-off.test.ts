/** Whatever a call was cut off at, the next restore brings the state back. */
import { laps, sampled } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import {
  isSupported,
  snapshot,
  type Snapshot,
  type SnapshotMethod,
  type SnapshotOptions,
} from '../../src/index.js';
import { inTime, InterruptedMemory, isTimeout, type Cut } from '../support/cut-off.js';
import { bytesOf, instantiate, type TestInstance } from '../support/wasm.js';
import { WAYS } from '../support/ways.js';

const PAGE = 4096;
const WASM_PAGE = 65_536;
const SHAPE = [{ initial: 4, maximum: 40 }];

interface Taken {
  readonly state: Snapshot;
  readonly bytes: Buffer;
}

/** One memory with three snapshots, and another instance of the module that was a fork of one of them. */
class World {
  readonly first = instantiate(SHAPE);
  readonly other = instantiate(SHAPE);
  readonly taken: Taken[] = [];
  readonly #options: SnapshotOptions;
  #written = 0;

  constructor(method: SnapshotMethod, system: InterruptedMemory) {
    this.#options = { method, virtualMemory: system.virtualMemory };
    for (let i = 0; i < 3; i++) {
      this.write(this.first);
      this.take();
    }
    this.taken[0]!.state.restoreInto(this.other.instance);
    this.write(this.first);
    this.write(this.other);
  }

  take(): void {
    const bytes = bytesOf(this.first.exports.memory);
    this.taken.push({ state: snapshot(this.first.instance, this.#options), bytes });
  }

  /** A few pages, other ones each time. */
  write({ exports }: TestInstance): void {
    for (let i = 0; i < 4; i++) {
      const page = (++this.#written * 7) % 64;
      exports.fill(page * PAGE + i, this.#written & 0xff, 900);
    }
  }

  /** Writes, and brings everything back. Returns what is not as it was. */
  check(): string[] {
    const { first, other } = this;
    const wrong: string[] = [];
    for (const index of [1, 0, 2, 2, 0]) {
      const { state, bytes } = this.taken[index]!;
      this.write(first);
      state.restore();
      if (!holds(first, bytes)) wrong.push(`restore of ${index}`);
      this.write(other);
      state.restoreInto(other.instance);
      if (!holds(other, bytes)) wrong.push(`fork of ${index}`);
      if (state.changedBytes() !== 0) wrong.push(`changes of ${index}`);
    }
    return wrong;
  }

  close(): void {
    for (const { state } of this.taken) state.close();
  }
}

function holds({ exports }: TestInstance, bytes: Buffer): boolean {
  const now = bytesOf(exports.memory);
  return (
    now.subarray(0, bytes.length).equals(bytes) && now.subarray(bytes.length).every((byte) => byte === 0)
  );
}

const ACTIONS: Readonly<Record<string, (world: World) => void>> = {
  'a restore of the last snapshot': ({ taken }) => taken[2]!.state.restore(),
  'a restore of another one': ({ taken }) => taken[0]!.state.restore(),
  'a restore after growth': ({ taken, first }) => {
    first.exports.grow(1);
    first.exports.fill(4 * WASM_PAGE, 9, WASM_PAGE);
    taken[1]!.state.restore();
  },
  'another snapshot': (world) => world.take(),
  'a restore of a fork': ({ taken, other }) => taken[0]!.state.restoreInto(other.instance),
  'another fork in its place': ({ taken, other }) => taken[2]!.state.restoreInto(other.instance),
  'the end of a snapshot': ({ taken }) => taken.splice(2, 1, taken[1]!)[0]!.state.close(),
  'a look at what has changed': ({ taken }) => void taken[2]!.state.changedBytes(),
};

describe.each(WAYS)('%s', (method) => {
  const cuts: readonly Cut[] = ['termination', 'error'];
  describe.each(cuts)('cut off by %s', (how) => {
    it.each(sampled(Object.keys(ACTIONS)))('%s leaves nothing wrong behind', (name) => {
      const system = new InterruptedMemory();
      // What the kernel offers is asked before anything is cut off.
      snapshot(instantiate().instance, { method, virtualMemory: system.virtualMemory }).close();
      // Every place in CI; else the first one, and each time others of those behind it.
      const longest = laps(1, 5);
      let hasMore = true;
      for (let place = 0; hasMore; place += 1 + Math.floor(Math.random() * longest)) {
        const world = new World(method, system);
        hasMore = system.cut(place, how, () => ACTIONS[name]!(world));
        expect(world.check()).toEqual([]);
        world.close();
      }
      if (method !== 'copy' && isSupported(method)) expect(system.numCuts).toBeGreaterThan(0);
    });
  });

  it('nothing is wrong after restores that are cut off at any moment', () => {
    const system = new InterruptedMemory();
    const world = new World(method, system);
    for (let round = 0; round < laps(100); round++) {
      try {
        inTime(
          () => {
            for (let i = round; ; i++) {
              world.write(i % 2 === 0 ? world.first : world.other);
              const { state } = world.taken[i % 3]!;
              if (i % 5 < 3) state.restore();
              else state.restoreInto(world.other.instance);
            }
          },
          1 + (round % 4),
        );
      } catch (error) {
        if (!isTimeout(error)) throw error;
      }
      expect(world.check()).toEqual([]);
    }
    world.close();
  });
});
