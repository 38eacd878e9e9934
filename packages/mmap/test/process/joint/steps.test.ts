/**
 * Everything that two and three threads can do with one thing, one access at a time, with deaths behind every write: the very
 * functions that production calls, on the machine of `tools/test-support`.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';

import {
  explore,
  type Explored,
  type Program,
  Machine,
  Violation,
} from '@guardstripe/test-support/exploring';
import * as right from '../../../src/process/joint/steps.js';
import { FREE, KEPT, STATE, STAYS, THERE, WHAT, type JointEntry } from '../../../src/process/joint/steps.js';

type Steps = typeof right;

const THREADS = 3;
/** Words of the machine's memory. */
const COUNTS = 2;
const VALUES = COUNTS + THREADS;
/** By thread, whether it was told that it is attached and has not let go. */
const MAPPINGS = VALUES + 5;
const TOLD = MAPPINGS + 1;
/** By thread, whether another one has cleared it away. */
const CLEARED = TOLD + THREADS + 1;
/** Where it is noted that the thing is to stay; of no thread, for they are numbered from 1. */
const IS_KEPT = 0;
const WORDS = CLEARED + THREADS + 1;
/** What is mapped. */
const ADDRESS = 77;
const AUDITOR = 9;

afterEach(() => {
  vi.unstubAllGlobals();
});

/** One entry on the machine, and what threads do with it. Thread t has id t + 100 and record t - 1. */
class World {
  readonly machine: Machine;
  readonly #steps: Steps;
  readonly #entry: JointEntry;
  readonly #told: Int32Array;
  readonly #values: Int32Array;
  readonly #mappings: Int32Array;

  constructor(steps: Steps) {
    this.#steps = steps;
    this.machine = new Machine({
      guarded: () => undefined,
      written: (memory, thread, address) => this.#checkGivenBack(memory, thread, address),
    });
    // Only whoever has put itself into the state writes what is here.
    this.#values = this.machine.view(VALUES, 5, 'quiet');
    this.#mappings = this.machine.view(MAPPINGS, 1, 'steps');
    this.#told = this.machine.view(TOLD, 2 * (THREADS + 1), 'quiet');
    this.#entry = {
      state: this.machine.view(0, 2, 'steps'),
      counts: this.machine.view(COUNTS, THREADS, 'steps') as unknown as Uint8Array,
      values: this.#values as unknown as Float64Array,
      mappings: this.#mappings,
    };
  }

  explore(programs: readonly Program[], maxDeaths: number, attached: readonly number[]): Explored {
    const memory = new Int32Array(WORDS);
    for (const thread of attached) {
      memory[STATE] = THERE;
      memory[VALUES + WHAT] = ADDRESS;
      memory[MAPPINGS] = 3;
      memory[COUNTS + thread - 1] = 1;
      memory[TOLD + thread] = 1;
    }
    vi.stubGlobal('Atomics', this.machine.atomics);
    return explore({
      machine: this.machine,
      memory,
      programs,
      maxDeaths,
      audit: (state, dead) => this.#audit(state.memory.slice(), dead),
    });
  }

  /** Makes the thing; 1 if it did. The call and the statement behind it are one. */
  make(thread: number): number {
    const who = { thread: thread + 100, index: thread - 1 };
    if (!this.#steps.claim(this.#entry, who)) return 0;
    this.#values[WHAT] = ADDRESS;
    this.#steps.publish(this.#entry);
    Atomics.add(this.#mappings, 0, 3);
    this.#told[thread] = 1;
    return 1;
  }

  /** Attaches, and lets go again if there is nothing. */
  attach(thread: number): number {
    if (this.#steps.attach(this.#entry, thread - 1)) {
      this.#told[thread] = 1;
      return 1;
    }
    this.leave(thread);
    return 0;
  }

  leave(thread: number): number {
    this.#told[thread] = 0;
    this.#steps.detach(this.#entry, thread - 1);
    this.#steps.settle(this.#entry, thread + 100, this.#giveBack);
    return 0;
  }

  /** Looks after a thread, if that is dead. */
  bury(dead: number): number {
    if (this.machine.isAlive(dead)) return 0;
    this.#steps.bury(this.#entry, { thread: dead + 100, index: dead - 1 }, this.#giveBack);
    this.#told[THREADS + 1 + dead] = 1;
    return 1;
  }

  /** Keeps the thing for good. */
  keep(): number {
    this.#steps.keep(this.#entry, true);
    this.#told[IS_KEPT] = 1;
    return 1;
  }

  readonly #giveBack = (): void => {
    this.#values[WHAT] = 0;
  };

  #checkGivenBack(memory: Int32Array, thread: number, address: number): void {
    if (address !== VALUES + WHAT || memory[address] !== 0) return;
    for (let other = 1; other <= THREADS; other++) {
      if (memory[TOLD + other] === 1 && !this.machine.isDead(other))
        throw new Violation(`thread ${thread} gives back what thread ${other} uses`);
    }
  }

  #audit(memory: Int32Array, dead: ReadonlySet<number>): void {
    this.machine.direct(memory, AUDITOR, dead, () => {
      for (const thread of dead) {
        this.#steps.bury(this.#entry, { thread: thread + 100, index: thread - 1 }, this.#giveBack);
      }
    });
    const users = [1, 2, 3].filter((thread) => memory[TOLD + thread] === 1 && !dead.has(thread)).join();
    const counted = [1, 2, 3].filter((thread) => memory[COUNTS + thread - 1] !== 0).join();
    if (users !== counted) throw new Violation(`${users} use it, ${counted} are counted`);
    const idle = memory[VALUES + STAYS] === 0 ? [FREE, 0] : [KEPT, ADDRESS];
    if (memory[TOLD + IS_KEPT]! > memory[VALUES + STAYS]!) throw new Violation('it was to stay');
    const expected = (users === '' ? idle : [THERE, ADDRESS]).join();
    const found = [memory[STATE], memory[VALUES + WHAT]].join();
    if (found !== expected) throw new Violation(`${users} use it, and it is ${found}`);
    if (memory[STATE] === FREE && memory[MAPPINGS] !== 0)
      throw new Violation('it is gone, and its mappings count');
  }
}

const SCENARIOS: readonly { name: string; leastStates: number; run: (steps: Steps) => Explored }[] = [
  {
    name: 'two that let go, two deaths',
    leastStates: 180,
    run(steps) {
      const world = new World(steps);
      return world.explore([[() => world.leave(1)], [() => world.leave(2)]], 2, [1, 2]);
    },
  },
  {
    name: 'three that let go',
    leastStates: 700,
    run(steps) {
      const world = new World(steps);
      return world.explore(
        [1, 2, 3].map((thread) => [() => world.leave(thread)]),
        0,
        [1, 2, 3],
      );
    },
  },
  {
    name: 'one that lets go and two that attach, one death',
    leastStates: 13000,
    run(steps) {
      const world = new World(steps);
      return world.explore(
        [[() => world.leave(1)], [() => world.attach(2)], [() => world.attach(3)]],
        1,
        [1],
      );
    },
  },
  {
    name: 'one that makes it and lets go, one that attaches and lets go, two deaths',
    leastStates: 900,
    run(steps) {
      const world = new World(steps);
      return world.explore(
        [
          [() => world.make(1), () => world.leave(1)],
          [() => world.attach(2), ([attached]) => (attached === 1 ? world.leave(2) : 0)],
        ],
        2,
        [],
      );
    },
  },
  {
    name: 'one that lets go, one that attaches, one that looks after both, two deaths',
    leastStates: 2400,
    run(steps) {
      const world = new World(steps);
      return world.explore(
        [[() => world.leave(1)], [() => world.attach(2)], [() => world.bury(1), () => world.bury(2)]],
        1,
        [1],
      );
    },
  },
  {
    name: 'one that has it stay and lets go, one that lets go, one that attaches, one death',
    leastStates: 1000,
    run(steps) {
      const world = new World(steps);
      return world.explore(
        [[() => world.keep(), () => world.leave(1)], [() => world.leave(2)], [() => world.attach(3)]],
        1,
        [1, 2],
      );
    },
  },
  {
    name: 'two that want to make it in one entry, one death',
    leastStates: 250,
    run(steps) {
      const world = new World(steps);
      const program = (thread: number): Program => [
        () => world.make(thread),
        ([made]) => (made === 1 ? world.leave(thread) : 0),
      ];
      return world.explore([program(1), program(2)], 1, []);
    },
  },
];

describe('every order of', () => {
  it.each(SCENARIOS)('$name', ({ run, leastStates }) => {
    const { states, ends } = run(right);
    expect(states).toBeGreaterThan(leastStates);
    expect(ends).toBeGreaterThan(0);
  });
});

/** Whether some scenario ends in a {@link Violation}. */
function isFound(wrong: Partial<Steps>): boolean {
  return SCENARIOS.some(({ run }) => {
    try {
      run({ ...right, ...wrong });
      return false;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return true;
    } finally {
      vi.unstubAllGlobals();
    }
  });
}

describe('is found:', () => {
  it('attaching that looks before it is counted', () => {
    const attach: Steps['attach'] = ({ state, counts }, index) => {
      const isThere = Atomics.load(state, STATE) === THERE;
      Atomics.add(counts, index, 1);
      return isThere;
    };
    expect(isFound({ attach })).toBe(true);
  });

  it('giving back without a second look', () => {
    const settle: Steps['settle'] = (entry, thread, giveBack) => {
      const { state } = entry;
      if (Atomics.load(state, STATE) !== THERE || right.isAttached(entry)) return;
      if (Atomics.compareExchange(state, STATE, THERE, thread) !== THERE) return;
      giveBack(entry);
      Atomics.store(state, STATE, FREE);
    };
    expect(isFound({ settle })).toBe(true);
  });

  it('a thing that was to stay, and is given back', () => {
    expect(isFound({ keep: () => undefined })).toBe(true);
  });

  it('no further look behind one that left it where it is', () => {
    const settle: Steps['settle'] = (entry, thread, giveBack) => {
      const { state } = entry;
      if (Atomics.load(state, STATE) !== THERE || right.isAttached(entry)) return;
      if (Atomics.compareExchange(state, STATE, THERE, thread) !== THERE) return;
      if (right.isAttached(entry)) {
        Atomics.store(state, STATE, THERE);
        return;
      }
      giveBack(entry);
      Atomics.store(state, STATE, FREE);
    };
    expect(isFound({ settle })).toBe(true);
  });

  it('free before it was given back', () => {
    const settle: Steps['settle'] = (entry, thread, giveBack) => {
      const { state } = entry;
      if (Atomics.load(state, STATE) !== THERE || right.isAttached(entry)) return;
      if (Atomics.compareExchange(state, STATE, THERE, thread) !== THERE) return;
      Atomics.store(state, STATE, FREE);
      giveBack(entry);
    };
    expect(isFound({ settle })).toBe(true);
  });

  it('a dead thread that had let go, and had not looked whether it was the last', () => {
    const bury: Steps['bury'] = (entry, dead, giveBack) => {
      if (Atomics.load(entry.counts, dead.index) === 0 && Atomics.load(entry.state, STATE) !== dead.thread)
        return;
      right.bury(entry, dead, giveBack);
    };
    expect(isFound({ bury })).toBe(true);
  });

  it('a thing that is there once more, though it was given back by one that died', () => {
    const bury: Steps['bury'] = (entry, dead, giveBack) => {
      const { state, counts } = entry;
      Atomics.store(counts, dead.index, 0);
      if (Atomics.load(state, STATE) === dead.thread && right.isAttached(entry))
        Atomics.store(state, STATE, THERE);
      right.settle(entry, dead.thread, giveBack);
    };
    expect(isFound({ bury })).toBe(true);
  });

  it('a dead thread that was at work, and nobody goes on', () => {
    const bury: Steps['bury'] = (entry, dead, giveBack) => {
      Atomics.store(entry.counts, dead.index, 0);
      right.settle(entry, -7, giveBack);
    };
    expect(isFound({ bury })).toBe(true);
  });
});
