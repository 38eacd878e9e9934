/**
 * Something of the process's that several of its threads hold, a mapping or a descriptor: whoever lets go last gives it back,
 * wherever the others ended.
 *
 *     int32 0    state: 0 free; -1 there; -2 there for good, and nobody's; else the thread that makes it, or gives it back
 *           1    kind, as in ledger.ts
 *     float64 1  token: drawn anew for each thing, so that nobody takes it for the one that was in the entry before
 *             2  what: address, or descriptor plus one; 0 for nothing
 *             3  how much: bytes
 *             4  not 0 if it is never to be given back
 *     int32 12   mappings that pools have made in it: they go with it
 *     byte 64…   by thread record, how often that thread is attached; written by this thread alone, until it is gone
 *
 * Two words decide. A thread attaches by raising its count, *then* looking whether the thing is there. Who gives it back puts itself
 * into the state, *then* looks whether anybody is attached. So of the two at least one sees the other: whoever attaches too late
 * withdraws, and whoever would give back too early leaves it.
 *
 * What lies between a system call and the statement that notes its outcome is never cut off (see ledger.ts): so `what` says at every
 * instruction whether there is something to give back, and whoever follows a dead thread does what that one had left to do.
 */

/** Nothing is here. */
export const FREE = 0;
/** The thing is there, for all that are attached. Any other value is a thread at work. */
export const THERE = -1;
/** All have let go, and it stays: somebody unknown may reach it. */
export const KEPT = -2;

/** Where in {@link JointEntry.state}. */
export const STATE = 0;
export const KIND = 1;
/** Where in {@link JointEntry.values}. */
export const TOKEN = 1;
export const WHAT = 2;
export const HOW_MUCH = 3;
export const STAYS = 4;

/** Attachments of one thread to one thing that can be counted. */
export const MAX_COUNT = 255;

/** Views of one entry. */
export interface JointEntry {
  /** State and kind. */
  readonly state: Int32Array;
  readonly values: Float64Array;
  /** One word. */
  readonly mappings: Int32Array;
  /** By thread record. */
  readonly counts: Uint8Array;
}

/** Who does a step: the thread's id, and the number of its record. */
export interface Who {
  readonly thread: number;
  readonly index: number;
}

/** Gives back what is in an entry, and clears `what` by the very next statement. Throws, with nothing changed, if refused. */
export type GiveBack = (entry: JointEntry) => void;

/** Takes a free entry, to make something in it; `false` if it is not free. The thread is attached already. */
export function claim({ state, counts }: JointEntry, { thread, index }: Who): boolean {
  if (Atomics.compareExchange(state, STATE, FREE, thread) !== FREE) return false;
  Atomics.add(counts, index, 1);
  return true;
}

/** What was made is there from now on. */
export function publish({ state }: JointEntry): void {
  Atomics.store(state, STATE, THERE);
}

/** Attaches the thread; `false` if nothing is there. Then too the thread is to {@link detach}. */
export function attach({ state, counts }: JointEntry, index: number): boolean {
  Atomics.add(counts, index, 1);
  return Atomics.load(state, STATE) === THERE;
}

/** One attachment less. To be followed by {@link settle}. */
export function detach({ counts }: JointEntry, index: number): void {
  Atomics.add(counts, index, -1);
}

/** Has the thing stay for good, or no more. The thread is attached: so nobody gives it back meanwhile, and who would later has seen this. */
export function keep({ values }: JointEntry, isKept: boolean): void {
  values[STAYS] = isKept ? 1 : 0;
}

/**
 * Gives back what nobody is attached to. For whoever has just let go; again, if a refusal or too small a stack broke it off: the
 * entry then still names the thread.
 */
export function settle(entry: JointEntry, thread: number, giveBack: GiveBack): void {
  const { state, values, mappings } = entry;
  for (;;) {
    const word = Atomics.load(state, STATE);
    if (word === THERE) {
      if (isAttached(entry)) return;
      // If it fails, another one is at it, and looks again after each time it has left the thing where it is.
      if (Atomics.compareExchange(state, STATE, THERE, thread) !== THERE) return;
    } else if (word !== thread) return;
    // Whoever is attached to nothing, behind a call that was cut off, has not seen it yet.
    if (values[WHAT] === 0 || !isAttached(entry)) break;
    Atomics.store(state, STATE, THERE);
  }
  if (values[STAYS] !== 0) {
    Atomics.store(state, STATE, KEPT);
    return;
  }
  if (values[WHAT] !== 0) giveBack(entry);
  Atomics.store(mappings, 0, 0);
  Atomics.store(state, STATE, FREE);
}

/**
 * Does for a thread that is gone what that one had left to do, in its name: so if this is cut off, whoever does it next goes on.
 * Called by one thread at a time for each that is gone.
 */
export function bury(entry: JointEntry, dead: Who, giveBack: GiveBack): void {
  Atomics.store(entry.counts, dead.index, 0);
  // Also where it had let go: it may have ended before it looked whether it was the last.
  settle(entry, dead.thread, giveBack);
}

/** Whether any thread is attached, or is about to find that it cannot. */
export function isAttached({ counts }: JointEntry): boolean {
  for (let index = 0, { length } = counts; index < length; index++) {
    if (Atomics.load(counts, index) !== 0) return true;
  }
  return false;
}
