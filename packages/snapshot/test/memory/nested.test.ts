/** Several snapshots of one memory: going from one to another looks only at pages that may differ. */
import fc from 'fast-check';
import { laps } from '@guardstripe/test-support';
import { describe, expect, it } from 'vitest';

import { isSupported, snapshot, SnapshotIncompleteError, type Snapshot } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { bytesOf, instantiate, type TestInstance } from '../support/wasm.js';

const PAGE = 4096;
const WASM_PAGE = 65_536;
const NUM_PAGES = 4 * 16;

interface Taken {
  readonly state: Snapshot;
  readonly bytes: Buffer;
}

const page = fc.nat({ max: NUM_PAGES - 1 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('write' as const), page, fc.integer({ min: 1, max: 40 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('take' as const), page, fc.constant(0)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('restore' as const), page, fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('close' as const), page, fc.constant(0)) },
);

function write({ exports }: TestInstance, first: number, count: number): void {
  const offset = first * PAGE + (count % 5) * 100;
  exports.fill(offset, (first ^ count) & 0xff, Math.min(count * 700, NUM_PAGES * PAGE - offset));
}

/** What the system refuses to take back is left to its leak nets. */
function close(state: Snapshot): void {
  try {
    state.close();
  } catch (error) {
    expect(error).toMatchObject({ syscall: expect.stringMatching(/^injected/) as string });
  }
}

/** Where pages may be without any mapping, for zeros are refused, too, it says so; and the next restore goes well. */
function orIncomplete<T>(system: FaultyMemory, run: () => T): T {
  try {
    return run();
  } catch (error) {
    expect(error).toBeInstanceOf(SnapshotIncompleteError);
    expect((error as Error).cause).toMatchObject({ syscall: 'injected-mapZeros' });
    system.heal();
    return run();
  }
}

/** A life of one memory under snapshots that are all kept the first way. */
function live(
  steps: readonly (readonly [kind: 'write' | 'take' | 'restore' | 'close', at: number, count: number])[],
  system: FaultyMemory,
): void {
  const { virtualMemory } = system;
  const made = instantiate([{ initial: 4, maximum: 8 }]);
  const taken: Taken[] = [];
  for (const [kind, at, count] of steps) {
    const chosen = taken[at % Math.max(1, taken.length)];
    if (kind === 'write') write(made, at, count);
    else if (kind === 'take') {
      const bytes = bytesOf(made.exports.memory);
      const state = orIncomplete(system, () => snapshot(made.instance, { virtualMemory }));
      taken.push({ state, bytes });
    } else if (chosen !== undefined && kind === 'restore') {
      orIncomplete(system, () => chosen.state.restore());
      expect(bytesOf(made.exports.memory).equals(chosen.bytes)).toBe(true);
    } else if (chosen !== undefined) {
      const before = bytesOf(made.exports.memory);
      taken.splice(taken.indexOf(chosen), 1);
      close(chosen.state);
      expect(bytesOf(made.exports.memory).equals(before)).toBe(true);
    }
  }
  for (const { state } of taken) close(state);
}

describe('snapshots of one memory', () => {
  it('are each what the memory was, whatever others were taken, restored and closed in between', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 40 }), (steps) =>
        live(steps, new FaultyMemory()),
      ),
      { numRuns: laps(150, 20) },
    );
  });

  it('are so with calls of the system refused at any time', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 4, maxLength: 30 }),
        fc.nat({ max: 60 }),
        fc.boolean(),
        (steps, nth, lasting) => {
          const system = new FaultyMemory();
          // What the kernel offers is asked before anything is made to fail.
          snapshot(instantiate().instance, { virtualMemory: system.virtualMemory }).close();
          system.failFrom(nth, lasting);
          live(steps, system);
        },
      ),
      { numRuns: laps(100, 12) },
    );
  });

  it.skipIf(!isSupported('written'))('are watched on: nothing is registered anew', () => {
    const system = new FaultyMemory();
    const { virtualMemory } = system;
    const made = instantiate([{ initial: 4, maximum: 8 }]);
    write(made, 3, 9);
    using outer = snapshot(made.instance, { virtualMemory });
    write(made, 20, 3);
    system.fail('watchWrites', 'unwatchWrites');
    const inner = snapshot(made.instance, { virtualMemory });
    const expected = bytesOf(made.exports.memory);
    for (const state of [outer, inner, outer, inner]) {
      write(made, 40, 5);
      state.restore();
      expect(state.method).toBe('written');
    }
    expect(bytesOf(made.exports.memory).equals(expected)).toBe(true);
    // The one that was closed is still what the memory is compared with.
    inner.close();
    write(made, 50, 5);
    outer.restore();
    expect(outer.method).toBe('written');
    expect(outer.changedBytes()).toBe(0);
    expect(made.exports.peek(50 * PAGE)).toBe(0);
    system.heal();
  });

  it('are found again after the memory has grown', () => {
    const made = instantiate([{ initial: 4, maximum: 8 }]);
    write(made, 3, 9);
    using outer = snapshot(made.instance);
    const before = bytesOf(made.exports.memory);
    write(made, 20, 3);
    using inner = snapshot(made.instance);
    made.exports.grow(1);
    made.exports.fill(4 * WASM_PAGE, 7, WASM_PAGE);
    using larger = snapshot(made.instance);
    const grown = bytesOf(made.exports.memory);
    outer.restore();
    expect(bytesOf(made.exports.memory).equals(Buffer.concat([before, Buffer.alloc(WASM_PAGE)]))).toBe(true);
    larger.restore();
    expect(bytesOf(made.exports.memory).equals(grown)).toBe(true);
    inner.restore();
    expect(made.exports.peek(4 * WASM_PAGE)).toBe(0);
    larger.restore();
    expect(bytesOf(made.exports.memory).equals(grown)).toBe(true);
  });
});
