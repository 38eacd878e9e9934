import { describe, expect, it } from 'vitest';

import { createInstancePool, snapshot, SnapshotIncompleteError, type Snapshot } from '../../src/index.js';
import { FaultyMemory } from '../support/faulty.js';
import { bytesOf, instantiate, type TestInstance } from '../support/wasm.js';
import { WAYS } from '../support/ways.js';

const WASM_PAGE = 65_536;

function filled(): TestInstance {
  const made = instantiate();
  made.exports.fill(WASM_PAGE, 5, 20_000);
  made.exports.fill(3 * WASM_PAGE, 6, 20_000);
  return made;
}

/** False if pages may be without any mapping: only where zeros are refused in their place, too. */
function unlessIncomplete(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(SnapshotIncompleteError);
    expect((error as Error).cause).toMatchObject({ syscall: 'injected-mapZeros' });
    return false;
  }
}

/** Runs a scenario with each of its system calls failing in turn, once and from there on. */
function eachFailure(run: (system: FaultyMemory, arm: () => void, disarm: () => void) => void): void {
  for (const lasting of [false, true]) {
    const system = new FaultyMemory();
    // What the kernel offers is asked before anything is made to fail.
    for (const method of WAYS)
      snapshot(instantiate().instance, { method, virtualMemory: system.virtualMemory }).close();
    let isOver = false;
    for (let nth = 0; !isOver; nth++) {
      let numCalls: number | undefined;
      const disarm = (): void => {
        numCalls ??= system.numCalls;
        system.heal();
      };
      run(system, () => system.failFrom(nth, lasting), disarm);
      isOver = (numCalls ?? system.numCalls) <= nth;
      system.heal();
    }
  }
}

describe.each(WAYS)('with every system call refused in turn, %s', (method) => {
  it('a snapshot is taken all the same, of a memory that it leaves as it was', () => {
    eachFailure((system, arm) => {
      const { instance, exports } = filled();
      const before = bytesOf(exports.memory);
      arm();
      let state: Snapshot | undefined;
      unlessIncomplete(() => (state = snapshot(instance, { method, virtualMemory: system.virtualMemory })));
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
      exports.fill(0, 9, state === undefined ? 0 : 4 * WASM_PAGE);
      state?.restore();
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
      try {
        state?.close();
      } catch (error) {
        expect(error).toMatchObject({ syscall: expect.stringMatching(/^injected/) as string });
      }
      exports.poke(1, 1);
      expect(exports.peek(1)).toBe(1);
    });
  });

  it('a restore ends in the state of the snapshot', () => {
    eachFailure((system, arm, disarm) => {
      const { instance, exports } = filled();
      const before = bytesOf(exports.memory);
      using state = snapshot(instance, { method, virtualMemory: system.virtualMemory });
      exports.fill(WASM_PAGE / 2, 9, 3 * WASM_PAGE);
      arm();
      state.restore();
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
      exports.fill(0, 9, 4 * WASM_PAGE);
      state.restore();
      disarm();
      exports.fill(7, 9, WASM_PAGE);
      state.restore();
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
    });
  });

  it('a restore after growth, too', () => {
    eachFailure((system, arm, disarm) => {
      const { instance, exports } = filled();
      const before = bytesOf(exports.memory);
      using state = snapshot(instance, { method, virtualMemory: system.virtualMemory });
      exports.grow(2);
      exports.fill(0, 9, 6 * WASM_PAGE);
      arm();
      unlessIncomplete(() => state.restore());
      disarm();
      state.restore();
      expect(bytesOf(exports.memory).subarray(0, before.length).equals(before)).toBe(true);
      expect(
        bytesOf(exports.memory)
          .subarray(before.length)
          .every((byte) => byte === 0),
      ).toBe(true);
    });
  });

  it('a fork ends in the state of the snapshot', () => {
    eachFailure((system, arm, disarm) => {
      const first = filled();
      const before = bytesOf(first.exports.memory);
      using state = snapshot(first.instance, { method, virtualMemory: system.virtualMemory });
      const { instance, exports } = instantiate();
      exports.fill(0, 9, 4 * WASM_PAGE);
      arm();
      const isComplete = unlessIncomplete(() => state.restoreInto(instance));
      if (isComplete) expect(bytesOf(exports.memory).equals(before)).toBe(true);
      disarm();
      exports.poke(1, 1);
      state.restoreInto(instance);
      expect(bytesOf(exports.memory).equals(before)).toBe(true);
    });
  });
});

describe.each(WAYS)('after a refusal, %s', (method) => {
  it('nothing of a state that was half laid shows up later', () => {
    eachFailure((system, arm, disarm) => {
      const options = { method, virtualMemory: system.virtualMemory };
      const first = filled();
      using full = snapshot(first.instance, options);
      using empty = snapshot(instantiate().instance, options);
      const { instance, exports } = instantiate();
      arm();
      unlessIncomplete(() => full.restoreInto(instance));
      disarm();
      for (let round = 0; round < 3; round++) {
        exports.fill(round * 1000, 9, 3 * WASM_PAGE);
        unlessIncomplete(() => empty.restoreInto(instance));
        expect(bytesOf(exports.memory).every((byte) => byte === 0)).toBe(true);
      }
      full.restoreInto(instance);
      expect(bytesOf(exports.memory).equals(bytesOf(first.exports.memory))).toBe(true);
    });
  });
});

describe.each(WAYS)('a snapshot for which there was no memory file, %s', (method) => {
  const withoutFiles = (): FaultyMemory => {
    const system = new FaultyMemory();
    snapshot(instantiate().instance, { method, virtualMemory: system.virtualMemory }).close();
    system.fail('createImage');
    return system;
  };

  it('is forked all the same, over whatever the other instance holds', () => {
    const system = withoutFiles();
    const first = filled();
    const before = bytesOf(first.exports.memory);
    using state = snapshot(first.instance, { method, virtualMemory: system.virtualMemory });
    system.heal();
    // One of the forks is laid with another snapshot's pages.
    using laid = snapshot(instantiate().instance, { method, virtualMemory: system.virtualMemory });
    const others = Array.from({ length: 3 }, () => instantiate());
    laid.restoreInto(others[2]!.instance);
    for (let round = 0; round < 3; round++) {
      for (const { instance, exports } of others) {
        exports.fill(0, 9 + round, 4 * WASM_PAGE);
        state.restoreInto(instance);
        expect(bytesOf(exports.memory).equals(before)).toBe(true);
        exports.poke(round, 1);
      }
    }
    first.exports.fill(0, 9, 4 * WASM_PAGE);
    state.restore();
    expect(bytesOf(first.exports.memory).equals(before)).toBe(true);
  });

  it('is what a pool of forks hands out', async () => {
    const system = withoutFiles();
    await using pool = createInstancePool({
      create: () => instantiate(),
      target: ({ instance }) => instance,
      prepare: ({ exports }) => exports.fill(0, 5, 4 * WASM_PAGE),
      size: 3,
      fork: true,
      snapshot: { method, virtualMemory: system.virtualMemory },
    });
    for (let round = 0; round < 3; round++) {
      const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
      for (const { instance } of leases) {
        expect(bytesOf(instance.exports.memory).every((byte) => byte === 5)).toBe(true);
        instance.exports.fill(100, round, WASM_PAGE);
      }
      for (const lease of leases) lease.release();
    }
  });
});

describe('pages that a refused mapping took away', () => {
  it('are mapped again and hold the state; where that is refused, the error says so until it succeeds', () => {
    const system = new FaultyMemory();
    const { virtualMemory } = system;
    const { instance, exports } = filled();
    const before = bytesOf(exports.memory);
    using state = snapshot(instance, { method: 'laid', virtualMemory });
    exports.grow(1);
    system.fail('mapFile', 'accessOf', 'mapZeros');
    expect(() => state.restore()).toThrow(SnapshotIncompleteError);
    system.fail('mapFile', 'accessOf');
    state.restore();
    expect(bytesOf(exports.memory).subarray(0, before.length).equals(before)).toBe(true);
    expect(state.method).toBe('copy');
    system.heal();
  });
});
