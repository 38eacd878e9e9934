/** Dropping everything in a range but some of its pages, in as few system calls as there can be. */

import type { VirtualMemory } from '../platform/virtual-memory.js';

/** Most ranges that are dropped in one call. */
const MAX_GAPS = 1024;

/** Shared by all of a thread. */
const addresses = new Float64Array(MAX_GAPS);
const byteLengths = new Float64Array(MAX_GAPS);

/**
 * Collects what lies between kept pages. Used for one range at a time: {@link Gaps.open}, then pages, ascending, then
 * {@link Gaps.close}.
 */
export class Gaps {
  /** Bytes dropped since {@link Gaps.reset}. */
  bytesDropped = 0;
  #count = 0;
  #from = 0;

  reset(): void {
    this.bytesDropped = 0;
    this.#count = 0;
  }

  open(address: number): void {
    this.#from = address;
  }

  /** Bytes `start` to `end` stay. */
  keep(virtualMemory: VirtualMemory, start: number, end: number): void {
    this.close(virtualMemory, start);
    this.#from = end;
  }

  /** The range ends here. */
  close(virtualMemory: VirtualMemory, end: number): void {
    if (end <= this.#from) return;
    if (this.#count === MAX_GAPS) this.flush(virtualMemory);
    addresses[this.#count] = this.#from;
    byteLengths[this.#count] = end - this.#from;
    this.#count += 1;
    this.bytesDropped += end - this.#from;
  }

  /** Drops what was collected. */
  flush(virtualMemory: VirtualMemory): void {
    const count = this.#count;
    this.#count = 0;
    if (count === 1) virtualMemory.decommit(addresses[0]!, byteLengths[0]!);
    else if (count > 0) virtualMemory.decommitMany(addresses, byteLengths, count);
  }
}
