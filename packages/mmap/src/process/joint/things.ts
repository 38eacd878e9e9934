/** What several threads hold, as the one that runs sees it: makes things, attaches to them by a token, and lets go. */
import { randomBytes } from 'node:crypto';

import { attachedTooOften, tooManyJoint } from '../../errors.js';
import {
  JOINT_BYTES,
  JOINT_HEAD_BYTES,
  JOINT_MAPPINGS_OFFSET,
  JOINT_OFFSET,
  JOINT_USED_WORD,
  MAX_JOINT,
  MAX_THREADS,
} from '../layout.js';
import type { Kind } from '../ledger.js';
import {
  attach,
  claim,
  detach,
  FREE,
  HOW_MUCH,
  keep,
  KEPT,
  KIND,
  MAX_COUNT,
  publish,
  settle,
  STATE,
  TOKEN,
  WHAT,
  type GiveBack,
  type JointEntry,
  type Who,
} from './steps.js';

/** Where a thing is found: plain data. The token is drawn at random, so that what is stale or made up is found to be so. */
export interface JointPlace {
  readonly entry: number;
  readonly token: number;
}

/** All entries of the process. */
export class JointEntries implements Iterable<JointEntry> {
  readonly #area: ArrayBuffer;
  /** All of the area. */
  readonly #words: Int32Array;
  /** How many were ever in use. */
  readonly #used: Int32Array;

  constructor(area: ArrayBuffer) {
    this.#area = area;
    this.#words = new Int32Array(area);
    this.#used = new Int32Array(area, JOINT_USED_WORD * Int32Array.BYTES_PER_ELEMENT, 1);
  }

  at(index: number): JointEntry {
    const start = JOINT_OFFSET + index * JOINT_BYTES;
    return {
      state: new Int32Array(this.#area, start, 2),
      values: new Float64Array(this.#area, start, 5),
      mappings: new Int32Array(this.#area, start + JOINT_MAPPINGS_OFFSET, 1),
      counts: new Uint8Array(this.#area, start + JOINT_HEAD_BYTES, MAX_THREADS),
    };
  }

  /** Mappings that pools have made in what several threads hold. */
  get mappings(): number {
    let sum = 0;
    for (let index = 0, { numUsed } = this; index < numUsed; index++) {
      const at = JOINT_OFFSET + index * JOINT_BYTES + JOINT_MAPPINGS_OFFSET;
      sum += Atomics.load(this.#words, at / Int32Array.BYTES_PER_ELEMENT);
    }
    return sum;
  }

  get numUsed(): number {
    return Math.min(Atomics.load(this.#used, 0), MAX_JOINT);
  }

  /** Before anything is in the entry: whoever looks after the dead goes no further. */
  noteUsed(index: number): void {
    for (let used = this.numUsed; used <= index; used = this.numUsed) {
      Atomics.compareExchange(this.#used, 0, used, index + 1);
    }
  }

  *[Symbol.iterator](): Iterator<JointEntry> {
    for (let index = 0; index < this.numUsed; index++) yield this.at(index);
  }
}

/** One attachment of the calling thread. */
export class JointHold {
  readonly place: JointPlace;
  readonly what: number;
  readonly howMuch: number;
  readonly #entry: JointEntry;
  readonly #who: Who;
  readonly #giveBack: GiveBack;
  #isCounted = true;

  constructor(entry: JointEntry, index: number, who: Who, giveBack: GiveBack) {
    this.#entry = entry;
    this.#who = who;
    this.#giveBack = giveBack;
    this.place = { entry: index, token: entry.values[TOKEN]! };
    this.what = entry.values[WHAT]!;
    this.howMuch = entry.values[HOW_MUCH]!;
  }

  /** Has the thing stay until the process ends, whoever lets go of it; or no more. */
  keepForGood(isKept = true): void {
    if (this.#isCounted) keep(this.#entry, isKept);
  }

  /** Counts mappings that a pool makes in it, or, with a negative number, gives up. */
  countMappings(mappings: number): void {
    if (this.#isCounted) Atomics.add(this.#entry.mappings, 0, mappings);
  }

  /** Lets go; the last one gives the thing back. If that is refused, it can be tried again. @throws `SystemError` */
  leave(): void {
    if (this.#isCounted) {
      this.#isCounted = false;
      detach(this.#entry, this.#who.index);
    }
    settle(this.#entry, this.#who.thread, this.#giveBack);
  }
}

/** What the calling thread does with the process's entries. */
export class JointThings {
  readonly #entries: JointEntries;
  readonly #who: Who;
  readonly #giveBack: GiveBack;

  constructor(entries: JointEntries, who: Who, giveBack: GiveBack) {
    this.#entries = entries;
    this.#who = who;
    this.#giveBack = giveBack;
  }

  /**
   * Makes a thing, with the calling thread attached.
   *
   * @param take - gets the thing, and puts it into `values[WHAT]` by the very next statement
   * @throws `Error` `ERR_MMAP_TOO_MANY_SHARED`; what `take` throws
   */
  make(kind: Kind, howMuch: number, take: (values: Float64Array) => void): JointHold {
    const index = this.#claim();
    const entry = this.#entries.at(index);
    const { state, values } = entry;
    const hold = (): JointHold => new JointHold(entry, index, this.#who, this.#giveBack);
    try {
      values[TOKEN] = randomBytes(6).readUIntBE(0, 6) + 1;
      values[HOW_MUCH] = howMuch;
      state[KIND] = kind;
      take(values);
      const made = hold();
      publish(entry);
      return made;
    } catch (error) {
      hold().leave();
      throw error;
    }
  }

  /** Attaches the calling thread to a thing; `undefined` if it is not there. @throws `Error` `ERR_MMAP_TOO_MANY_SHARED` */
  attach({ entry: index, token }: JointPlace, kind: Kind): JointHold | undefined {
    if (!(Number.isInteger(index) && index >= 0 && index < this.#entries.numUsed)) return undefined;
    const entry = this.#entries.at(index);
    const { index: own } = this.#who;
    if (Atomics.load(entry.counts, own) >= MAX_COUNT) throw attachedTooOften(MAX_COUNT);
    const isThere = attach(entry, own);
    const hold = new JointHold(entry, index, this.#who, this.#giveBack);
    if (isThere && hold.place.token === token && entry.state[KIND] === kind) return hold;
    hold.leave();
    return undefined;
  }

  /** Whether threads hold the thing, or one of them is about to give it back. */
  isHeld({ entry: index, token }: JointPlace): boolean {
    if (!(index >= 0 && index < this.#entries.numUsed)) return false;
    const { state, values } = this.#entries.at(index);
    const word = Atomics.load(state, STATE);
    return word !== FREE && word !== KEPT && values[TOKEN] === token;
  }

  #claim(): number {
    for (let index = 0; index < MAX_JOINT; index++) {
      this.#entries.noteUsed(index);
      if (claim(this.#entries.at(index), this.#who)) return index;
    }
    throw tooManyJoint(MAX_JOINT);
  }
}
