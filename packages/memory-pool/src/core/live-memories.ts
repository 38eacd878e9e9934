/** What may be done to a memory while a tenant has it. Whoever calls has checked that it is live, and the range inside of it. */
import type { VirtualMemory } from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';
import type { PoolModule } from '../module/module.js';
import { snapshotModule } from '../module/snapshot.js';
import { explainRefusal } from '../slab/host-bounds.js';
import type { MemoryTemplate } from '../module/template.js';
import type { HostBytes } from '../slots/host-bytes.js';
import type { SlotMemory } from '../slots/memory.js';
import type { SlotPages } from '../slots/pages.js';
import type { SlotRecords } from '../slots/records.js';
import type { SlotViews } from '../slots/views.js';
import type { InitialBytes } from '../wasm/index.js';
import type { SlotRecycler } from './recycler.js';

/** What is worked on. */
export interface LiveMemoriesParts {
  readonly pages: SlotPages;
  readonly records: SlotRecords;
  readonly memory: SlotMemory;
  readonly bytes: HostBytes;
  readonly views: SlotViews;
  readonly recycler: SlotRecycler;
  readonly virtualMemory: VirtualMemory;
  /** Told of each slot of which a safe view is handed out. */
  readonly whenViewed: ((slot: number) => void) | undefined;
}

/** The memories that tenants have. */
export class LiveMemories {
  /** The host's copying access to them. */
  readonly bytes: HostBytes;
  readonly #pages: SlotPages;
  readonly #records: SlotRecords;
  readonly #memory: SlotMemory;
  readonly #views: SlotViews;
  readonly #recycler: SlotRecycler;
  readonly #virtualMemory: VirtualMemory;
  readonly #whenViewed: ((slot: number) => void) | undefined;

  constructor(parts: LiveMemoriesParts) {
    const { pages, records, memory, bytes, views, recycler, virtualMemory, whenViewed } = parts;
    this.bytes = bytes;
    this.#pages = pages;
    this.#records = records;
    this.#memory = memory;
    this.#views = views;
    this.#recycler = recycler;
    this.#virtualMemory = virtualMemory;
    this.#whenViewed = whenViewed;
  }

  /** The view; once a safe one was handed out, the slot cools when the tenancy ends. */
  view(slot: number, isSafe: boolean): ArrayBuffer {
    if (isSafe) this.#whenViewed?.(slot);
    const byteLength = this.#records.byteLength(slot);
    // In a pool that threads share anybody may have written it; what is not accessible would end the process.
    if (!(byteLength <= this.#records.accessiblePages(slot) * this.#virtualMemory.pageSize))
      throw new PoolCorruptedError(`slot ${slot} has ${byteLength} bytes, and fewer are open`);
    return this.#views.open(slot, this.#pages.addressFor(slot, byteLength), byteLength, isSafe);
  }

  /** Grows a memory; its view is detached in any case that changes anything. */
  grow(slot: number, byteLength: number): void {
    try {
      this.#memory.grow(slot, byteLength);
    } catch (error) {
      throw explainRefusal(`grow the memory in slot ${slot}`, error);
    }
    this.#views.revoke(slot);
  }

  /** Puts a memory back to its start, its size included; its view is detached only if that changes. */
  reset(slot: number, template: MemoryTemplate): void {
    const { initialBytes, writes } = template;
    try {
      this.#recycler.resetLive(slot);
      if (this.#records.byteLength(slot) !== initialBytes) {
        this.#views.revoke(slot);
        this.#memory.shrink(slot, initialBytes);
      }
    } catch (error) {
      throw explainRefusal(`reset the memory in slot ${slot}`, error);
    }
    this.#write(slot, writes, 0, initialBytes);
  }

  /** Puts a part of a memory back, and returns how many bytes of it were given back to the system. */
  discard(slot: number, template: MemoryTemplate, offset: number, byteLength: number): number {
    let dropped: number;
    try {
      dropped = this.#recycler.discard(slot, offset, byteLength);
    } catch (error) {
      throw explainRefusal(`discard a part of the memory in slot ${slot}`, error);
    }
    this.#write(slot, template.writes, offset, offset + byteLength);
    return dropped;
  }

  /** A module of what a memory holds. */
  snapshot(slot: number, template: MemoryTemplate): PoolModule {
    const byteLength = this.#records.byteLength(slot);
    try {
      return snapshotModule({
        template,
        byteLength,
        changed: this.#recycler.changedRanges(slot),
        read: (offset, target) => this.bytes.read(slot, offset, target, target.byteLength),
        virtualMemory: this.#virtualMemory,
      });
    } catch (error) {
      throw explainRefusal(`take a snapshot of the memory in slot ${slot}`, error);
    }
  }

  /** Writes the initial bytes that no image has, as far as they lie between `start` and `end`. */
  #write(slot: number, writes: readonly InitialBytes[], start: number, end: number): void {
    for (const { offset, data } of writes) {
      const [from, to] = [Math.max(offset, start), Math.min(offset + data.byteLength, end)];
      if (from < to) this.bytes.write(slot, from, data.subarray(from - offset, to - offset), to - from);
    }
  }
}
