/** What free slots are made to give up: the image of a module that is to be forgotten, mappings that others need. */
import type { MemoryKey } from '@guardstripe/index-allocator';
import { reportFailure } from '../diagnostics.js';
import { PoolCorruptedError } from '../errors.js';
import type { Counters } from '../slots/counters.js';
import type { SlotMemory } from '../slots/memory.js';
import { SlotState, type SlotRecords } from '../slots/records.js';
import type { FreeSlots } from './free-slots.js';

/** What is worked on. */
export interface HousekeepingParts {
  readonly free: FreeSlots;
  readonly memory: SlotMemory;
  readonly records: SlotRecords;
  readonly counters: Counters;
  readonly numStripes: number;
}

/** Works on free slots only: each is taken, changed and put back. */
export class Housekeeping {
  readonly #parts: HousekeepingParts;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
  }

  /** Takes a module's image from free slots that keep it, and makes them anybody's. Returns how many. */
  purge(key: MemoryKey): number {
    const { free, numStripes } = this.#parts;
    let purged = 0;
    for (let stripe = 0; stripe < numStripes; stripe++) {
      for (;;) {
        const slot = free.takeAffine(stripe, key);
        if (slot === undefined) break;
        this.#purgeSlot(slot);
        free.giveBack(slot, 0);
        purged++;
      }
    }
    return purged;
  }

  /** Takes mappings from free slots, the least recently freed first, until that many are there. Returns how many. */
  relieve(mappings: number): number {
    const { free } = this.#parts;
    if (!(mappings >= 0)) throw new PoolCorruptedError(`free slots are to give up ${mappings} mappings`);
    let relieved = 0;
    for (let part = 0; part < free.numParts; part++) {
      // Once round: a slot that was put back is the last to come again.
      for (let left = free.warmSlots(part); left > 0 && relieved < mappings; left--) {
        const slot = free.takeOldest(part);
        if (slot === undefined) break;
        relieved += this.#surrender(slot);
      }
    }
    return relieved;
  }

  /** Puts a free slot back that was taken, without its mappings. */
  #surrender(slot: number): number {
    const { free, memory } = this.#parts;
    try {
      return memory.surrender(slot);
    } catch (error) {
      this.#failed(slot, error);
      return 0;
    } finally {
      free.giveBack(slot, 0);
    }
  }

  #purgeSlot(slot: number): void {
    const { memory, records } = this.#parts;
    if (records.takeState(slot) !== SlotState.PREVIOUSLY_USED) return;
    try {
      memory.removeImage(slot);
      records.putPreviouslyUsed(slot);
    } catch (error) {
      this.#failed(slot, error);
    }
  }

  #failed(slot: number, error: unknown): void {
    this.#parts.counters.add('failedResets', 1);
    reportFailure(slot, error);
  }
}
