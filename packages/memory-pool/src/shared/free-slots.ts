/** Which slots of a pool that threads share are free. */
import type { MemoryKey, SharedIndexAllocator } from '@guardstripe/index-allocator';
import type { FreeSlots } from '../core/free-slots.js';
import type { Lease } from '../core/tenancy.js';
import type { Counters } from '../slots/counters.js';
import type { SlotRecords } from '../slots/records.js';
import { SharedLine, type SlotGate } from './line.js';

/** What is worked on. */
export interface SharedFreeSlotsParts {
  readonly allocator: SharedIndexAllocator;
  readonly records: SlotRecords;
  /** A slot's bytes in RAM while it is free. Written by who frees it, before it does. */
  readonly resident: Float64Array;
  readonly counters: Pick<Counters, 'add' | 'set'>;
  /** Told of a slot that this thread has taken, and that nobody may have: it keeps it for good. */
  readonly withhold: (slot: number) => void;
}

/**
 * The slots of one shared allocator, whose parts are its shards. Every slot that is taken goes through
 * {@link SharedFreeSlots.admit}: what a thread held that ended is not to be trusted, and freeing it makes the allocator forget that.
 */
export class SharedFreeSlots implements FreeSlots, SlotGate {
  readonly numParts: number;
  /** Nobody is served from here: the allocator calls who waits. */
  readonly due: ReadonlySet<number> = new Set();
  isClosed = false;
  readonly #parts: SharedFreeSlotsParts;
  readonly #line: SharedLine<Lease>;
  /** Taken for the waiter whose attempt runs. */
  #granted: number | undefined;

  constructor(parts: SharedFreeSlotsParts) {
    this.#parts = parts;
    this.numParts = parts.allocator.numShards;
    const onLength = (length: number) => parts.counters.set('waitingAllocations', length);
    this.#line = new SharedLine(parts.allocator, this, onLength);
  }

  get unusedWarmMemories(): number {
    return this.isClosed ? 0 : this.#parts.allocator.unusedWarmSlots;
  }

  get unusedBytesResident(): number {
    return this.isClosed ? 0 : this.#parts.allocator.unusedBytesResident;
  }

  /** How many wait in this thread. */
  get waiting(): number {
    return this.#line.length;
  }

  get isWaitedFor(): boolean {
    return !this.isClosed && this.#parts.allocator.isWaitedFor;
  }

  /** Warm slots of a shard at most. */
  warmSlots(): number {
    const { allocator } = this.#parts;
    return Math.min(allocator.unusedWarmSlots, Math.ceil(allocator.capacity / this.numParts));
  }

  capacity(): number {
    return this.#parts.allocator.capacity;
  }

  take(_: number, key: MemoryKey | undefined): number | undefined {
    const granted = this.#granted;
    this.#granted = undefined;
    return granted ?? this.#admitted(() => this.#parts.allocator.alloc(key));
  }

  takeAffine(_: number, key: MemoryKey): number | undefined {
    return this.#admitted(() => this.#parts.allocator.allocAffineAndClearAffinity(key));
  }

  takeOldest(shard: number): number | undefined {
    return this.#admitted(() => this.#parts.allocator.allocOldestWarm(shard));
  }

  giveBack(slot: number, bytesResident: number): void {
    this.#parts.resident[slot] = bytesResident;
    this.#parts.allocator.free(slot, bytesResident);
  }

  serve(): void {}

  /** As of any pool; but slots that were asked are for nobody then, and the most recently freed. */
  trim(maxBytes: number, release: (slot: number, bytesResident: number) => number): void {
    let excess = this.unusedBytesResident - maxBytes;
    for (let shard = 0; shard < this.numParts; shard++) {
      for (let left = this.warmSlots(); left > 0 && excess > 0; left--) {
        const slot = this.takeOldest(shard);
        if (slot === undefined) break;
        const before = this.#parts.resident[slot]!;
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

  queue(): SharedLine<Lease> {
    return this.#line;
  }

  rejectAll(reason: () => unknown): void {
    this.#line.rejectAll(reason);
  }

  admit(slot: number): boolean {
    const { allocator, records, resident, counters, withhold } = this.#parts;
    if (!allocator.isUnknown(slot)) return true;
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
    if (!this.isClosed) this.#parts.allocator.reclaim();
  }

  checkConsistency(): void {
    this.#parts.allocator.checkConsistency();
  }

  /** Whether the slot was a thread's that ended. */
  isUnknown(slot: number): boolean {
    return this.#parts.allocator.isUnknown(slot);
  }

  /** The thread holding a slot, if any. */
  holder(slot: number): number | undefined {
    return this.#parts.allocator.holder(slot);
  }

  /** Leaves. What this thread still holds comes back, and is laid over before its next use. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#parts.allocator.close();
  }

  #admitted(take: () => number | undefined): number | undefined {
    for (;;) {
      const slot = take();
      if (slot === undefined || this.admit(slot)) return slot;
    }
  }
}
