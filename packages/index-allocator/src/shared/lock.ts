/** A shard's lock. Whoever takes it from a thread that has ended finds the shard rebuilt. */
import { lockSlowly, unlockWord } from '@guardstripe/common';
import type { Me } from '../threads/threads.js';
import { rebuild } from './rebuild.js';
import type { Shard } from './shard.js';
import { LOCK } from './words.js';

/** Takes the lock. */
export function lock(shard: Shard, me: Me): void {
  if (Atomics.compareExchange(shard.control, LOCK, 0, me.self) !== 0) lockTaken(shard, me);
}

/** Apart: a function that is made in here costs all calls the place for what it sees. */
function lockTaken(shard: Shard, me: Me): void {
  const { locks } = me;
  locks.waits++;
  lockSlowly(shard.control, LOCK, me, () => {
    locks.takeovers++;
    rebuild(shard);
  });
}

/** Gives the lock back. */
export function unlock({ control }: Shard): void {
  unlockWord(control, LOCK);
}
