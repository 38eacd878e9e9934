/**
 * Who may still reach the bytes of one owner, a map or a slot's tenancy, through array buffers.
 *
 * Detaching takes a view away from JavaScript. It does not take the address from what was started with the view before:
 * `fs`, sockets, zlib and foreign functions keep an address and a reference to the buffer, no more. That reference is
 * what tells: once the engine has collected every view, nobody has the address any more.
 *
 * ```
 *   ledger ──► view ──► record ──► cohort ──► holder          a view holds its cohort, the registry waits for the cohort
 *     └──────────────────────────────^                        the ledger lets go of it at end()
 * ```
 */

import { keepForGood } from '../process/owned.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import { isAttached, makeView, recordOf, takeBack, type ViewRecord } from './view.js';

/** The views made between two calls of end(). Collected when the last of them is. */
class Cohort {
  readonly holder: object | undefined;
  readonly ledger: object;
  /** Somebody transferred a view of it, or that cannot be ruled out. */
  stolen = false;
  /** A view of it refused to be detached. */
  undetachable = false;

  constructor(ledger: object, holder: object | undefined) {
    this.ledger = ledger;
    this.holder = holder;
  }
}

const collected = new FinalizationRegistry<() => void>((whenCollected) => whenCollected());

/**
 * Views held strongly; more are held weakly, the oldest first. A view takes about 1 KiB of the C++ heap, and a map may
 * show hundreds of thousands of ranges in its life. On the other hand, of a view that died unseen nobody can say that it
 * was not stolen.
 */
const MAX_STRONG_VIEWS = 4096;

/**
 * What an owner may do with the address after {@link ViewLedger.end}.
 *
 * - `'none'`: nothing can reach it.
 * - `'held'`: every view is detached, or cannot be but is known. Pending operations may reach it until all are collected.
 * - `'stolen'`: somebody has an alias that nobody can revoke, or that cannot be ruled out. There will be no proof.
 */
export type ViewsLeft = 'none' | 'held' | 'stolen';

/** Who may still reach the bytes of one owner. For owners who hand out many views; a map has one of its own. */
export class ViewLedger {
  readonly #holder: object | undefined;
  /** Stands for the ledger in its cohorts, which must not keep the ledger itself and with it the owner's views. */
  readonly #identity = {};
  #cohort: Cohort | undefined;
  readonly #strong = new Set<ArrayBuffer>();
  #weak: Map<ViewRecord, WeakRef<ArrayBuffer>> | undefined;
  #sweepAt = MAX_STRONG_VIEWS;

  /**
   * Has a range of which a view was stolen stay mapped as long as the process lives: the alias may be in another thread by now, so the
   * end of this one does not give it back.
   */
  static keepForGood(virtualMemory: VirtualMemory, address: number, byteLength: number): void {
    keepForGood(virtualMemory, address, byteLength);
  }

  /** @param holder - lives as long as any view does */
  constructor(holder?: object) {
    this.#holder = holder;
  }

  /** Views that are attached, as far as is known. */
  get numViews(): number {
    return this.#strong.size + (this.#weak?.size ?? 0);
  }

  /** Whether an alias of the present views may exist that {@link end} could not take away if it were called no more. */
  get isExposed(): boolean {
    return this.numViews > 0 || this.#cohort?.stolen === true;
  }

  /** Makes a view of memory that the caller has checked to be his. The same range gives a new view at each call. */
  make(address: number, byteLength: number): ArrayBuffer {
    // An empty view shows no memory: it is to be detached with the others, and nothing can be stolen of it.
    const cohort =
      byteLength === 0 ? this.#identity : (this.#cohort ??= new Cohort(this.#identity, this.#holder));
    const view = makeView(address, byteLength, { detachedByUs: false, cohort });
    this.#strong.add(view);
    if (this.#strong.size > MAX_STRONG_VIEWS) this.#weaken();
    return view;
  }

  /** Whether this ledger made a view, in this tenancy or before. */
  has(view: unknown): view is ArrayBuffer {
    const cohort = recordOf(view)?.cohort;
    return cohort === this.#identity || (cohort instanceof Cohort && cohort.ledger === this.#identity);
  }

  /** Whether a view still shows its memory. Asks the engine, not a property that a caller can put over it. */
  isAttached(view: ArrayBuffer): boolean {
    return isAttached(view);
  }

  /** Takes one view away, and lets go of it. */
  detach(view: ArrayBuffer): 'detached' | 'stolen' | 'undetachable' {
    const record = recordOf(view)!;
    const outcome = takeBack(view, record);
    if (outcome === 'stolen' && record.cohort instanceof Cohort) record.cohort.stolen = true;
    if (outcome !== 'undetachable' && !this.#strong.delete(view)) this.#weak?.delete(record);
    return outcome;
  }

  /**
   * Takes every view away. `whenCollected` runs once when the engine has collected all that were made since the last end, if
   * the answer is `'held'`; between turns of the event loop, and after a full collection. It must refer neither to this ledger
   * nor to a view. Never throws.
   */
  end(whenCollected: () => void): ViewsLeft {
    const cohort = this.#detachAll();
    if (cohort === undefined) return 'none';
    return this.#endCohort(cohort, whenCollected);
  }

  /**
   * {@link end} for an owner who does not wait for operations that were started with a view before: `'none'` as soon as all are
   * detached. The other two answers mean what they mean there.
   */
  endUnsafe(whenCollected: () => void): ViewsLeft {
    const cohort = this.#detachAll();
    if (cohort !== undefined && (cohort.stolen || cohort.undetachable))
      return this.#endCohort(cohort, whenCollected);
    this.#cohort = undefined;
    return 'none';
  }

  /** Lets go of a cohort when it is known who hears of its end, and not before: the stack may end at any call. */
  #endCohort(cohort: Cohort, whenCollected: () => void): 'held' | 'stolen' {
    if (!cohort.stolen) collected.register(cohort, whenCollected);
    this.#cohort = undefined;
    return cohort.stolen ? 'stolen' : 'held';
  }

  /** Takes all views away. Returns whose they were, if any bytes were shown. */
  #detachAll(): Cohort | undefined {
    const cohort = this.#cohort;
    for (const view of this.#strong) this.#takeBack(view);
    this.#strong.clear();
    if (this.#weak !== undefined) {
      for (const view of this.#weak.values()) this.#takeBack(view.deref());
      this.#weak = undefined;
    }
    return cohort;
  }

  #takeBack(view: ArrayBuffer | undefined): void {
    const record = recordOf(view);
    // A view that died unseen may have been stolen before.
    const outcome = view === undefined || record === undefined ? 'stolen' : takeBack(view, record);
    const cohort = record === undefined ? this.#cohort : record.cohort;
    if (!(cohort instanceof Cohort)) return;
    if (outcome === 'stolen') cohort.stolen = true;
    if (outcome === 'undetachable') cohort.undetachable = true;
  }

  /** Holds the oldest view weakly from now on. */
  #weaken(): void {
    const [oldest] = this.#strong as Iterable<ArrayBuffer> as [ArrayBuffer];
    this.#strong.delete(oldest);
    this.#weak ??= new Map();
    this.#weak.set(recordOf(oldest)!, new WeakRef(oldest));
    if (this.#weak.size >= this.#sweepAt) this.#sweep(this.#weak);
  }

  /** Forgets what was collected; so rarely that each view pays for a constant number of looks. */
  #sweep(weak: Map<ViewRecord, WeakRef<ArrayBuffer>>): void {
    for (const [record, view] of weak) {
      if (view.deref() !== undefined) continue;
      weak.delete(record);
      if (record.cohort instanceof Cohort) record.cohort.stolen = true;
    }
    this.#sweepAt = Math.max(MAX_STRONG_VIEWS, 2 * weak.size);
  }
}
