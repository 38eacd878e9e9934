/** Regions waiting to be dropped together: freed slots that are not free yet. */
import { RESET_STRATEGIES, type ResetResult, type ResetStrategy } from './reset.js';

/** A batch of regions, one a slot, in typed arrays. */
export class DecommitQueue {
  readonly slots: Int32Array;
  readonly addresses: Float64Array;
  readonly byteLengths: Float64Array;
  /** Bytes that stay resident in the slot when its region was dropped. */
  readonly bytesResident: Float64Array;
  /** How the slot was reset, to be counted when that is done: an index into {@link RESET_STRATEGIES}. */
  readonly #strategies: Uint8Array;
  #length = 0;

  /** Most regions of a batch. */
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.slots = new Int32Array(capacity);
    this.addresses = new Float64Array(capacity);
    this.byteLengths = new Float64Array(capacity);
    this.bytesResident = new Float64Array(capacity);
    this.#strategies = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.capacity;
  }

  /** Adds what `reset` leaves to drop, at `address`; the queue must not be full. */
  push(slot: number, address: number, reset: ResetResult): void {
    const at = this.#length++;
    this.slots[at] = slot;
    this.addresses[at] = address;
    this.byteLengths[at] = reset.dropBytes;
    this.bytesResident[at] = reset.bytesWritten;
    this.#strategies[at] = RESET_STRATEGIES.indexOf(reset.strategy);
  }

  strategy(at: number): ResetStrategy {
    return RESET_STRATEGIES[this.#strategies[at]!]!;
  }

  /** Forgets the batch: all its slots were given back. */
  clear(): void {
    this.#length = 0;
  }
}
