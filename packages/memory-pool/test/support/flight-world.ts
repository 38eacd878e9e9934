/**
 * Stores in flight on a machine that tries every order of steps: the functions that production calls, with a word a slot in the place of
 * the index allocator, whose adoption is one step of its own.
 */
import {
  explore,
  Machine,
  Violation,
  type Explored,
  type Program,
  type State,
} from '@guardstripe/test-support/exploring';
import { vi } from 'vitest';
import type * as FlightSteps from '../../src/moving/flight-steps.js';

/** The functions, or some of them with a mistake put in. */
export type Steps = typeof FlightSteps;

const FLIGHT_WORDS = 16;
const HASH = 8;
const NUM_SLOTS = 4;
const HOLDERS = FLIGHT_WORDS;
const AUDITOR = 99;

/** A store: which slots, and what its token's hash begins with. */
export interface Parcel {
  readonly hash: number;
  readonly slots: readonly number[];
}

/** What a call is told of by its result. */
export const [NOT_HAD, HAD] = [0, 1];

/** What threads claim to have in the end, by what their calls have returned. */
export interface Claims {
  /** What its first call has released if it returned {@link HAD}. */
  readonly releases?: Parcel;
  /** Index of the call, and what it adopted if it returned {@link HAD}. */
  readonly adopts?: readonly (readonly [call: number, parcel: Parcel])[];
  /** Index of the call, which returned a bit for each slot that it took. */
  readonly takes?: number;
  /** Whether all that the thread released ended with it. */
  readonly leaves?: boolean;
}

export class FlightWorld {
  readonly #steps: Steps;
  readonly machine = new Machine({ guarded: () => undefined, written: () => undefined });
  readonly #flights: Int32Array;
  readonly #holders: Int32Array;

  constructor(steps: Steps) {
    this.#steps = steps;
    this.#flights = this.machine.view(0, FLIGHT_WORDS, 'steps');
    this.#holders = this.machine.view(HOLDERS, NUM_SLOTS, 'steps');
    // How many memories a flight carries decides nothing, and one word of the hash tells it from others as well as eight do.
    for (let word = 2; word < FLIGHT_WORDS; word++) if (word !== HASH) this.machine.constants.add(word);
  }

  /** Releases a store whose slots the thread holds. */
  release(thread: number, { hash }: Parcel): number {
    const { begin, describeFlight, launch } = this.#steps;
    const crew = this.#crew(thread);
    const flight = begin(this.#flights, crew);
    if (flight === -1) return NOT_HAD;
    describeFlight(this.#flights, flight, crew, 0, hashOf(hash));
    launch(this.#flights, flight, crew);
    return HAD;
  }

  adopt(thread: number, { hash, slots }: Parcel): number {
    const from = this.#steps.claim(this.#flights, 0, this.#crew(thread), hashOf(hash));
    this.machine.mark(from);
    if (from === 0) return NOT_HAD;
    const isHad = this.#steps.adoptAll(this.#flights, 0, from, {
      slots,
      adopt: (slot, of) => Atomics.compareExchange(this.#holders, slot, of, thread) === of,
      giveUp: (slot) => void Atomics.store(this.#holders, slot, 0),
    });
    return isHad ? HAD : NOT_HAD;
  }

  /** Ends what the thread released, as it does when it leaves, and takes what slots are free then. */
  leaveAndTake(thread: number, { slots }: Parcel): number {
    this.settle(thread, slots, true);
    let taken = 0;
    for (const slot of slots) {
      if (Atomics.compareExchange(this.#holders, slot, 0, thread) === 0) taken |= 1 << slot;
    }
    return taken;
  }

  /** Looks after what the thread released; what of it is over and still the thread's, it frees. */
  settle(thread: number, slots: readonly number[], isEnding: boolean): number {
    const became = this.#steps.settle(this.#flights, 0, this.#crew(thread), isEnding);
    this.machine.mark(became === 'over' ? 1 : 0);
    if (became === 'flying') return 0;
    for (const slot of slots) {
      if (Atomics.load(this.#holders, slot) === thread) Atomics.store(this.#holders, slot, 0);
    }
    return 1;
  }

  /** Takes away what dead threads hold, as the allocator does. */
  bury(thread: number, slots: readonly number[]): number {
    const crew = this.#crew(thread);
    for (const slot of slots) {
      const holder = Atomics.load(this.#holders, slot);
      if (holder !== 0 && !crew.isAlive(holder)) Atomics.compareExchange(this.#holders, slot, holder, 0);
    }
    return 0;
  }

  /**
   * Tries all.
   *
   * @param flying - what thread 1 has released before
   * @param claims - of each thread
   */
  explore(
    programs: readonly Program[],
    claims: readonly Claims[],
    maxDeaths: number,
    flying: Parcel | undefined,
    holders: readonly number[],
  ): Explored {
    const memory = new Int32Array(FLIGHT_WORDS + NUM_SLOTS);
    memory.set(holders, HOLDERS);
    vi.stubGlobal('Atomics', this.machine.atomics);
    try {
      if (flying !== undefined) this.machine.direct(memory, 1, new Set(), () => this.release(1, flying));
      const { machine } = this;
      const audit = (state: State, dead: ReadonlySet<number>) =>
        this.#audit(state, dead, claims, holders, flying);
      return explore({ machine, memory, programs, maxDeaths, audit });
    } finally {
      vi.unstubAllGlobals();
    }
  }

  #crew(self: number) {
    return { self, isAlive: (thread: number) => this.machine.isAlive(thread) };
  }

  #audit(
    { memory: before, threads }: State,
    dead: ReadonlySet<number>,
    claims: readonly Claims[],
    holders: readonly number[],
    flying: Parcel | undefined,
  ): void {
    const memory = before.slice();
    const had = new Map<number, number>();
    const tokens = new Set<number>();
    for (const [index, { adopts = [], takes }] of claims.entries()) {
      const { results } = threads[index]!;
      const thread = index + 1;
      for (const [call, { hash, slots }] of adopts) {
        if (results[call] !== HAD) continue;
        if (tokens.has(hash)) throw new Violation(`two had the store of token ${hash}`);
        tokens.add(hash);
        for (const slot of slots) had.set(slot, thread);
      }
      const taken = takes === undefined ? 0 : (results[takes] ?? 0);
      for (let slot = 0; slot < NUM_SLOTS; slot++) if ((taken & (1 << slot)) !== 0) had.set(slot, thread);
    }
    for (const [slot, thread] of had) {
      if (!dead.has(thread) && memory[HOLDERS + slot] !== thread)
        throw new Violation(
          `slot ${slot} is ${memory[HOLDERS + slot]}'s, and thread ${thread} was told that it has it`,
        );
    }
    // Those that live look after what they released.
    const isLeft = (thread: number) => dead.has(thread) || claims[thread - 1]?.leaves === true;
    for (const releaser of new Set(holders)) {
      if (releaser === 0 || dead.has(releaser)) continue;
      const left = holders.flatMap((holder, slot) =>
        holder === releaser && had.get(slot) !== releaser ? [slot] : [],
      );
      const isOver = this.machine.direct(memory, releaser, dead, () => this.settle(releaser, left, false));
      if (isOver === 0 && isLeft(releaser))
        throw new Violation(`thread ${releaser} has left, and its store flies`);
    }
    const isFlying = (memory[0]! & 0x4000_0000) !== 0 && memory[0]! > 0 && !isLeft(memory[0]! & 0x3fff_ffff);
    for (let slot = 0; slot < NUM_SLOTS; slot++) {
      const holder = memory[HOLDERS + slot]!;
      if (holder === 0 || dead.has(holder) || had.get(slot) === holder || isFlying) continue;
      throw new Violation(`slot ${slot} is thread ${holder}'s, which does not know it`);
    }
    const next = this.machine.direct(memory, AUDITOR, dead, () =>
      this.#steps.begin(this.#flights, this.#crew(AUDITOR)),
    );
    if ((next === -1) !== isFlying)
      throw new Violation(isFlying ? 'a flight is lost' : 'a flight is never free again');
    // Where nobody ended, what was released is in somebody's hands, or flies.
    if (dead.size > 0 || claims.some(({ leaves }) => leaves)) return;
    const released = claims.flatMap(({ releases }, index) =>
      releases !== undefined && threads[index]!.results[0] === HAD ? [releases.hash] : [],
    );
    for (const hash of flying === undefined ? released : [...released, flying.hash]) {
      if (!tokens.has(hash) && !(isFlying && memory[HASH] === hash))
        throw new Violation(`the store of token ${hash} was had by nobody`);
    }
  }
}

function hashOf(first: number): Int32Array {
  return Int32Array.of(first, 0, 0, 0, 0, 0, 0, 0);
}

const STORE: Parcel = { hash: 7, slots: [0, 1] };
const NEXT: Parcel = { hash: 8, slots: [2] };

/** What is tried. */
export const SCENARIOS: readonly {
  readonly name: string;
  readonly leastStates: number;
  readonly run: (steps: Steps) => Explored;
}[] = [
  {
    name: 'one that releases, two that adopt, two deaths',
    leastStates: 700,
    run(steps) {
      const world = new FlightWorld(steps);
      const programs = [
        [() => world.release(1, STORE)],
        [() => world.adopt(2, STORE)],
        [() => world.adopt(3, STORE)],
      ];
      const claims = [{ releases: STORE }, { adopts: [[0, STORE]] }, { adopts: [[0, STORE]] }] as const;
      return world.explore(programs, claims, 2, undefined, [1, 1, 0, 0]);
    },
  },
  {
    name: 'two that adopt while the one that released leaves and takes slots anew, two deaths',
    leastStates: 1000,
    run(steps) {
      const world = new FlightWorld(steps);
      const programs = [
        [() => world.leaveAndTake(1, STORE)],
        [() => world.adopt(2, STORE)],
        [() => world.adopt(3, STORE)],
      ];
      const claims = [
        { takes: 0, leaves: true },
        { adopts: [[0, STORE]] },
        { adopts: [[0, STORE]] },
      ] as const;
      return world.explore(programs, claims, 2, STORE, [1, 1, 0, 0]);
    },
  },
  {
    name: 'two that adopt a store while its thread releases another one in the same flight, one death',
    leastStates: 500,
    run(steps) {
      const world = new FlightWorld(steps);
      const programs = [
        [() => world.release(1, NEXT)],
        [() => world.adopt(2, STORE)],
        [() => world.adopt(3, STORE), () => world.adopt(3, NEXT)],
      ];
      const claims = [
        { releases: NEXT },
        { adopts: [[0, STORE]] },
        {
          adopts: [
            [0, STORE],
            [1, NEXT],
          ],
        },
      ] as const;
      return world.explore(programs, claims, 1, STORE, [1, 1, 1, 0]);
    },
  },
  {
    name: 'one that adopts, one that buries the dead, the one that released looks after it, two deaths',
    leastStates: 500,
    run(steps) {
      const world = new FlightWorld(steps);
      const programs = [
        [() => world.settle(1, STORE.slots, false)],
        [() => world.adopt(2, STORE)],
        [() => world.bury(3, STORE.slots)],
      ];
      const claims = [{}, { adopts: [[0, STORE]] }, {}] as const;
      return world.explore(programs, claims, 2, STORE, [1, 1, 0, 0]);
    },
  },
  {
    name: 'two that release, in one flight, and one that adopts of both, two deaths',
    leastStates: 500,
    run(steps) {
      const world = new FlightWorld(steps);
      const programs = [
        [() => world.release(1, STORE)],
        [() => world.release(2, NEXT)],
        [() => world.adopt(3, STORE), () => world.adopt(3, NEXT)],
      ];
      const claims = [
        { releases: STORE },
        { releases: NEXT },
        {
          adopts: [
            [0, STORE],
            [1, NEXT],
          ],
        },
      ] as const;
      return world.explore(programs, claims, 2, undefined, [1, 1, 2, 0]);
    },
  },
];
