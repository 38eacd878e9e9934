/**
 * What a worker thread has of the process: mappings and descriptors. They outlive the thread unless somebody gives them back, so
 * each is written down where others can read it: in pages of the thread's own, which only it writes until it is dead.
 *
 *     float64 0   end of the entries that were ever used
 *     float64 1   first entry of the free list, 0 for none
 *     float64 3   the entry that is never looked at: for what does not fit
 *     float64 6…  entries of three: kind, what, how much
 *
 * A worker that is terminated stops at a call or a loop of JavaScript, never between two plain statements. So an entry is claimed
 * before the system call and filled in by the statement behind it, and emptied by the statement behind the call that gives
 * back. Wherever the thread ends, its ledger says what is so.
 */

/** Virtual; only what is written takes memory. More entries than a process may have mappings by default. */
export const LEDGER_BYTES = 2 << 20;

/** Nothing, or the next of the free list in {@link WHAT}. */
const KIND_FREE = 0;
/** A mapping: its address, 0 for not yet or no more, and its bytes. */
export const KIND_MAPPING = 1;
/** A descriptor, plus one: 0 for not yet or no more. */
export const KIND_DESCRIPTOR = 2;
/** One of the kinds. */
export type Kind = typeof KIND_MAPPING | typeof KIND_DESCRIPTOR;

/** Where in an entry. */
export const WHAT = 1;
export const HOW_MUCH = 2;

/** The entry that nobody looks at. */
export const NOWHERE = 3;
const END = 0;
const FREE = 1;
const FIRST_ENTRY = 6;
const ENTRY_LENGTH = 3;

/** A thread's ledger. Its values are written from outside, for a call would be a place to die at. */
export class Ledger {
  readonly values: Float64Array;

  constructor(pages: ArrayBuffer) {
    this.values = new Float64Array(pages);
  }

  /** An entry to fill in. Where all are taken, one that nobody looks at: what it is for is lost with the thread. */
  claim(kind: Kind, howMuch = 0): number {
    const { values } = this;
    let entry = values[FREE]!;
    if (entry === 0) {
      entry = Math.max(values[END]!, FIRST_ENTRY);
      if (entry + ENTRY_LENGTH > values.length) return NOWHERE;
      values[END] = entry + ENTRY_LENGTH;
    } else values[FREE] = values[entry + WHAT]!;
    values[entry + WHAT] = 0;
    values[entry + HOW_MUCH] = howMuch;
    values[entry] = kind;
    return entry;
  }

  /** Lets others have an entry. */
  release(entry: number): void {
    if (entry === NOWHERE) return;
    const { values } = this;
    values[entry] = KIND_FREE;
    values[entry + WHAT] = values[FREE]!;
    values[FREE] = entry;
  }

  /** Visits what is written down, and strikes out each of which `giveBack` says that it is gone. */
  settle(giveBack: (kind: number, what: number, howMuch: number) => boolean): boolean {
    const { values } = this;
    const end = Math.min(values[END]!, values.length);
    let settled = true;
    for (let entry = FIRST_ENTRY; entry + ENTRY_LENGTH <= end; entry += ENTRY_LENGTH) {
      const kind = values[entry]!;
      const what = values[entry + WHAT]!;
      if (kind === KIND_FREE || what === 0) continue;
      if (giveBack(kind, what, values[entry + HOW_MUCH]!)) values[entry] = KIND_FREE;
      else settled = false;
    }
    return settled;
  }
}
