/** Regions waiting to be dropped together: freed slots that are not free yet. */

/** A batch of regions, one a slot, in typed arrays. */
export class DecommitQueue {
  readonly slots: Int32Array;
  readonly addresses: Float64Array;
  readonly byteLengths: Float64Array;
  /** Bytes that stay resident in the slot when its region was dropped. */
  readonly bytesResident: Float64Array;
  #length = 0;

  /** Most regions of a batch. */
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.slots = new Int32Array(capacity);
    this.addresses = new Float64Array(capacity);
    this.byteLengths = new Float64Array(capacity);
    this.bytesResident = new Float64Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.capacity;
  }

  /** Adds a region; the queue must not be full. */
  push(slot: number, address: number, byteLength: number, bytesResident: number): void {
    const at = this.#length++;
    this.slots[at] = slot;
    this.addresses[at] = address;
    this.byteLengths[at] = byteLength;
    this.bytesResident[at] = bytesResident;
  }

  /** Forgets the batch: all its slots were given back. */
  clear(): void {
    this.#length = 0;
  }
}
