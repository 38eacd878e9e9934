/**
 * Slots of a dense pool. Each is readable and writable as a whole, one mapping with its neighbours, and guard markers in the page
 * tables close what is not open (`MADV_GUARD_INSTALL`):
 *
 *     unmade ── first open: markers everywhere, then access ──▶ guarded ── open, shut: markers go and come
 *       │                                                          │ blank: fresh pages, made anew at once
 *       └── the system refuses markers (locked memory) ──▶ protected: as in any other pool
 *
 * Markers are there before access is, so nothing is ever open that is not to be.
 */
import type { SlabLayout } from '@guardstripe/layout';
import { mappingsOfGuardedSlot } from '@guardstripe/layout';
import { SystemError, type VirtualMemory } from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';
import type { ProtectionKey } from '@guardstripe/mpk';
import { SlotPages, type SlabPages } from './pages.js';

/** `UNMADE`: inaccessible, as the reservation left it. `GUARDED` and `PROTECTED`: how it is closed. */
const How = { UNMADE: 0, GUARDED: 1, PROTECTED: 2 } as const;

/** Changes pages of slots that are closed by markers. */
export class GuardedPages extends SlotPages {
  readonly #slotBytes: number;
  readonly #striped: boolean;
  /** Whether slots have no pages at all. */
  readonly #isEmpty: boolean;
  /** Of each slot, one of `How`. Zeros, and so untouched, for slots that nobody has used. */
  readonly #how: Uint8Array;

  /** @param how - where it is noted how each slot is closed; zeros at first */
  constructor(
    slab: SlabPages,
    layout: SlabLayout,
    keys: readonly ProtectionKey[],
    virtualMemory: VirtualMemory,
    how: Uint8Array = new Uint8Array(layout.numSlots),
  ) {
    super(slab, layout, keys, virtualMemory);
    this.#slotBytes = layout.slotBytes;
    this.#striped = layout.numStripes > 1;
    this.#isEmpty = layout.maxMemoryBytes === 0;
    this.#how = how;
  }

  override open(slot: number, offset: number, byteLength: number): void {
    const address = this.range(slot, offset, byteLength);
    if (this.#how[slot] === How.UNMADE) this.#make(slot);
    if (this.#isGuarded(slot)) this.virtualMemory.unguardPages(address, byteLength);
    else super.open(slot, offset, byteLength);
  }

  override shut(slot: number, offset: number, byteLength: number): void {
    const address = this.range(slot, offset, byteLength);
    if (this.#isGuarded(slot)) this.virtualMemory.guardPages(address, byteLength);
    else super.shut(slot, offset, byteLength);
  }

  override blank(slot: number): void {
    if (this.#isEmpty) return;
    const address = this.#start(slot);
    this.virtualMemory.mapZeros(address, this.#slotBytes, 'none');
    this.#how[slot] = How.UNMADE;
    // At once, for until then it is a mapping of its own and parts its neighbours.
    this.#make(slot);
  }

  override mappings(accessiblePages: number, _: number, imagePages: number): number {
    return mappingsOfGuardedSlot(accessiblePages, imagePages, this.#striped);
  }

  /** How a slot is closed that was opened before. In a shared pool another thread has noted it. */
  #isGuarded(slot: number): boolean {
    const how = this.#how[slot];
    if (how === How.GUARDED) return true;
    if (how !== How.PROTECTED && how !== How.UNMADE)
      throw new PoolCorruptedError(`slot ${slot} is closed in way ${how}`);
    return false;
  }

  #start(slot: number): number {
    return this.range(slot, 0, this.virtualMemory.pageSize);
  }

  #make(slot: number): void {
    const address = this.#start(slot);
    try {
      this.virtualMemory.guardPages(address, this.#slotBytes);
      this.allow(slot, address, this.#slotBytes);
      this.#how[slot] = How.GUARDED;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Without markers, which may have been set in part, and without access.
      this.virtualMemory.mapZeros(address, this.#slotBytes, 'none');
      this.#how[slot] = How.PROTECTED;
    }
  }
}
