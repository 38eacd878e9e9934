/**
 * Stores on their way from one thread to another, each in a *flight*: 16 words that all threads of the pool see.
 *
 * ```
 *  0      state      0        free
 *                    t        writing: thread t says what it is about to release; all is t's still
 *                    t flying released by t: the first that comes with the token takes it
 *                    u taken  thread u makes the slots its own, one by one; those that are not yet are the releaser's
 *  1      releaser   written before it flies, and the same until the flight is free
 *  2      memories   how many it carries; likewise
 *  8…15   hash       SHA-256 of the token; likewise
 *
 *  free ──begin──▶ writing ──launch──▶ flying ──claim──▶ taken ──finish──▶ free
 *                     └──cancel──▶ free  └──settle──▶ free └── the taker died: settle ──▶ free
 * ```
 *
 * Who holds a slot is not said here: the index allocator's word does. In a flight that flies all slots are the releaser's, so a
 * releaser that ends takes them along: they come back as any dead thread's. What is done here in several steps can break off after each.
 */

import { PoolCorruptedError } from '../errors.js';

/** Words of a flight: a cache line. */
export const FLIGHT_WORDS = 16;

const STATE = 0;
const RELEASER = 1;
const MEMORIES = 2;
const HASH = 8;
const HASH_WORDS = 8;

const FREE = 0;
const THREAD_MASK = 0x3fff_ffff;
const FLYING = 0x4000_0000;
/** The word's sign. */
const TAKEN = -0x8000_0000;

/** Before it is asked whether who takes a flight still lives. */
const PATIENCE_MS = 1;

/** The calling thread, and who else lives. */
export interface Crew {
  readonly self: number;
  isAlive(thread: number): boolean;
}

/** Whether a thread's number fits into a flight's word, beside what is said of it there. */
export function isCrew(thread: number): boolean {
  return thread > 0 && (thread & THREAD_MASK) === thread;
}

function at(flight: number): number {
  return flight * FLIGHT_WORDS;
}

/** Finds a free flight and has it written by the calling thread; -1 if there is none. */
export function begin(words: Int32Array, crew: Crew): number {
  const numFlights = Math.trunc(words.length / FLIGHT_WORDS);
  for (let flight = 0; flight < numFlights; flight++) {
    if (Atomics.compareExchange(words, at(flight) + STATE, FREE, crew.self) === FREE) return flight;
  }
  for (let flight = 0; flight < numFlights; flight++) {
    const word = Atomics.load(words, at(flight) + STATE);
    if (!isAbandoned(words, flight, word, crew)) continue;
    if (Atomics.compareExchange(words, at(flight) + STATE, word, crew.self) === word) return flight;
  }
  return -1;
}

/** Whether nobody will end a flight any more who may. One of a dead taker is its living releaser's to settle. */
function isAbandoned(words: Int32Array, flight: number, word: number, crew: Crew): boolean {
  if (word === FREE || crew.isAlive(word & THREAD_MASK)) return false;
  return word > 0 || !crew.isAlive(Atomics.load(words, at(flight) + RELEASER));
}

/**
 * Says what a flight carries that the calling thread has begun.
 *
 * @throws {@link PoolCorruptedError} for any other: what flies there would be lost
 */
export function describeFlight(
  words: Int32Array,
  flight: number,
  crew: Crew,
  numMemories: number,
  hash: Int32Array,
): void {
  // Its own word, which nobody else changes.
  if (words[at(flight) + STATE] !== crew.self)
    throw new PoolCorruptedError(`flight ${flight} is written by ${crew.self}, which has not begun it`);
  if (!(numMemories >= 0) || hash.length !== HASH_WORDS)
    throw new PoolCorruptedError(
      `flight ${flight} has ${numMemories} memories, ${hash.length} words of hash`,
    );
  words[at(flight) + RELEASER] = crew.self;
  words[at(flight) + MEMORIES] = numMemories;
  for (let word = 0; word < HASH_WORDS; word++) words[at(flight) + HASH + word] = hash[word]!;
}

/**
 * Lets it fly: from now on anybody may take it.
 *
 * @throws {@link PoolCorruptedError} for one that the calling thread has not begun: who has it would lose it
 */
export function launch(words: Int32Array, flight: number, crew: Crew): void {
  const { self } = crew;
  if (Atomics.compareExchange(words, at(flight) + STATE, self, FLYING | self) !== self)
    throw new PoolCorruptedError(`flight ${flight} is launched by ${self}, which has not begun it`);
}

/** Gives up a flight that was begun and not launched. */
export function cancel(words: Int32Array, flight: number, crew: Crew): void {
  Atomics.compareExchange(words, at(flight) + STATE, crew.self, FREE);
}

/** Whether the token's flight flies at this moment. */
export function isFlying(words: Int32Array, flight: number, hash: Int32Array): boolean {
  return isFlyingWord(Atomics.load(words, at(flight) + STATE)) && isOf(words, flight, hash);
}

/**
 * Takes a flight, if it is the token's and flies. Of those that try exactly one does.
 *
 * @returns whose the slots are, 0 if it is not to be had
 */
export function claim(words: Int32Array, flight: number, crew: Crew, hash: Int32Array): number {
  for (;;) {
    const word = Atomics.load(words, at(flight) + STATE);
    if (!isOf(words, flight, hash)) return 0;
    if (isFlyingWord(word)) {
      const releaser = word & THREAD_MASK;
      // Its slots come back anyway; but of a store without any nothing else would say that its thread has ended.
      if (releaser !== crew.self && !crew.isAlive(releaser)) return 0;
      const taken = TAKEN | crew.self;
      if (Atomics.compareExchange(words, at(flight) + STATE, word, taken) !== word) continue;
      // The same thread may have released another store in it since the look at the hash. Now it stays.
      if (isOf(words, flight, hash)) return releaser;
      putBack(words, flight, word);
      return 0;
    }
    // Who took it by that very mistake puts it back.
    if (word >= 0 || !crew.isAlive(word & THREAD_MASK)) return 0;
    Atomics.wait(words, at(flight) + STATE, word, PATIENCE_MS);
  }
}

/** What a flight's taker makes its own of it. */
export interface Slots {
  readonly slots: readonly number[];
  /** Takes a slot over from the thread that has it; `false` if that has it no more. */
  adopt(slot: number, from: number): boolean;
  /** Gives a slot back whose bytes nobody knows. */
  giveUp(slot: number): void;
}

/** Takes over all slots of a flight that was claimed, or none: whoever released it may have ended. Ends the flight in any case. */
export function adoptAll(
  words: Int32Array,
  flight: number,
  from: number,
  parcel: Slots,
  progress = { numAdopted: 0 },
): boolean {
  let isWhole = false;
  try {
    for (const slot of parcel.slots) {
      if (!parcel.adopt(slot, from)) break;
      progress.numAdopted++;
    }
    isWhole = progress.numAdopted === parcel.slots.length;
  } finally {
    if (isWhole) putBack(words, flight, FREE);
    else giveUp(words, flight, parcel, progress);
  }
  return isWhole;
}

/** Ends the taking of a flight of which only so many slots were taken over: a part of a store is no store. */
function giveUp(words: Int32Array, flight: number, parcel: Slots, progress: { numAdopted: number }): void {
  while (progress.numAdopted > 0) parcel.giveUp(parcel.slots[--progress.numAdopted]!);
  putBack(words, flight, FREE);
}

/** The same for a thread that was cut short in {@link claim} or {@link adoptAll}, where `finally` was not run. */
export function giveUpIfTaken(
  words: Int32Array,
  flight: number,
  crew: Crew,
  parcel: Slots,
  progress: { numAdopted: number },
): void {
  if (Atomics.load(words, at(flight) + STATE) === (TAKEN | crew.self))
    giveUp(words, flight, parcel, progress);
}

/**
 * What became of a flight that the calling thread has launched. Over, no slot of it changes hands any more; those that are this
 * thread's still are nobody else's.
 *
 * @param isEnding - takes it back if it flies, and waits until who takes it is done
 */
export function settle(words: Int32Array, flight: number, crew: Crew, isEnding: boolean): 'flying' | 'over' {
  for (;;) {
    const word = Atomics.load(words, at(flight) + STATE);
    if (word === (FLYING | crew.self)) {
      if (!isEnding) return 'flying';
      if (Atomics.compareExchange(words, at(flight) + STATE, word, FREE) === word) return 'over';
      continue;
    }
    // Free, or another one's.
    if (word >= 0 || Atomics.load(words, at(flight) + RELEASER) !== crew.self) return 'over';
    if (!crew.isAlive(word & THREAD_MASK)) {
      if (Atomics.compareExchange(words, at(flight) + STATE, word, FREE) === word) return 'over';
      continue;
    }
    if (!isEnding) return 'flying';
    Atomics.wait(words, at(flight) + STATE, word, PATIENCE_MS);
  }
}

/** Memories in flight whose releaser lives: those of others come back with all that it held. Each flight is looked at another moment. */
export function countMemories(words: Int32Array, crew: Crew): number {
  let memories = 0;
  for (let flight = 0; flight * FLIGHT_WORDS < words.length; flight++) {
    const word = Atomics.load(words, at(flight) + STATE);
    if (word >= 0 && !isFlyingWord(word)) continue;
    if (!crew.isAlive(Atomics.load(words, at(flight) + RELEASER))) continue;
    const carried = words[at(flight) + MEMORIES]!;
    // Fewer than none would hide others that live, and the slab goes when none does.
    if (carried < 0) throw new PoolCorruptedError(`flight ${flight} carries ${carried} memories`);
    memories += carried;
  }
  return memories;
}

function isFlyingWord(word: number): boolean {
  return word > 0 && (word & FLYING) !== 0;
}

function isOf(words: Int32Array, flight: number, hash: Int32Array): boolean {
  for (let word = 0; word < HASH_WORDS; word++) {
    if (Atomics.load(words, at(flight) + HASH + word) !== hash[word]) return false;
  }
  return true;
}

/** Ends the taking of a flight. Its releaser may wait for that, and others that have its token. */
function putBack(words: Int32Array, flight: number, word: number): void {
  Atomics.store(words, at(flight) + STATE, word);
  Atomics.notify(words, at(flight) + STATE);
}
