/** All shards as one thread goes through them: its home first, then the others in their order. */
import type { BatchItem } from '../batch.js';
import { SlotNotInUseError, SlotOfOtherThreadError } from '../errors.js';
import { announce, handOver } from './hand-over.js';
import { isHeld, THREAD_MASK } from './holders.js';
import type { SharedState } from './open-buffer.js';
import { buryDead } from './seats.js';
import { countIn, freeTo, takeFrom, type ShardCounts } from './sections.js';
import type { Shard } from './shard.js';
import type { Me } from '../threads/threads.js';
import { HOMES_GIVEN } from './words.js';

export class ShardSet {
  readonly #state: SharedState;
  readonly #me: Me;
  /** Where the thread looks first, and what it frees without handing it over. */
  readonly home: Shard;
  /** The home first. */
  readonly inOrder: readonly Shard[];

  constructor(state: SharedState, me: Me) {
    const { head, shards } = state;
    const home = (Atomics.add(head, HOMES_GIVEN, 1) >>> 0) % shards.length;
    this.#state = state;
    this.#me = me;
    this.home = shards[home]!;
    this.inOrder = [...shards.slice(home), ...shards.slice(0, home)];
  }

  /** Takes a slot of any shard, if need be one that a dead thread held; -1 if all are used. */
  take(tag: number, memoryIndex: number): number {
    const takeOne = (shard: Shard): number => takeFrom(shard, this.#me, tag, memoryIndex);
    const slot = this.first(takeOne);
    if (slot !== -1 || this.buryDead() === 0) return slot;
    return this.first(takeOne);
  }

  /** Asks the shards in their order, or only one of them, until one has a slot; -1 if none has. */
  first(take: (shard: Shard) => number, only?: number): number {
    for (const shard of only === undefined ? this.inOrder : [this.inOrder[only]!]) {
      const slot = take(shard);
      if (slot !== -1) return slot + shard.firstSlot;
    }
    return -1;
  }

  /** Gives back what the thread holds of a batch that was checked. */
  freeMany(batch: readonly BatchItem[]): void {
    const handed: number[] = [];
    for (const { slot, low, high } of batch) {
      const shard = this.of(slot);
      const local = slot - shard.firstSlot;
      const isAtHome = shard === this.home;
      const isFreed = isAtHome
        ? freeTo(shard, this.#me, local, low, high)
        : handOver(shard, local, this.#me.self, low, high);
      // Adopted by another thread since the check, against the rules: that slot is not ours to free.
      if (isFreed && !isAtHome) handed.push(slot);
    }
    this.#announce(handed.sort((one, other) => one - other));
  }

  /** Sets the bits of slots that were handed over, those of one word at once. */
  #announce(slots: readonly number[]): void {
    for (let index = 0; index < slots.length;) {
      const shard = this.of(slots[index]!);
      const word = (slots[index]! - shard.firstSlot) >>> 5;
      const end = shard.firstSlot + Math.min((word + 1) << 5, shard.capacity);
      let mask = 0;
      for (; index < slots.length && slots[index]! < end; index++) {
        mask |= 1 << ((slots[index]! - shard.firstSlot) & 31);
      }
      announce(shard, word, mask);
    }
  }

  /** Takes away what threads held that have ended; returns the number of slots. */
  buryDead(): number {
    return buryDead(this.#state.head, this.inOrder, this.#me);
  }

  /** A sum over all shards, each counted at another moment. */
  sum(part: (counts: ShardCounts) => number): number {
    return this.inOrder.reduce((sum, shard) => sum + part(countIn(shard, this.#me)), 0);
  }

  /** The shard of a slot. */
  of(slot: number): Shard {
    return this.#state.shards[Math.trunc(slot / this.#state.slotsEach)]!;
  }

  /** A slot's holder, see holders.ts. */
  holderOf(slot: number): number {
    const shard = this.of(slot);
    return Atomics.load(shard.holders, slot - shard.firstSlot);
  }

  /** The error for a slot that the thread does not hold. */
  notHeld(slot: number, field = 'slot'): SlotNotInUseError | SlotOfOtherThreadError {
    const holder = this.holderOf(slot);
    return isHeld(holder)
      ? new SlotOfOtherThreadError(slot, holder & THREAD_MASK, field)
      : new SlotNotInUseError(slot, field);
  }
}

/** What callers are told of a slot that may not be there. */
export function orUndefined(slot: number): number | undefined {
  return slot === -1 ? undefined : slot;
}
