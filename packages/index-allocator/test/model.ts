/**
 * The policy said with nothing but Maps and arrays: what the real allocator is compared with, in the tests step by step
 * and in the benchmark for speed. It checks no arguments; its caller does. It imports types only, so that Node runs it as
 * it stands.
 */
import type { FreedSlot, MemoryKey } from '../src/index.js';

/** What an unused slot remembers. */
interface WarmSlot {
  readonly key: number | undefined;
  readonly bytesResident: number;
}

/** One number for both of a key's. */
function numberOf({ moduleId, memoryIndex }: MemoryKey): number {
  return moduleId * 0x1_0000 + memoryIndex;
}

/** Same API and same choices as `ModuleAffinityIndexAllocator`. */
export class ModelAllocator {
  readonly capacity: number;
  readonly maxUnusedWarmSlots: number;
  unusedBytesResident = 0;
  /** Slots in use, each with its key. */
  readonly used = new Map<number, number | undefined>();
  /** Warm slots; a Map keeps them in the order in which they were freed. */
  readonly warm = new Map<number, WarmSlot>();
  /** Warm slots by key, each list in the order of freeing. */
  readonly affine = new Map<number, number[]>();
  numTouched = 0;

  constructor(capacity: number, maxUnusedWarmSlots: number) {
    this.capacity = capacity;
    this.maxUnusedWarmSlots = maxUnusedWarmSlots;
  }

  get length(): number {
    return this.used.size;
  }

  get isEmpty(): boolean {
    return this.used.size === 0;
  }

  get unusedWarmSlots(): number {
    return this.warm.size;
  }

  isUsed(slot: number): boolean {
    return this.used.has(slot);
  }

  alloc(forMemory?: MemoryKey): number | undefined {
    const key = forMemory === undefined ? undefined : numberOf(forMemory);
    const slot = this.#takeAffine(key) ?? this.#takeAny();
    if (slot !== undefined) this.used.set(slot, key);
    return slot;
  }

  allocAffineAndClearAffinity(forMemory: MemoryKey): number | undefined {
    const slot = this.#takeAffine(numberOf(forMemory));
    if (slot !== undefined) this.used.set(slot, undefined);
    return slot;
  }

  allocOldestWarm(): number | undefined {
    const slot = this.#takeOldest();
    if (slot !== undefined) this.used.set(slot, undefined);
    return slot;
  }

  free(slot: number, bytesResident: number): void {
    const key = this.used.get(slot);
    this.used.delete(slot);
    this.warm.set(slot, { key, bytesResident });
    this.unusedBytesResident += bytesResident;
    if (key === undefined) return;
    const list = this.affine.get(key);
    if (list === undefined) this.affine.set(key, [slot]);
    else list.push(slot);
  }

  freeMany(items: Iterable<FreedSlot>): void {
    for (const { slot, bytesResident } of items) this.free(slot, bytesResident);
  }

  trim(maxBytes: number, release: (slot: number, bytesResident: number) => number): void {
    for (const [slot, { key, bytesResident }] of this.warm) {
      if (this.unusedBytesResident <= maxBytes) return;
      if (bytesResident === 0) continue;
      const left = release(slot, bytesResident);
      // A Map keeps the place of a key that is set again.
      this.warm.set(slot, { key, bytesResident: left });
      this.unusedBytesResident += left - bytesResident;
    }
  }

  #takeAffine(key: number | undefined): number | undefined {
    if (key === undefined) return undefined;
    const slot = this.affine.get(key)?.at(-1);
    if (slot !== undefined) this.#leaveWarm(slot);
    return slot;
  }

  #takeAny(): number | undefined {
    return this.warm.size < this.maxUnusedWarmSlots
      ? (this.#takeCold() ?? this.#takeOldest())
      : (this.#takeOldest() ?? this.#takeCold());
  }

  #takeCold(): number | undefined {
    return this.numTouched < this.capacity ? this.numTouched++ : undefined;
  }

  #takeOldest(): number | undefined {
    for (const slot of this.warm.keys()) {
      this.#leaveWarm(slot);
      return slot;
    }
    return undefined;
  }

  #leaveWarm(slot: number): void {
    const { key, bytesResident } = this.warm.get(slot)!;
    this.warm.delete(slot);
    this.unusedBytesResident -= bytesResident;
    if (key === undefined) return;
    const list = this.affine.get(key)!;
    // It is the last one for an affine pick and the first one for an eviction.
    if (list.at(-1) === slot) list.pop();
    else list.splice(list.indexOf(slot), 1);
    if (list.length === 0) this.affine.delete(key);
  }
}
