/** Which slots of a pool that threads share are free. */
import type { MemoryKey } from '@guardstripe/index-allocator';
import type { FreeSlots } from '../core/free-slots.js';
import { PoolCorruptedError } from '../errors.js';
import type { Lease } from '../core/tenancy.js';
import { NEXT_TURN } from '../core/waiting/waiters.js';
import type { Counters } from '../slots/counters.js';
import type { SlotRecords } from '../slots/records.js';
import { SharedLine, type SlotGate } from './line.js';
import type { SlotAllocator } from './stripe-allocator.js';

/** What is worked on. */
export interface SharedFreeSlotsParts {
  /** One a stripe. */
  readonly allocators: readonly SlotAllocator[];
  readonly records: SlotRecords;
  /** The calling one, as the allocator knows it. */
  readonly thread: number;
  /** A slot's bytes in RAM while it is free. Written by who frees it, before it does. */
  readonly resident: Float64Array;
  readonly counters: Pick<Counters, 'add' | 'set'>;
  /** Told of a slot that this thread has taken, and that nobody may have: it keeps it for good. */
  readonly withhold: (slot: number) => void;
}

/**
 * The slots of shared allocators, one a stripe, whose parts are their shards. Every slot that is taken goes through
 * {@link SharedFreeSlots.admit}: what a thread held that ended is not to be trusted, and freeing it makes the allocator forget that.
 */
export class SharedFreeSlots implements FreeSlots, SlotGate {
  readonly numParts: number;
  isClosed = false;
  /** How many wait in this thread. */
  waiting = 0;
  readonly #parts: SharedFreeSlotsParts;
  readonly #allocators: readonly SlotAllocator[];
  /** Of each part, whose shard it is, and which. */
  readonly #shards: readonly { readonly allocator: SlotAllocator; readonly shard: number }[];
  /** One a stripe. */
  readonly #lines: readonly SharedLine<Lease>[];
  /** Taken for the waiter whose attempt runs. */
  #granted: number | undefined;

  constructor(parts: SharedFreeSlotsParts) {
    this.#parts = parts;
    const { allocators } = parts;
    this.#allocators = allocators;
    this.#shards = allocators.flatMap((allocator) =>
      Array.from({ length: allocator.numShards }, (_, shard) => ({ allocator, shard })),
    );
    this.numParts = this.#shards.length;
    const onLength = () => {
      this.waiting = this.#lines.reduce((sum, { length }) => sum + length, 0);
      parts.counters.set('waitingAllocations', this.waiting);
    };
    const user = { onLength, answerSoon: () => this.answerSoon() };
    this.#lines = allocators.map((allocator) => new SharedLine(allocator, this, user));
  }

  get unusedWarmMemories(): number {
    return this.isClosed
      ? 0
      : this.#allocators.reduce((sum, { unusedWarmSlots }) => sum + unusedWarmSlots, 0);
  }

  get unusedBytesResident(): number {
    if (this.isClosed) return 0;
    return this.#allocators.reduce((sum, { unusedBytesResident }) => sum + unusedBytesResident, 0);
  }

  get isWaitedFor(): boolean {
    return !this.isClosed && this.#allocators.some((allocator) => allocator.isWaitedFor);
  }

  /** Warm slots of a shard at most. */
  warmSlots(part: number): number {
    const { allocator } = this.#shards[part]!;
    return Math.min(allocator.unusedWarmSlots, Math.ceil(allocator.capacity / allocator.numShards));
  }

  mend(): void {
    // Whoever takes a lock mends what it finds.
    for (const { unusedWarmSlots } of this.#allocators) void unusedWarmSlots;
  }

  isOnItsWay(slot: number): boolean {
    return this.#lines[slot % this.#lines.length]!.isOnItsWay(slot);
  }

  isTaken(slot: number): boolean {
    return this.holder(slot) === this.#parts.thread;
  }

  capacity(stripe: number): number {
    return this.#allocators[stripe]!.capacity;
  }

  take(stripe: number, key: MemoryKey | undefined): number | undefined {
    const granted = this.#granted;
    // A slot of another stripe has another key: its tenant could not reach it, and could reach his neighbours.
    if (granted !== undefined && granted % this.#allocators.length !== stripe)
      throw new PoolCorruptedError(`slot ${granted} is granted to stripe ${stripe}`);
    this.#granted = undefined;
    if (granted !== undefined) return granted;
    if (this.waiting > 0 && this.#lines[stripe]!.isAwaitingArrivals) return undefined;
    const allocator = this.#allocators[stripe]!;
    for (;;) {
      const slot = allocator.alloc(key);
      if (slot === undefined || this.admit(slot)) return slot;
    }
  }

  takeAffine(stripe: number, key: MemoryKey): number | undefined {
    return this.#admitted(() => this.#allocators[stripe]!.allocAffineAndClearAffinity(key));
  }

  takeOldest(part: number): number | undefined {
    const { allocator, shard } = this.#shards[part]!;
    return this.#admitted(() => allocator.allocOldestWarm(shard));
  }

  giveBack(slot: number, bytesResident: number): void {
    this.#parts.resident[slot] = bytesResident;
    this.#of(slot).free(slot, bytesResident);
  }

  /** The allocator calls who is to have a slot. */
  answerSoon(): void {
    void NEXT_TURN.then(() => this.#lines.forEach((line) => line.answer()));
  }

  /** As of any pool; but slots that were asked are for nobody then, and the most recently freed. */
  trim(maxBytes: number, release: (slot: number, bytesResident: number) => number): void {
    let excess = this.unusedBytesResident - maxBytes;
    for (let part = 0; part < this.numParts; part++) {
      for (let left = this.warmSlots(part); left > 0 && excess > 0; left--) {
        const slot = this.takeOldest(part);
        if (slot === undefined) break;
        const before = this.#parts.resident[slot]!;
        // Written by the thread that freed it. What is no number would end the loop, or never.
        if (!(before >= 0)) throw new PoolCorruptedError(`slot ${slot} keeps ${before} bytes`);
        let after = before;
        try {
          if (before > 0) after = release(slot, before);
        } finally {
          this.giveBack(slot, after);
        }
        excess -= before - after;
      }
    }
  }

  queue(stripe: number): SharedLine<Lease> {
    return this.#lines[stripe]!;
  }

  recheckAll(): void {
    for (const line of this.#lines) line.recheck();
  }

  admit(slot: number): boolean {
    const { records, resident, counters, withhold } = this.#parts;
    if (!this.isUnknown(slot)) return true;
    if (records.isWithheld(slot)) {
      withhold(slot);
      return false;
    }
    records.takeOver(slot);
    counters.add('recoveredMemories', 1);
    resident[slot] = 0;
    return true;
  }

  grant<T>(slot: number, attempt: () => T | undefined = () => undefined): T | undefined {
    // The first one would be nobody's for good.
    if (this.#granted !== undefined)
      throw new PoolCorruptedError(`slot ${slot} is granted while slot ${this.#granted} is`);
    this.#granted = slot;
    try {
      return attempt();
    } finally {
      // It ended before it came to take it.
      if (this.#granted !== undefined) {
        this.#granted = undefined;
        this.giveBack(slot, 0);
      }
    }
  }

  /** Takes away what ended threads held. */
  reclaim(): void {
    if (!this.isClosed) for (const allocator of this.#allocators) allocator.reclaim();
  }

  checkConsistency(): void {
    for (const allocator of this.#allocators) allocator.checkConsistency();
  }

  /** Whether the slot was a thread's that ended. */
  isUnknown(slot: number): boolean {
    return this.#of(slot).isUnknown(slot);
  }

  /** The thread holding a slot, if any. */
  holder(slot: number): number | undefined {
    return this.#of(slot).holder(slot);
  }

  /** Leaves. What this thread still holds comes back, and is laid over before its next use. */
  close(): void {
    this.isClosed = true;
    for (const allocator of this.#allocators) allocator.close();
  }

  /** The allocator of the slot's stripe. */
  #of(slot: number): SlotAllocator {
    return this.#allocators[slot % this.#allocators.length]!;
  }

  #admitted(take: () => number | undefined): number | undefined {
    for (;;) {
      const slot = take();
      if (slot === undefined || this.admit(slot)) return slot;
    }
  }
}
