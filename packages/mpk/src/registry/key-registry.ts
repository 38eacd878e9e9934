/**
 * Which keys the process has, whose they are, and which rights that makes: one set of words, seen by all threads and all copies
 * of the package.
 *
 *     word 0  rights bits of the keys that leases hold: what a mask may open
 *          1  rights bits of all keys that we have, the withheld ones too: what a mask may change
 *          2  how often a key was given back
 *     word 16 + 8k, for key k: hold (owner and state), generation, freed generation, releases when it was taken, and of the map that
 *             threads hold jointly and that has the key: entry, and the two halves of its token
 *
 *     FREE ──take──▶ HELD ──▶ RETURNING ──pkey_free──▶ FREE
 *                     │           ▲
 *                     └▶ WITHHELD ┘ nobody's, and not given back while pages carry it, or may
 *
 * The owner is the thread that took the key; or, once that has handed it over, a map that threads hold jointly: then the key is held
 * until the last of them has let go of the map, however each of them ended.
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
const MAP_ENTRY = 4;
const MAP_TOKEN = 5;
/** Owners below this are maps, by a number drawn from their token, so that a hold hardly ever looks like the one before; 0 is nobody. */
const FIRST_THREAD = 1 << 11;

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

/** Where a map is found that threads hold jointly. */
export interface MapPlace {
  readonly entry: number;
  readonly token: number;
}

/** What the registry asks of the process. */
export interface KeyProcess {
  /** `keyWords` of the process's state. */
  readonly words: Int32Array;
  /** The calling thread. */
  readonly thread: number;
  /** Whether the thread has ended. */
  isGone(thread: number): boolean;
  /** Whether a thread still holds the map. */
  isHeldJointly(map: MapPlace): boolean;
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

  /** Makes a key that this thread holds that of a map. */
  handOver(key: Taken, { entry, token }: MapPlace): void {
    const at = FIRST_KEY + key.id * KEY_WORDS;
    // Before the hold says that they are so.
    this.#words[at + MAP_ENTRY] = entry;
    this.#words[at + MAP_TOKEN] = token | 0;
    this.#words[at + MAP_TOKEN + 1] = Math.floor(token / 2 ** 32);
    Atomics.compareExchange(this.#words, at + HOLD, this.#holdOf(HELD), mapHold(token));
  }

  /** Whether a key is held, and is that map's. */
  isOf(key: Taken, map: MapPlace): boolean {
    if (!(this.isHeld(key) && this.#word(key.id, HOLD) === mapHold(map.token))) return false;
    const { entry, token } = this.#mapOf(key.id);
    return entry === map.entry && token === map.token;
  }

  /** Opens the calling thread's way to keys, or closes it. */
  setOpen(keys: readonly Taken[], isOpen: boolean): void {
    const bits = keys.reduce((sum, { id }) => sum | rightsOf(id), 0) >>> 0;
    if (isOpen) this.#system.open(bits);
    else this.#system.close(bits);
  }

  /** Closes a held key that no page carries for the calling thread, and gives it back. */
  giveBack(key: Taken): void {
    if (this.#change(key.id, this.#holdOf(HELD), RETURNING)) this.#return(key.id);
  }

  /** Takes a held key from its lease: it stays ours, closed by every mask, until no page carries it. */
  withhold({ id }: Taken): void {
    if (this.#change(id, this.#holdOf(HELD), WITHHELD)) this.#withheld(id);
  }

  /** Gives back what dead threads, maps that are gone and lost leases had, if no page carries it; withholds the rest. */
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

  /** What a thread or a map holds that is gone is nobody's; what a thread was returning, it may have returned. */
  #takeOver(id: number): void {
    const hold = this.#word(id, HOLD);
    const state = hold & STATE_MASK;
    if (state !== HELD && state !== RETURNING) return;
    const owner = hold >>> 2;
    const isHeld =
      owner < FIRST_THREAD ? this.#process.isHeldJointly(this.#mapOf(id)) : !this.#process.isGone(owner);
    if (isHeld) return;
    if (state === RETURNING && this.#word(id, FREED) === this.#word(id, GENERATION)) {
      Atomics.compareExchange(this.#words, FIRST_KEY + id * KEY_WORDS + HOLD, hold, 0);
    } else if (this.#change(id, hold, WITHHELD)) this.#withheld(id);
  }

  #mapOf(id: number): MapPlace {
    const high = this.#word(id, MAP_TOKEN + 1);
    return { entry: this.#word(id, MAP_ENTRY), token: high * 2 ** 32 + (this.#word(id, MAP_TOKEN) >>> 0) };
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

/** What the hold of a key says that is a map's. */
function mapHold(token: number): number {
  return ((1 + (token % (FIRST_THREAD - 1))) << 2) | HELD;
}

function allIds(): number[] {
  return Array.from({ length: MAX_KEYS }, (_, i) => i + 1);
}
