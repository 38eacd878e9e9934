/**
 * Which keys the process has, whose they are, and which rights that makes: one set of words, seen by all threads and all copies
 * of the package.
 *
 *     word 0  rights bits of the keys that leases hold: what a mask may open
 *          1  rights bits of all keys that we have, the withheld ones too: what a mask may change
 *          2  how often a key was given back
 *     word 16 + 8k, for key k: hold (thread and state), generation, freed generation, releases when it was taken
 *
 *     FREE ──take──▶ HELD ──▶ RETURNING ──pkey_free──▶ FREE
 *                     │           ▲
 *                     └▶ WITHHELD ┘ nobody's, and not given back while pages carry it, or may
 *
 * A hold changes by one `compareExchange` that names the thread that makes it, so of many that want to go on where a dead one
 * stopped exactly one does. A worker is stopped at calls and loops only: what has to be noted of a call into C is noted by plain
 * statements right behind it, and is then true wherever the thread ends.
 */
import { SystemError } from '@guardstripe/mmap';
import type { KeySystem } from '../key-system.js';
import { rightsOf } from '../pkru.js';

const HELD_BITS = 0;
const OWNED_BITS = 1;
const RELEASES = 2;
const FIRST_KEY = 16;
const KEY_WORDS = 8;
const HOLD = 0;
const GENERATION = 1;
const FREED = 2;
const TAKEN_AT = 3;

/** The two lowest bits of a hold; above them is the thread. A free key's hold is 0. */
const HELD = 1;
const RETURNING = 2;
const WITHHELD = 3;
const STATE_MASK = 0b11;

/** Keys that the hardware gives out: 1 to this; 0 is every page's default. */
export const MAX_KEYS = 15;

/** A key as it was taken: the number alone may be somebody else's later. */
export interface Taken {
  readonly id: number;
  readonly generation: number;
}

/** What the registry asks of the process. */
export interface KeyProcess {
  /** `keyWords` of the process's state. */
  readonly words: Int32Array;
  /** The calling thread. */
  readonly thread: number;
  isGone(thread: number): boolean;
  /** Bytes of mappings by key; `undefined` where nobody says. */
  colouredBytes(): ReadonlyMap<number, number> | undefined;
}

/** One thread's, and one copy's, access to the words. */
export class KeyRegistry {
  readonly #words: Int32Array;
  readonly #process: KeyProcess;
  readonly #system: KeySystem;

  constructor(process: KeyProcess, system: KeySystem) {
    this.#words = process.words;
    this.#process = process;
    this.#system = system;
  }

  // Plain reads, here and below: on the way of every switch, and as whole as the atomic ones.

  /** Rights bits of the keys that leases hold, in whichever thread; unsigned. */
  get heldBits(): number {
    return this.#words[HELD_BITS]! >>> 0;
  }

  /** Rights bits of all keys that are ours to change; unsigned. */
  get ownedBits(): number {
    return this.#words[OWNED_BITS]! >>> 0;
  }

  /** How often a key was given back: a mask that was checked since the last time needs no other look. */
  get releases(): number {
    return this.#words[RELEASES]!;
  }

  /** Whether a lease still holds the key. */
  isHeld({ id, generation }: Taken): boolean {
    return this.#word(id, GENERATION) === generation && (this.#word(id, HOLD) & STATE_MASK) === HELD;
  }

  generationOf(id: number): number {
    return this.#word(id, GENERATION);
  }

  /** Of `bits`, those of keys that are still ours and were since `releases` was read. */
  sameSince(releases: number, bits: number): number {
    let same = (bits & this.ownedBits) >>> 0;
    if (this.releases === releases) return same;
    for (let id = 1; id <= MAX_KEYS; id++) {
      if (((this.#word(id, TAKEN_AT) - releases) | 0) > 0) same &= ~rightsOf(id);
    }
    return same >>> 0;
  }

  /** How many keys leases hold, and how many are withheld. */
  count(): { readonly held: number; readonly withheld: number } {
    const states = allIds().map((id) => this.#word(id, HOLD) & STATE_MASK);
    return {
      held: states.filter((state) => state === HELD).length,
      withheld: states.filter((state) => state === WITHHELD || state === RETURNING).length,
    };
  }

  /** Takes a key that is free, open for the calling thread. Throws as {@link KeySystem.allocate} does. */
  take(): Taken {
    const words = this.#words;
    const hold = this.#holdOf(HELD);
    const id = this.#system.allocate();
    // The kernel gave it to nobody else, so these words are ours to write.
    const at = FIRST_KEY + id * KEY_WORDS;
    const generation = (words[at + GENERATION]! + 1) | 0;
    words[at + GENERATION] = generation;
    words[at + TAKEN_AT] = words[RELEASES]!;
    words[at + HOLD] = hold;
    this.#setBits(HELD_BITS, id);
    this.#setBits(OWNED_BITS, id);
    return { id, generation };
  }

  /** Closes a held key that no page carries for the calling thread, and gives it back. */
  giveBack(key: Taken): void {
    if (this.#change(key.id, this.#holdOf(HELD), RETURNING)) this.#return(key.id);
  }

  /** Takes a held key from its lease: it stays ours, closed by every mask, until no page carries it. */
  withhold({ id }: Taken): void {
    if (this.#change(id, this.#holdOf(HELD), WITHHELD)) this.#withheld(id);
  }

  /** Gives back what dead threads and lost leases had, if no page carries it; withholds the rest. */
  sweep(): void {
    for (const id of allIds()) this.#takeOver(id);
    const withheld = allIds().filter((id) => (this.#word(id, HOLD) & STATE_MASK) === WITHHELD);
    if (withheld.length === 0) return;
    const coloured = this.#process.colouredBytes();
    if (coloured === undefined) return;
    for (const id of withheld) {
      if ((coloured.get(id) ?? 0) > 0) continue;
      const hold = this.#word(id, HOLD);
      if ((hold & STATE_MASK) === WITHHELD && this.#change(id, hold, RETURNING)) this.#tryReturn(id);
    }
  }

  /** Bytes that carry each key; `undefined` where nobody says. */
  colouredBytes(): ReadonlyMap<number, number> | undefined {
    return this.#process.colouredBytes();
  }

  /** What a thread holds that is gone is nobody's; what it was returning, it may have returned. */
  #takeOver(id: number): void {
    const hold = this.#word(id, HOLD);
    const state = hold & STATE_MASK;
    if (state !== HELD && state !== RETURNING) return;
    if (!this.#process.isGone(hold >>> 2)) return;
    if (state === RETURNING && this.#word(id, FREED) === this.#word(id, GENERATION)) {
      Atomics.compareExchange(this.#words, FIRST_KEY + id * KEY_WORDS + HOLD, hold, 0);
    } else if (this.#change(id, hold, WITHHELD)) this.#withheld(id);
  }

  #withheld(id: number): void {
    this.#clearBits(HELD_BITS, id);
    this.#setBits(OWNED_BITS, id);
    this.#system.close(rightsOf(id));
  }

  #tryReturn(id: number): void {
    try {
      this.#return(id);
    } catch (error) {
      // Nobody asked for this one.
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /** The key's hold says that it is this thread's to return. */
  #return(id: number): void {
    const words = this.#words;
    const at = FIRST_KEY + id * KEY_WORDS;
    this.#clearBits(HELD_BITS, id);
    this.#system.close(rightsOf(id));
    this.#clearBits(OWNED_BITS, id);
    Atomics.add(words, RELEASES, 1);
    const generation = words[at + GENERATION]!;
    let refusal: SystemError | undefined;
    try {
      this.#system.free(id);
      words[at + FREED] = generation;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // The kernel does not know it as taken: somebody freed it behind our back.
      refusal = error;
    }
    // Unless somebody has taken it since: then the hold is theirs.
    Atomics.compareExchange(words, at + HOLD, this.#holdOf(RETURNING), 0);
    if (refusal !== undefined) throw refusal;
  }

  #holdOf(state: number): number {
    return (this.#process.thread << 2) | state;
  }

  #change(id: number, from: number, state: number): boolean {
    const at = FIRST_KEY + id * KEY_WORDS + HOLD;
    return Atomics.compareExchange(this.#words, at, from, this.#holdOf(state)) === from;
  }

  #setBits(word: number, id: number): void {
    Atomics.or(this.#words, word, rightsOf(id));
  }

  #clearBits(word: number, id: number): void {
    Atomics.and(this.#words, word, ~rightsOf(id));
  }

  #word(id: number, word: number): number {
    return this.#words[FIRST_KEY + id * KEY_WORDS + word]!;
  }
}

function allIds(): number[] {
  return Array.from({ length: MAX_KEYS }, (_, i) => i + 1);
}
