/** Regions waiting to be dropped together: freed slots that are not free yet. */
import { PoolCorruptedError } from '../errors.js';
import { RESTORE_STRATEGIES, type RestoreResult, type RestoreStrategy } from '@guardstripe/mmap';

/** A batch of regions, one a slot, in typed arrays. */
export class DecommitQueue {
  readonly slots: Int32Array;
  readonly addresses: Float64Array;
  readonly byteLengths: Float64Array;
  /** Bytes that the slot's reset wrote, and that stay resident in it when its region was dropped. */
  readonly bytesWritten: Float64Array;
  readonly bytesResident: Float64Array;
  /** How the slot was reset, to be counted when that is done: an index into `RESTORE_STRATEGIES`. */
  readonly #strategies: Uint8Array;
  #length = 0;

  /** Most regions of a batch. */
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.slots = new Int32Array(capacity);
    this.addresses = new Float64Array(capacity);
    this.byteLengths = new Float64Array(capacity);
    this.bytesWritten = new Float64Array(capacity);
    this.bytesResident = new Float64Array(capacity);
    this.#strategies = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.capacity;
  }

  has(slot: number): boolean {
    return this.slots.subarray(0, this.#length).includes(slot);
  }

  /** Adds what `reset` leaves to drop, at `address`; the queue must not be full. */
  push(slot: number, address: number, reset: RestoreResult): void {
    const at = this.#length;
    const strategy = RESTORE_STRATEGIES.indexOf(reset.strategy);
    if (at >= this.capacity) throw new PoolCorruptedError(`slot ${slot} is put into a queue that is full`);
    if (!(reset.leftBytes > 0) || strategy < 0)
      throw new PoolCorruptedError(`slot ${slot} is queued with nothing to drop`);
    this.#length++;
    this.slots[at] = slot;
    this.addresses[at] = address;
    this.byteLengths[at] = reset.leftBytes;
    this.bytesWritten[at] = reset.bytesWritten;
    this.bytesResident[at] = reset.bytesResident;
    this.#strategies[at] = strategy;
  }

  strategy(at: number): RestoreStrategy {
    if (!(at < this.#length))
      throw new PoolCorruptedError(`there is no entry ${at} in a queue of ${this.#length}`);
    return RESTORE_STRATEGIES[this.#strategies[at]!]!;
  }

  /** Forgets the batch: all its slots were given back. */
  clear(): void {
    this.#length = 0;
  }
}
