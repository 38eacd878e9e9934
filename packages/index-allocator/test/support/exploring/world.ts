/** A small shared allocator on the machine: its memory, the calls of its threads, and what must hold at every write and at the end. */
import { vi } from 'vitest';

import { recordOf, stateWords, bucketShift } from '../../../src/records.js';
import { HANDED, isHeld, THREAD_MASK, UNKNOWN } from '../../../src/shared/holders.js';
import { seatAt } from '../../../src/shared/shape.js';
import type { Shard } from '../../../src/shared/shard.js';
import type { Me } from '../../../src/threads/threads.js';
import {
  CONTROL_WORDS,
  LINE_WORD,
  LOCK,
  SEAT_CALL,
  SEAT_THREAD,
  SEAT_TICKET,
  SEATS_USED,
} from '../../../src/shared/words.js';
import {
  BYTES_LOW,
  CAPACITY_STAMP,
  INDEX_AND_HIGH,
  RECORD_WORDS,
  TAG,
  TAG_MASK,
  TOUCHED_SLOTS,
  WARM_LIMIT_STAMP,
} from '../../../src/state.js';
import { explore, Machine, Violation, type Program, type State } from '@guardstripe/test-support/exploring';
import type { Steps } from './steps.js';

/** Where a shard lies on the machine; packed, for nothing shares a cache line there. */
interface Placed {
  readonly shard: Shard;
  readonly control: number;
  readonly holders: number;
  readonly words: number;
  /** By slot, what it was for when it was last freed, as whoever watches has seen it. */
  readonly shadow: number;
}

/** Whoever looks at the books when all is over. */
const AUDITOR = 99;

export class World {
  readonly machine: Machine;
  readonly #steps: Steps;
  readonly #numSeats: number;
  readonly #placed: Placed[] = [];
  readonly shards: readonly Shard[];
  readonly head: Int32Array;
  readonly #numWords: number;

  /**
   * @param does what the threads do besides taking and freeing at home. Plain accesses to words that then nobody touches without the
   *   lock are no steps of their own: their order makes no difference
   */
  constructor(
    steps: Steps,
    numSeats: number,
    capacities: readonly number[],
    does: { readonly handsOver?: boolean; readonly waits?: boolean; readonly buries?: boolean } = {},
  ) {
    this.#steps = steps;
    this.#numSeats = numSeats;
    this.machine = new Machine({
      guarded: (memory, thread, address) => this.#checkGuarded(memory, thread, address),
      written: (memory, thread, address, before) => this.#checkWritten(memory, thread, address, before),
    });
    for (let seat = 0; seat < numSeats; seat++) this.machine.calls.add(seatAt(seat) + SEAT_CALL);
    const lockless = does.handsOver === true ? 'steps' : 'quiet';
    this.machine.constants.add(SEATS_USED);
    for (let seat = 0; seat < numSeats; seat++) {
      if (does.buries !== true) this.machine.constants.add(seatAt(seat) + SEAT_THREAD);
      if (does.waits !== true) this.machine.constants.add(seatAt(seat) + SEAT_TICKET);
    }
    let at = seatAt(numSeats + 1);
    this.head = this.machine.view(0, at, does.waits === true ? 'steps' : 'quiet');
    for (const [index, capacity] of capacities.entries()) {
      const control = at;
      const holders = control + CONTROL_WORDS;
      const groups = holders + capacity;
      const words = groups + 2;
      const shadow = words + stateWords(capacity);
      at = shadow + capacity;
      const shard: Shard = {
        firstSlot: index * 100,
        capacity,
        warmLimit: capacity,
        shift: bucketShift(capacity),
        control: this.machine.view(control, CONTROL_WORDS, lockless),
        holders: this.machine.view(holders, capacity, lockless),
        groups: this.machine.view(groups, 1, lockless),
        bits: this.machine.view(groups + 1, 1, lockless),
        words: this.machine.view(words, stateWords(capacity), 'guarded'),
      };
      this.machine.locks.add(control + LOCK);
      this.#placed.push({ shard, control, holders, words, shadow });
    }
    this.shards = this.#placed.map(({ shard }) => shard);
    this.#numWords = at;
  }

  /** A new memory, of empty shards, with each thread in its seat. */
  #newMemory(): Int32Array {
    const memory = new Int32Array(this.#numWords);
    for (const { shard, words } of this.#placed) {
      memory[words + CAPACITY_STAMP] = shard.capacity + 1;
      memory[words + WARM_LIMIT_STAMP] = shard.warmLimit + 1;
    }
    memory[SEATS_USED] = this.#numSeats;
    for (let thread = 1; thread <= this.#numSeats; thread++) {
      memory[seatAt(thread - 1) + SEAT_THREAD] = thread;
    }
    return memory;
  }

  /** Tries all that the threads could do. */
  explore(
    programs: readonly Program[],
    maxDeaths: number,
    prepare: readonly [thread: number, call: () => void][] = [],
    mortals?: readonly number[],
  ): ReturnType<typeof explore> {
    const memory = this.#newMemory();
    vi.stubGlobal('Atomics', this.machine.atomics);
    try {
      for (const [thread, call] of prepare) this.machine.direct(memory, thread, new Set(), call);
      const audit = (state: State, dead: ReadonlySet<number>): void => this.#audit(state, dead);
      const { machine } = this;
      return explore({ machine, memory, programs, maxDeaths, audit, ...(mortals && { mortals }) });
    } finally {
      vi.unstubAllGlobals();
    }
  }

  me(self: number): Me {
    return {
      self,
      isAlive: (thread) => this.machine.isAlive(thread),
      spins: 0,
      locks: { waits: 0, takeovers: 0 },
    };
  }

  /** Takes a slot of a shard for a key; -1 if there is none. */
  take(thread: number, shard: number, moduleId = thread): number {
    const slot = this.#steps.sections.takeFrom(this.shards[shard]!, this.me(thread), moduleId + 1, 0);
    return slot === -1 ? -1 : slot + this.shards[shard]!.firstSlot;
  }

  /** Frees a slot at home, if there is one, and calls whoever waits, as the face does. */
  free(thread: number, slot: number): number {
    if (slot === -1) return 0;
    const { sections, line } = this.#steps;
    const shard = this.shards[Math.trunc(slot / 100)]!;
    const local = slot % 100;
    const isFreed = sections.freeTo(shard, this.me(thread), local, bytesOf(local), 0);
    this.machine.mark(isFreed ? 1 : 0);
    if (line.isLine(this.head)) line.callFirst(this.head);
    return isFreed ? 1 : 0;
  }

  /** Hands slots of another shard over, as the face does. */
  handOver(thread: number, slots: readonly number[]): number {
    const { handOver, line } = this.#steps;
    let numHanded = 0;
    for (const shard of this.shards) {
      let mask = 0;
      for (const slot of slots) {
        const local = slot - shard.firstSlot;
        if (slot === -1 || local < 0 || local >= shard.capacity) continue;
        if (!handOver.handOver(shard, local, thread, bytesOf(local), 0)) continue;
        mask |= 1 << local;
        numHanded++;
      }
      if (mask !== 0) handOver.announce(shard, 0, mask);
    }
    this.machine.mark(numHanded);
    if (line.isLineNow(this.head)) line.callFirst(this.head);
    return numHanded;
  }

  adopt(thread: number, slot: number, from: number): number {
    const shard = this.shards[Math.trunc(slot / 100)]!;
    return this.#steps.sections.adoptIn(shard, this.me(thread), slot % 100, from) ? 1 : 0;
  }

  /** Looks after the dead. */
  bury(thread: number): number {
    return this.#steps.seats.buryDead(this.head, this.shards, this.me(thread));
  }

  standInLine(thread: number): void {
    const { line } = this.#steps;
    line.standInLine(this.head, thread - 1, line.drawTicket(this.head));
  }

  /** Stands in line and waits. */
  waitFor(thread: number): number {
    this.standInLine(thread);
    this.machine.mark(0);
    return this.waitOn(thread);
  }

  /** Waits in line for a slot of the first shard, as `Waiters` does with promises. */
  waitOn(thread: number): number {
    const callAt = seatAt(thread - 1) + SEAT_CALL;
    for (;;) {
      const calls = Atomics.load(this.head, callAt);
      const slot = this.#tryInTurn(thread);
      if (slot !== -1) return slot;
      if (Atomics.wait(this.head, callAt, calls) === 'timed-out') this.bury(thread);
    }
  }

  /** Stands in line, tries once, and leaves again with what it got: a waiter that is aborted. */
  waitAndLeave(thread: number): number {
    this.standInLine(thread);
    this.machine.mark(0);
    const slot = this.#tryInTurn(thread);
    if (slot === -1) this.#steps.line.moveOn(this.head, thread - 1, 0);
    return slot;
  }

  /** Tries as `Waiters` does, and leaves the line with what it found. */
  #tryInTurn(thread: number): number {
    const { line } = this.#steps;
    const slot = line.tryInTurn(this.head, thread - 1, () => {
      this.machine.mark(1);
      return this.take(thread, 0);
    });
    this.machine.mark(2 + slot);
    if (slot !== -1) line.moveOn(this.head, thread - 1, 0);
    return slot;
  }

  /** The lists and counts must be right, dead threads' slots back, living ones' their own, and every other slot to be had. */
  #audit(state: State, dead: ReadonlySet<number>): void {
    const { sections, seats, line } = this.#steps;
    const memory = state.memory.slice();
    this.machine.direct(memory, AUDITOR, dead, () => {
      const me = this.me(AUDITOR);
      seats.buryDead(this.head, this.shards, me);
      for (const { shard, holders, words, shadow } of this.#placed) {
        checkBooks(() => sections.checkShard(shard, me));
        for (let slot = 0; slot < shard.capacity; slot++) {
          const holder = memory[holders + slot]!;
          const record = words + recordOf(slot);
          if (holder < 0) throw new Violation(`slot ${slot} was handed over, and nobody has it`);
          if (isHeld(holder)) {
            if (dead.has(holder & THREAD_MASK)) throw new Violation(`dead thread holds slot ${slot}`);
            continue;
          }
          const key = memory[shadow + slot]!;
          if (memory[record + TAG] !== key) throw new Violation(`slot ${slot} is said to be another key's`);
          if (key !== 0 && memory[record + BYTES_LOW] !== bytesOf(slot)) {
            throw new Violation(`slot ${slot} is said to hold other bytes`);
          }
        }
        this.#takeAll(memory, shard, holders);
      }
      if (line.firstInLine(this.head) !== -1) throw new Violation('somebody stands in line for ever');
      if (memory[LINE_WORD] !== 0) throw new Violation('the line is empty, and nobody knows');
    });
  }

  /** Each slot that nobody holds can be had, once. */
  #takeAll(memory: Int32Array, shard: Shard, holders: number): void {
    const heldBefore = Array.from({ length: shard.capacity }, (_, slot) => isHeld(memory[holders + slot]!));
    const taken = new Set<number>();
    for (;;) {
      const slot = this.#steps.sections.takeFrom(shard, this.me(AUDITOR), 0, 0);
      if (slot === -1) break;
      if (heldBefore[slot] === true || taken.has(slot))
        throw new Violation(`slot ${slot} was given out twice`);
      taken.add(slot);
    }
    const numFree = heldBefore.filter((isHeldThen) => !isHeldThen).length;
    if (taken.size !== numFree) throw new Violation(`${taken.size} slots are to be had, ${numFree} are free`);
  }

  /** Guarded words are the lock owner's; the bytes of a slot also its holder's. */
  #checkGuarded(memory: Int32Array, thread: number, address: number): void {
    for (const { shard, control, holders, words } of this.#placed) {
      if (address < words || address >= words + stateWords(shard.capacity)) continue;
      if ((memory[control + LOCK]! & THREAD_MASK) === thread) return;
      const index = address - words;
      const word = index % RECORD_WORDS;
      const slot = index / RECORD_WORDS - 2;
      const holder = memory[holders + Math.floor(slot)];
      if ((word === INDEX_AND_HIGH || word === BYTES_LOW) && holder !== undefined) {
        if (isHeld(holder) && (holder & THREAD_MASK) === thread) return;
      }
      throw new Violation(`thread ${thread} touches word ${index} without the lock`);
    }
  }

  /** Slots change hands in these ways only. */
  #checkWritten(memory: Int32Array, thread: number, address: number, before: number): void {
    for (const { shard, control, holders, words, shadow } of this.#placed) {
      const slot = address - holders;
      if (slot < 0 || slot >= shard.capacity) continue;
      const after = memory[address]!;
      const hasLock = (memory[control + LOCK]! & THREAD_MASK) === thread;
      const record = words + recordOf(slot);
      if (!this.#isAllowed(thread, before, after, hasLock)) {
        throw new Violation(`thread ${thread} changes the holder of slot ${slot} from ${before} to ${after}`);
      }
      if (after === UNKNOWN) memory[shadow + slot] = 0;
      if (isHeld(before) && after <= 0) {
        memory[shadow + slot] = memory[record + TAG]! & TAG_MASK;
        if (memory[record + BYTES_LOW] !== bytesOf(slot))
          throw new Violation(`slot ${slot} is freed before its record`);
      }
      if (isHeld(after) && memory[words + TOUCHED_SLOTS]! <= slot) {
        throw new Violation(`slot ${slot} is held, but was never touched`);
      }
    }
  }

  #isAllowed(thread: number, before: number, after: number, hasLock: boolean): boolean {
    if (isHeld(after)) {
      // Taken or adopted; that nobody knows what is in it is not forgotten.
      return hasLock && after === (thread | (before & UNKNOWN)) && before >= 0;
    }
    if (after < 0) return isHeld(before) && after === (HANDED | thread) && (before & THREAD_MASK) === thread;
    if (after === 0) return hasLock && (before < 0 || (isHeld(before) && (before & THREAD_MASK) === thread));
    const from = before & THREAD_MASK;
    return after === UNKNOWN && hasLock && isHeld(before) && this.machine.isDead(from);
  }
}

function bytesOf(slot: number): number {
  return 1000 + slot;
}

function checkBooks(check: () => void): void {
  try {
    check();
  } catch (error) {
    // Not by its class: where a mistake was put in, the modules are loaded anew.
    const { code, message } = error as Partial<Error & { code: string }>;
    throw code === 'ERR_INCONSISTENT_STATE' ? new Violation(message) : error;
  }
}
