/**
 * Memories whose store was collected while a view of them was out. Somebody may still use the view, and he may still have it
 * transferred away, so the pool must not let go of it unless nobody else has it.
 *
 * Whether somebody has, only a collection tells; and between letting go and knowing, nobody may run. So it is all done in one turn
 * of the event loop: see that the view was not stolen, let go of it, collect, and look whether it is still there.
 */
import type { SlotRecords } from '../../slots/records.js';
import type { SlotLedger, SlotViews } from '../../slots/views.js';
import type { Lease } from '../tenancy.js';

/** Where they go. */
export interface OrphanHome {
  release(lease: Lease): boolean;
}

interface Orphan {
  readonly lease: Lease;
  /** Made in an earlier turn than it is asked in: a new one keeps its target until the turn ends. */
  readonly ledger: WeakRef<SlotLedger>;
  /** Called when the memory comes back. */
  readonly whenReleased: () => void;
}

/** The orphans of a pool. */
export class Orphans {
  readonly #home: OrphanHome;
  readonly #records: SlotRecords;
  readonly #views: SlotViews;
  readonly #orphans = new Set<Orphan>();

  constructor(home: OrphanHome, records: SlotRecords, views: SlotViews) {
    this.#home = home;
    this.#records = records;
    this.#views = views;
  }

  get size(): number {
    return this.#orphans.size;
  }

  /** Takes on a memory whose store was collected, if a view of it is out. */
  adopt(lease: Lease, whenReleased: () => void): boolean {
    const ledger = this.#views.inUse(lease.slot);
    if (ledger === undefined) return false;
    this.#orphans.add({ lease, ledger: new WeakRef(ledger), whenReleased });
    return true;
  }

  /** Collects, and releases those whose views nobody has. */
  collect(gc: () => void): void {
    this.#letGo();
    gc();
    this.#settle();
  }

  /** A function of its own: nothing that it looked at is left on the stack. */
  #letGo(): void {
    for (const orphan of this.#orphans) {
      const { slot, generation } = orphan.lease;
      const isThere = this.#records.isCurrent(slot, generation) && this.#views.inUse(slot) !== undefined;
      // One that was stolen is seen at its release.
      if (!isThere || this.#views.isStolen(slot)) this.#release(orphan);
      else this.#views.forget(slot);
    }
  }

  #settle(): void {
    for (const orphan of this.#orphans) {
      const ledger = orphan.ledger.deref();
      if (ledger === undefined) this.#release(orphan);
      else this.#views.restore(orphan.lease.slot, ledger);
    }
  }

  #release(orphan: Orphan): void {
    this.#orphans.delete(orphan);
    if (this.#home.release(orphan.lease)) orphan.whenReleased();
  }
}
