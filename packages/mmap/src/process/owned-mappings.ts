/**
 * A thread's address ranges in its ledger.
 *
 * Nothing stands between a call into C and the statement that notes its outcome, here and in what is called here: no call, not
 * even of a built-in function, and no loop; so no place where the thread could be stopped.
 */

import type { VirtualMemory } from '../platform/virtual-memory.js';
import { HOW_MUCH, KIND_MAPPING, NOWHERE, WHAT, type Ledger } from './ledger.js';

type Mappings = Pick<
  VirtualMemory,
  'reserve' | 'mapFile' | 'mapHugePages' | 'unmap' | 'resize' | 'resizeInPlace' | 'moveLeavingRange'
>;

/** The ranges, by where they start. */
export class OwnedRanges {
  readonly #ledger: Ledger;
  readonly #values: Float64Array;
  readonly #entries = new Map<number, number>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#values = ledger.values;
  }

  /** Runs a call that maps `byteLength` bytes and returns where. */
  take(byteLength: number, map: () => number): number {
    const values = this.#values;
    const entry = this.#ledger.claim(KIND_MAPPING, byteLength);
    let address = 0;
    try {
      address = map();
      values[entry + WHAT] = address;
    } finally {
      if (address === 0) this.#ledger.release(entry);
    }
    if (entry !== NOWHERE) this.#entries.set(address, entry);
    return address;
  }

  /** Runs a call after which a range, or a part of one, is no longer the thread's. */
  giveUp(address: number, byteLength: number, call: () => void): void {
    const values = this.#values;
    const entry = this.#find(address);
    const headBytes = entry === NOWHERE ? 0 : address - values[entry + WHAT]!;
    const tailBytes = entry === NOWHERE ? 0 : values[entry + HOW_MUCH]! - headBytes - byteLength;
    const tail = tailBytes > 0 ? this.#ledger.claim(KIND_MAPPING, tailBytes) : NOWHERE;
    let isDone = false;
    try {
      call();
      values[entry + HOW_MUCH] = headBytes;
      values[tail + WHAT] = address + byteLength;
      isDone = true;
    } finally {
      if (!isDone) this.#ledger.release(tail);
    }
    if (headBytes === 0) {
      this.#entries.delete(address);
      this.#ledger.release(entry);
    }
    if (tail !== NOWHERE) this.#entries.set(address + byteLength, tail);
  }

  /** Runs a call that makes a range longer or shorter, and returns where it then is; `undefined` if it did not. */
  change<T extends number | undefined>(address: number, newByteLength: number, call: () => T): T {
    const values = this.#values;
    const entry = this.#entries.get(address) ?? NOWHERE;
    const newAddress = call();
    if (newAddress === undefined) return newAddress;
    values[entry + WHAT] = newAddress;
    values[entry + HOW_MUCH] = newByteLength;
    this.#entries.delete(address);
    if (entry !== NOWHERE) this.#entries.set(newAddress, entry);
    return newAddress;
  }

  /** The entry of the range that holds an address. */
  #find(address: number): number {
    const entry = this.#entries.get(address);
    if (entry !== undefined) return entry;
    for (const [start, candidate] of this.#entries) {
      if (address > start && address < start + this.#values[candidate + HOW_MUCH]!) return candidate;
    }
    return NOWHERE;
  }
}

/** The calls that map and unmap. */
export function ownedMappings(system: VirtualMemory, ranges: OwnedRanges): Mappings {
  return {
    reserve: (byteLength) => ranges.take(byteLength, () => system.reserve(byteLength)),
    mapHugePages: (byteLength, hugePageBytes) =>
      ranges.take(byteLength, () => system.mapHugePages(byteLength, hugePageBytes)),
    mapFile(fd, fileOffset, address, byteLength, access, sharing) {
      const map = () => system.mapFile(fd, fileOffset, address, byteLength, access, sharing);
      // At an address of the caller's choice it replaces what is the caller's already.
      return address === 0 ? ranges.take(byteLength, map) : map();
    },
    moveLeavingRange: (address, byteLength) =>
      ranges.take(byteLength, () => system.moveLeavingRange(address, byteLength)),
    unmap: (address, byteLength) =>
      ranges.giveUp(address, byteLength, () => system.unmap(address, byteLength)),
    resize: (address, byteLength, newByteLength) =>
      ranges.change(address, newByteLength, () => system.resize(address, byteLength, newByteLength)),
    resizeInPlace(address, byteLength, newByteLength) {
      const resize = () => (system.resizeInPlace(address, byteLength, newByteLength) ? address : undefined);
      return ranges.change(address, newByteLength, resize) !== undefined;
    },
  };
}
