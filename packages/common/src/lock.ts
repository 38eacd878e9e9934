/**
 * A lock between threads that may end anywhere. The word holds its owner, so that whoever waits too long can ask whether the owner
 * still lives; of those who find it dead, one takes the lock over, and first makes anew what it guards.
 *
 * ```
 *  0              free
 *  thread         taken
 *  thread│WAITED  taken, and somebody lies in wait: the owner wakes one when it lets go
 *  ```
 *
 * A waiter that ends leaves at most a `WAITED` behind, which costs one needless call. A waiter that ends after it was woken has
 * swallowed the call; no other sleeps longer than its patience, and then looks for itself. Nobody makes a system call with the
 * lock in hand.
 */

/** Who wants the lock, and who else may have it. */
export interface LockUser {
  /** A number of the calling thread, from 1 to 2^30 - 1, that no other thread has or had. */
  readonly self: number;
  /** How often a taken lock is looked at before the thread lies down. */
  readonly spins: number;
  /** Whether a thread may still run; `false` is final. */
  isAlive(thread: number): boolean;
}

/** The part of the word that names a thread. */
const OWNER_MASK = 0x3fff_ffff;
const WAITED = 0x4000_0000;

/** How long a waiter sleeps before it asks after the owner: at first, and at most. */
const FIRST_PATIENCE_MS = 1;
const MOST_PATIENCE_MS = 32;

/** Gives the lock back, and wakes somebody only if somebody may be waiting. */
export function unlockWord(words: Int32Array, at: number): void {
  if ((Atomics.exchange(words, at, 0) & WAITED) !== 0) wake(words, at);
}

/** Apart, so that the engine has less to put in line where nobody waits. */
function wake(words: Int32Array, at: number): void {
  Atomics.notify(words, at, 1);
}

/** Takes a lock that was found taken; one that a thread left which has ended, or a call of this one that was broken off, with `rebuild`. */
export function lockSlowly(words: Int32Array, at: number, user: LockUser, rebuild: () => void): void {
  const { self, spins } = user;
  for (let spin = 0; spin < spins; spin++) {
    if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, self) === 0) return;
  }
  let patienceMs = FIRST_PATIENCE_MS;
  for (;;) {
    const word = Atomics.load(words, at);
    if (word === 0) {
      // Others may sleep on, and the word no longer says so: with the bit set, letting go wakes the next.
      if (Atomics.compareExchange(words, at, 0, self | WAITED) === 0) return;
      continue;
    }
    const owner = word & OWNER_MASK;
    // An own lock is what a call left that was broken off, by a stack that was too small to go on.
    if (owner === self) {
      if (takeOver(words, at, word, self)) return rebuild();
      continue;
    }
    const waited = word | WAITED;
    if (word !== waited && Atomics.compareExchange(words, at, word, waited) !== word) continue;
    if (sleep(words, at, waited, patienceMs) !== 'timed-out') continue;
    if (!user.isAlive(owner) && takeOver(words, at, waited, self)) return rebuild();
    patienceMs = Math.min(2 * patienceMs, MOST_PATIENCE_MS);
  }
}

/** Takes the lock from an owner that is gone. Of all that try, the exchange lets exactly one through. */
function takeOver(words: Int32Array, at: number, word: number, self: number): boolean {
  return Atomics.compareExchange(words, at, word, self | WAITED) === word;
}

/** Sleeps while the lock's word stays the same. Threads that must not block, as a browser's first one, look on instead. */
function sleep(words: Int32Array, at: number, word: number, ms: number): 'ok' | 'not-equal' | 'timed-out' {
  try {
    return Atomics.wait(words, at, word, ms);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const end = Date.now() + ms;
    while (Atomics.load(words, at) === word) if (Date.now() >= end) return 'timed-out';
    return 'not-equal';
  }
}
