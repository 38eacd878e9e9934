/** Calls that are broken off with a shard's lock in hand, at every access to the shard's state, as by a stack that is too small. */
import { describe, expect, it } from 'vitest';

import { handOver } from '../../src/shared/hand-over.js';
import { isHeldBy, UNKNOWN } from '../../src/shared/holders.js';
import {
  checkShard,
  countIn,
  freeTo,
  purgeFrom,
  reclaimFrom,
  takeFrom,
  takeOldestFrom,
} from '../../src/shared/sections.js';
import { placeShards } from '../../src/shared/shape.js';
import { openShard, stampShard, type Shard } from '../../src/shared/shard.js';
import { LOCK } from '../../src/shared/words.js';
import { INDEX_AND_HIGH, RECORD_WORDS } from '../../src/state.js';

const ME = {
  self: 1,
  isAlive: (thread: number) => thread !== 9,
  spins: 0,
  locks: { waits: 0, takeovers: 0 },
};
const CAPACITY = 8;

/** Slots 0 and 1 held by thread 1, 2 by a dead one, 3 warm for nobody, 4 for a key, 5 handed over and not announced, 6 and 7 cold. */
function someShard(): Shard {
  const [place] = placeShards(CAPACITY, 2, 1);
  const shard = openShard(new SharedArrayBuffer(4 * place!.end), place!);
  stampShard(shard);
  for (const [slot, thread] of [1, 1, 9, 1, 1, 9].entries()) {
    takeFrom(shard, { ...ME, self: thread }, slot === 3 ? 0 : 5, 0);
  }
  freeTo(shard, ME, 3, 30, 0);
  freeTo(shard, ME, 4, 40, 0);
  handOver(shard, 5, 9, 50, 0);
  return shard;
}

class BrokenOff extends Error {}

/** The same shard, of which accesses throw: one, or all from that one on. */
function breaking(shard: Shard, from: number, numBroken: number): Shard {
  let numAccesses = 0;
  const count = (): void => {
    numAccesses++;
    if (numAccesses >= from && numAccesses < from + numBroken) throw new BrokenOff();
  };
  const words = new Proxy(shard.words, {
    get(target, name) {
      count();
      return Reflect.get(target, name) as unknown;
    },
    set(target, name, value) {
      // The last write of who takes a slot: no stack ends between it and the one before.
      const isLast = Number(name) % RECORD_WORDS === INDEX_AND_HIGH && target[Number(name) - 1]! < 0;
      if (!isLast) count();
      return Reflect.set(target, name, value);
    },
  });
  return { ...shard, words };
}

/** The same for its lock and hand-overs: one access throws. */
function breakingControl(shard: Shard, at: number): Shard {
  let numAccesses = 0;
  return {
    ...shard,
    get control() {
      if (++numAccesses === at) throw new BrokenOff();
      return shard.control;
    },
  };
}

const CALLS: readonly (readonly [string, (shard: Shard) => unknown])[] = [
  ['takes a warm slot of the key', (shard) => takeFrom(shard, ME, 5, 0)],
  ['takes a slot for another key', (shard) => takeFrom(shard, ME, 6, 3)],
  ['takes a warm slot for nobody', (shard) => takeOldestFrom(shard, ME)],
  ['takes a slot of the key for nobody', (shard) => purgeFrom(shard, ME, 5, 0)],
  ['frees', (shard) => freeTo(shard, ME, 0, 7, 0)],
  ['counts', (shard) => countIn(shard, ME)],
];

/** Breaks the call off at each access in turn; returns the shards as they were left. */
function breakEverywhere(
  call: (shard: Shard) => unknown,
  breakAt: (shard: Shard, from: number) => Shard,
): Shard[] {
  const left: Shard[] = [];
  for (let from = 1; from < 1000; from++) {
    const shard = someShard();
    try {
      call(breakAt(shard, from));
      return left;
    } catch (error) {
      if (!(error instanceof BrokenOff)) throw error;
      left.push(shard);
    }
  }
  throw new Error('The call has no end');
}

function expectRight(shard: Shard): void {
  checkShard(shard, ME);
  // Of what it took the caller was not told; what it was to free, it has or has not.
  for (const [slot, holder] of shard.holders.entries()) {
    if (slot === 1) expect(holder).toBe(1);
    else if (slot !== 0) expect(isHeldBy(holder, 1)).toBe(false);
  }
  const numHeld = shard.holders.filter((holder) => holder > 0 && holder !== UNKNOWN).length;
  expect(countIn(shard, ME).used).toBe(numHeld + shard.holders.filter((holder) => holder < 0).length);
  reclaimFrom(shard, ME, 9);
  const taken = new Set<number>();
  for (let slot = takeFrom(shard, ME, 0, 0); slot !== -1; slot = takeFrom(shard, ME, 0, 0)) taken.add(slot);
  expect(taken.size).toBe(isHeldBy(shard.holders[0]!, 1) && !taken.has(0) ? CAPACITY - 2 : CAPACITY - 1);
}

it('a slot that is handed over at this very moment is no mistake', () => {
  const shard = someShard();
  expect(shard.holders[5]).toBeLessThan(0);
  checkShard(shard, ME);
  expect(shard.holders[5]).toBeLessThan(0);
});

describe.each(CALLS)('a call that %s and is broken off', (_, call) => {
  it('leaves a shard that is right, and its lock free', () => {
    const left = breakEverywhere(call, (shard, from) => breaking(shard, from, 1));
    expect(left.length).toBeGreaterThan(2);
    for (const shard of left) {
      expect(shard.control[LOCK]).toBe(0);
      expectRight(shard);
    }
  });

  it('while it takes the lock, or lets go of it, likewise', () => {
    const left = breakEverywhere(call, breakingControl);
    expect(left.length).toBeGreaterThan(1);
    for (const shard of left) expectRight(shard);
  });

  it('leaves its lock to its next call, where nothing can be done any more', () => {
    const left = breakEverywhere(call, (shard, from) => breaking(shard, from, Infinity));
    for (const shard of left) {
      expectRight(shard);
    }
    expect(left.length).toBeGreaterThan(2);
  });
});
