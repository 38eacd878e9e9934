/** Mistakes that one could make, put in on purpose: trying every order finds each of them. */
import { afterEach, describe, expect, it, vi } from 'vitest';

import { popOldestAffine } from '../../src/lists.js';
import { recordOf, slotAt } from '../../src/records.js';
import type * as HandOver from '../../src/shared/hand-over.js';
import { THREAD_MASK, UNKNOWN } from '../../src/shared/holders.js';
import type * as Line from '../../src/shared/line.js';
import type * as Lock from '../../src/shared/lock.js';
import type * as Rebuild from '../../src/shared/rebuild.js';
import { seatAt } from '../../src/shared/shape.js';
import type * as SlotChanges from '../../src/shared/slot-changes.js';
import { LOCK, SEAT_TICKET } from '../../src/shared/words.js';
import { leaveWarm, markUsed } from '../../src/slot-states.js';
import {
  BYTES_LOW,
  NEWER,
  OLDER,
  RING,
  TAG,
  TAG_MASK,
  TOUCHED_SLOTS,
  UNUSED_LOW,
  WARM_SLOTS,
} from '../../src/state.js';
import { SCENARIOS } from '../support/exploring/scenarios.js';
import { Violation } from '@guardstripe/test-support/exploring';
import { loadSteps } from '../support/exploring/steps.js';

const SMALLEST_FIRST = SCENARIOS.toSorted((one, other) => one.leastStates - other.leastStates);

/** Replaces functions of one module by wrong ones. */
async function expectFound<M extends object>(path: string, wrong: (right: M) => Partial<M>): Promise<void> {
  vi.resetModules();
  vi.doMock(path, async (importOriginal) => {
    const right = await importOriginal<M>();
    return { ...right, ...wrong(right) };
  });
  const steps = await loadSteps();
  const found: string[] = [];
  for (const { name, run } of SMALLEST_FIRST) {
    try {
      run(steps);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      found.push(`${name}: ${error.message}`);
    } finally {
      vi.unstubAllGlobals();
    }
    if (found.length > 0) break;
  }
  vi.doUnmock(path);
  expect(found).not.toEqual([]);
}

afterEach(() => {
  vi.resetModules();
});

const LOCK_PATH = '../../src/shared/lock.js';
const CHANGES_PATH = '../../src/shared/slot-changes.js';
const HAND_OVER_PATH = '../../src/shared/hand-over.js';
const LINE_PATH = '../../src/shared/line.js';

describe('is found:', () => {
  it('a holder that is noted after the slot was taken from another key', () =>
    expectFound<typeof SlotChanges>(CHANGES_PATH, (right) => ({
      takeAny(shard, thread, tag, memoryIndex) {
        const { words } = shard;
        const at = words[RING + NEWER]!;
        if (at === RING) return right.takeAny(shard, thread, tag, memoryIndex);
        popOldestAffine(words, at, shard.shift);
        leaveWarm(words, at);
        markUsed(words, at, tag, memoryIndex);
        shard.holders[slotAt(at)] = thread | (shard.holders[slotAt(at)]! & UNKNOWN);
        return slotAt(at);
      },
    })));

  it('a cold slot whose holder is noted after its record', () =>
    expectFound<typeof SlotChanges>(CHANGES_PATH, (right) => ({
      takeAny(shard, thread, tag, memoryIndex) {
        const { words, holders } = shard;
        const slot = words[TOUCHED_SLOTS]!;
        if (slot >= shard.capacity) return right.takeAny(shard, thread, tag, memoryIndex);
        words[TOUCHED_SLOTS] = slot + 1;
        markUsed(words, recordOf(slot), tag, memoryIndex);
        holders[slot] = thread;
        return slot;
      },
    })));

  it('a record that is written after the slot was said to be free', () =>
    expectFound<typeof SlotChanges>(CHANGES_PATH, (right) => ({
      giveBack(shard, slot, low, high) {
        shard.holders[slot] = 0;
        right.giveBack(shard, slot, low, high);
      },
    })));

  it('a call to whoever waits for the lock that is forgotten', () =>
    expectFound<typeof Lock>(LOCK_PATH, () => ({
      unlock: ({ control }) => void Atomics.store(control, LOCK, 0),
    })));

  it('a lock that two take over', () =>
    expectFound<typeof Lock>(LOCK_PATH, (right) => ({
      lock(shard, me) {
        const { control } = shard;
        const word = Atomics.load(control, LOCK);
        if (word !== 0 && !me.isAlive(word & THREAD_MASK)) {
          // Looked at, and then simply written.
          Atomics.store(control, LOCK, me.self);
          return;
        }
        right.lock(shard, me);
      },
    })));

  it('a lock that is taken over without rebuilding', () =>
    expectFound<typeof Rebuild>('../../src/shared/rebuild.js', () => ({ rebuild: () => undefined })));

  it('lists that are rebuilt from records that say less than the holders', () =>
    expectFound<typeof Rebuild>('../../src/shared/rebuild.js', () => ({
      rebuild(shard) {
        const { words, capacity } = shard;
        words[RING + OLDER] = RING;
        words[RING + NEWER] = RING;
        words[WARM_SLOTS] = 0;
        words[UNUSED_LOW] = 0;
        for (let bucket = 0; bucket < capacity; bucket++) words[(bucket << 3) + 7] = 0;
        for (let slot = 0; slot < words[TOUCHED_SLOTS]!; slot++) {
          if (words[recordOf(slot) + TAG]! < 0) continue;
          enlistByRecord(shard, slot);
        }
      },
    })));

  it('a hand-over that is announced before it is done', () =>
    expectFound<typeof HandOver>(HAND_OVER_PATH, (right) => ({
      handOver(shard, slot, thread, low, high) {
        right.announce(shard, slot >>> 5, 1 << (slot & 31));
        return right.handOver(shard, slot, thread, low, high);
      },
      announce: () => undefined,
    })));

  it('a slot that is handed over before its record is written', () =>
    expectFound<typeof HandOver>(HAND_OVER_PATH, (right) => ({
      handOver(shard, slot, thread, low, high) {
        const before = shard.words[recordOf(slot) + BYTES_LOW]!;
        const isDone = right.handOver(shard, slot, thread, before, high);
        shard.words[recordOf(slot) + BYTES_LOW] = low;
        return isDone;
      },
    })));

  it('a waiter that is not called when the one before it leaves', () =>
    expectFound<typeof Line>(LINE_PATH, () => ({
      moveOn: (head, seat, nextTicket) => void Atomics.store(head, seatAt(seat) + SEAT_TICKET, nextTicket),
    })));

  it('a waiter that tries before it stands in line', () =>
    expectFound<typeof Line>(LINE_PATH, (right) => ({
      standInLine: () => undefined,
      tryInTurn(head, seat, attempt) {
        const slot = attempt();
        if (slot === -1) right.standInLine(head, seat, right.drawTicket(head));
        return slot;
      },
    })));

  it('a line that is said to be empty by who has not looked', () =>
    expectFound<typeof Line>(LINE_PATH, (right) => ({
      moveOn(head, seat, nextTicket) {
        right.moveOn(head, seat, nextTicket);
        Atomics.store(head, 16, 0);
      },
    })));
});

function enlistByRecord(shard: Parameters<typeof SlotChanges.enlist>[0], slot: number): void {
  const { words } = shard;
  const at = recordOf(slot);
  words[at + OLDER] = words[RING + OLDER]!;
  words[at + NEWER] = RING;
  words[words[RING + OLDER]! + NEWER] = at;
  words[RING + OLDER] = at;
  words[at + TAG] = words[at + TAG]! & TAG_MASK;
  words[WARM_SLOTS] = words[WARM_SLOTS]! + 1;
}
