/**
 * Slots that nobody holds and nobody may have yet, because their bytes can still be reached.
 *
 *     release ──▶ cooling ──every view collected──▶ reset, free
 *        └──────▶ retired    a view was stolen: never again
 *
 * Zero pages lie there meanwhile: a pending operation reads zeros, and writes where nobody will read. That costs address space
 * and no memory.
 */
import { ViewLedger, type VirtualMemory } from '@guardstripe/mmap';
import { onCool, onRetire, reportFailure, type CoolEvent, type RetireEvent } from '../diagnostics.js';
import { PoolCorruptedError } from '../errors.js';
import type { SlotMemory } from '../slots/memory.js';
import type { SlabPages, SlotPages } from '../slots/pages.js';
import type { SlotRecords } from '../slots/records.js';

/** Slabs with a retired slot. Nobody unmaps them, whoever drops their pool, and the end of a worker leaves their retired slots. */
const keptForGood = new Set<SlabPages>();

/** What is worked on. */
export interface WithheldParts {
  readonly slab: SlabPages;
  readonly pages: SlotPages;
  readonly records: SlotRecords;
  readonly memory: SlotMemory;
  readonly virtualMemory: VirtualMemory;
  readonly numStripes: number;
  /** Told of each slot that cools. */
  readonly whenCooling?: (() => void) | undefined;
}

/** The cooling and the retired slots of a pool. */
export class WithheldSlots {
  readonly cooling = new Set<number>();
  readonly retired = new Set<number>();
  readonly #parts: WithheldParts;
  #warned = false;
  #laidOver = false;

  constructor(parts: WithheldParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.cooling.size === 0 && this.retired.size === 0;
  }

  /** How many of a stripe's slots are withheld. Takes time in proportion to all that are: for a pool that has run out. */
  countIn(stripe: number): { readonly cooling: number; readonly retired: number } {
    const { numStripes } = this.#parts;
    const count = (slots: ReadonlySet<number>) =>
      numStripes === 1 ? slots.size : [...slots].filter((slot) => slot % numStripes === stripe).length;
    return { cooling: count(this.cooling), retired: count(this.retired) };
  }

  /** Takes a slot out of use until its views are collected. */
  cool(slot: number): void {
    this.#assertAbsent(slot);
    this.#assertEnded(slot);
    this.cooling.add(slot);
    this.#parts.whenCooling?.();
    this.#layZeros(slot);
    const stripe = slot % this.#parts.numStripes;
    if (onCool.hasSubscribers) onCool.publish({ slot, stripe } satisfies CoolEvent);
  }

  /** Takes a slot out of use for good. */
  retire(slot: number): void {
    this.#assertAbsent(slot);
    this.#assertEnded(slot);
    this.#retire(slot);
    this.#layZeros(slot);
    const stripe = slot % this.#parts.numStripes;
    if (onRetire.hasSubscribers) onRetire.publish({ slot, stripe } satisfies RetireEvent);
  }

  /** Keeps a slot that another thread has retired, or of which nobody can say any more where its views are. */
  keepRetired(slot: number): void {
    this.#assertAbsent(slot);
    const { records, slab } = this.#parts;
    slab.keepForGood?.();
    records.setRetired(slot);
    if (records.isLive(slot)) records.abandon(slot);
    this.retired.add(slot);
  }

  /** The slot's views were collected. Returns whether it was waiting for that. */
  cooled(slot: number): boolean {
    return this.cooling.delete(slot);
  }

  /** The slot is about to be withheld once more, by a call that is made again. */
  forget(slot: number): void {
    this.cooling.delete(slot);
    this.retired.delete(slot);
  }

  /** Withholds a slot of a pool that is closing: {@link WithheldSlots.layOver} drops its pages with all others. */
  keep(slot: number, left: 'held' | 'stolen'): void {
    this.#assertAbsent(slot);
    if (left === 'held') this.cooling.add(slot);
    else this.#retire(slot);
  }

  /**
   * Drops everything of a closed pool's slab but its addresses: inaccessible again, and zeros where bytes can still be
   * reached. Once is enough, but after a failure it can be done again.
   */
  layOver(): void {
    if (this.#laidOver) return;
    const { slab, virtualMemory, pages, records } = this.#parts;
    virtualMemory.mapZeros(slab.address, slab.byteLength, 'none');
    for (const slot of [...this.cooling, ...this.retired]) {
      const byteLength = records.accessiblePages(slot) * virtualMemory.pageSize;
      if (byteLength > 0)
        virtualMemory.mapZeros(pages.addressFor(slot, byteLength), byteLength, 'read-write');
    }
    this.#laidOver = true;
  }

  /** A slot that is here twice would come back while somebody still reaches its bytes. */
  #assertAbsent(slot: number): void {
    if (this.cooling.has(slot) || this.retired.has(slot))
      throw new PoolCorruptedError(`slot ${slot} is withheld twice`);
  }

  /** Zeros would be laid over what its tenant has. */
  #assertEnded(slot: number): void {
    if (this.#parts.records.isLive(slot))
      throw new PoolCorruptedError(`slot ${slot} is withheld while a tenant has it`);
  }

  #layZeros(slot: number): void {
    const { memory, records } = this.#parts;
    try {
      memory.layZeros(slot);
    } catch (error) {
      // Its last tenant's bytes stay there, for those to see who could see them before. Nobody else gets them: it is laid over.
      records.setTainted(slot, true);
      reportFailure(slot, error);
    }
  }

  #retire(slot: number): void {
    this.retired.add(slot);
    const { slab, pages, records, virtualMemory } = this.#parts;
    records.setRetired(slot);
    keptForGood.add(slab);
    slab.keepForGood?.();
    const byteLength = records.accessiblePages(slot) * virtualMemory.pageSize;
    if (byteLength > 0) ViewLedger.keepForGood(virtualMemory, pages.addressFor(slot, byteLength), byteLength);
    if (this.#warned) return;
    this.#warned = true;
    process.emitWarning(
      `A view of the pooled memory in slot ${slot} was transferred away: the slot is never used again`,
      {
        code: 'GUARDSTRIPE_MEMORY_RETIRED',
        detail:
          'Byte streams (ReadableStream of type "bytes", BYOB readers) and ArrayBuffer.prototype.transfer.call take the bytes ' +
          'of a view away from it: give them a copy, as memory.read() makes it. Further slots of the pool are retired without a warning.',
      },
    );
  }
}
