/**
 * A shard's lock. The word holds its owner, so that whoever waits too long can ask whether the owner still lives.
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
import type { Me } from '../threads/threads.js';
import { rebuild } from './rebuild.js';
import type { Shard } from './shard.js';
import { LOCK } from './words.js';
import { THREAD_MASK } from './holders.js';

const WAITED = 0x4000_0000;

/** How long a waiter sleeps before it asks after the owner: at first, and at most. */
const FIRST_PATIENCE_MS = 1;
const MOST_PATIENCE_MS = 32;

/** Takes the lock. Whoever takes it from a thread that has ended finds the shard rebuilt. */
export function lock(shard: Shard, me: Me): void {
  if (Atomics.compareExchange(shard.control, LOCK, 0, me.self) !== 0) lockSlowly(shard, me);
}

/** Gives the lock back, and wakes somebody only if somebody may be waiting. */
export function unlock({ control }: Shard): void {
  if ((Atomics.exchange(control, LOCK, 0) & WAITED) !== 0) Atomics.notify(control, LOCK, 1);
}

function lockSlowly(shard: Shard, me: Me): void {
  const { control } = shard;
  const { self, spins } = me;
  for (let spin = 0; spin < spins; spin++) {
    if (Atomics.load(control, LOCK) === 0 && Atomics.compareExchange(control, LOCK, 0, self) === 0) return;
  }
  let patienceMs = FIRST_PATIENCE_MS;
  for (;;) {
    const word = Atomics.load(control, LOCK);
    if (word === 0) {
      // Others may sleep on, and the word no longer says so: with the bit set, letting go wakes the next.
      if (Atomics.compareExchange(control, LOCK, 0, self | WAITED) === 0) return;
      continue;
    }
    const owner = word & THREAD_MASK;
    // An own lock is what a call left that was broken off, by a stack that was too small to rebuild the shard.
    if (owner === self) {
      if (takeOver(shard, word, self)) return;
      continue;
    }
    const waited = word | WAITED;
    if (word !== waited && Atomics.compareExchange(control, LOCK, word, waited) !== word) continue;
    if (sleep(control, waited, patienceMs) !== 'timed-out') continue;
    if (!me.isAlive(owner) && takeOver(shard, waited, self)) return;
    patienceMs = Math.min(2 * patienceMs, MOST_PATIENCE_MS);
  }
}

/** Takes the lock from an owner that is gone. Of all that try, the exchange lets exactly one through. */
function takeOver(shard: Shard, word: number, self: number): boolean {
  if (Atomics.compareExchange(shard.control, LOCK, word, self | WAITED) !== word) return false;
  rebuild(shard);
  return true;
}

/** Sleeps while the lock's word stays the same. Threads that must not block, as a browser's first one, look on instead. */
function sleep(control: Int32Array, word: number, ms: number): 'ok' | 'not-equal' | 'timed-out' {
  try {
    return Atomics.wait(control, LOCK, word, ms);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const end = Date.now() + ms;
    while (Atomics.load(control, LOCK) === word) if (Date.now() >= end) return 'timed-out';
    return 'not-equal';
  }
}
