/**
 * The JavaScript views of the pool's memories: at most one a memory at a time, made late, and taken back when the memory grows
 * or its tenancy ends.
 *
 * Taking a view back is not enough. `fs`, sockets and foreign functions that were started with it keep the address and a
 * reference to the buffer; so what a tenancy's end leaves is one of {@link ViewsLeft}, and the slot waits until the last such
 * reference is gone, unless all that was handed out were unsafe views, whose user has promised not to do that.
 */
import { ViewLedger, type ViewsLeft } from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';

/** What a slot has handed out. Views keep it, and it keeps the ledger and the pool: whoever keeps a view keeps the slab. */
export class SlotLedger {
  readonly keeper: object;
  readonly views: ViewLedger;
  /** The present view. */
  current: ArrayBuffer | undefined;
  /** Whether a view was handed out in this tenancy. */
  isUsed = false;
  /** Whether one of them was to be safe. */
  isSafe = false;
  /** Whether a view was found to be stolen before the tenancy's end. */
  isStolen = false;

  constructor(keeper: object) {
    this.keeper = keeper;
    this.views = new ViewLedger(this);
  }
}

/** Views by slot. */
export class SlotViews {
  readonly #keeper: object;
  readonly #whenCollected: (slot: number) => void;
  readonly #ledgers = new Map<number, SlotLedger>();

  /**
   * @param keeper - lives as long as any view does
   * @param whenCollected - called some time after {@link SlotViews.end} said `'held'`
   */
  constructor(keeper: object, whenCollected: (slot: number) => void) {
    this.#keeper = keeper;
    this.#whenCollected = whenCollected;
  }

  /** The slot's view, made at first use: V8 counts a view's whole length as memory to be collected. */
  open(slot: number, address: number, byteLength: number, isSafe: boolean): ArrayBuffer {
    let ledger = this.#ledgers.get(slot);
    if (ledger === undefined) this.#ledgers.set(slot, (ledger = new SlotLedger(this.#keeper)));
    ledger.isUsed = true;
    ledger.isSafe ||= isSafe;
    let view = ledger.current;
    if (view === undefined || !ledger.views.isAttached(view)) {
      view = ledger.current = ledger.views.make(address, byteLength);
    }
    return view;
  }

  /** Takes the slot's view back: the memory is larger now. What that leaves is said by {@link SlotViews.end}. */
  revoke(slot: number): void {
    const ledger = this.#ledgers.get(slot);
    if (ledger?.current === undefined) return;
    ledger.views.detach(ledger.current);
    ledger.current = undefined;
  }

  /** Takes back whatever the tenancy has handed out. */
  end(slot: number): ViewsLeft {
    // Most hosts never look at a memory.
    if (this.#ledgers.size === 0) return 'none';
    const ledger = this.#ledgers.get(slot);
    if (ledger === undefined || !ledger.isUsed) return 'none';
    const whenCollected = () => this.#whenCollected(slot);
    const { views, isSafe, isStolen } = ledger;
    const left = isSafe ? views.end(whenCollected) : views.endUnsafe(whenCollected);
    // Not before: cut short, it must not look as if no view had been handed out.
    ledger.current = undefined;
    ledger.isUsed = false;
    ledger.isSafe = false;
    ledger.isStolen = false;
    return isStolen ? 'stolen' : left;
  }

  /** Takes back all unsafe views of a tenancy that goes on elsewhere; `false` where that fails, which {@link SlotViews.end} then says, too. */
  revokeUnsafe(slot: number): boolean {
    const ledger = this.inUse(slot);
    if (ledger === undefined) return true;
    // What was started with it may go on for longer than the memory is here.
    if (ledger.isSafe) throw new PoolCorruptedError(`slot ${slot} moves while a safe view of it is out`);
    ledger.current = undefined;
    ledger.isStolen = ledger.views.endUnsafe(() => undefined) !== 'none';
    ledger.isUsed = ledger.isStolen;
    return !ledger.isStolen;
  }

  /** Slots with views that were not taken back. */
  slotsInUse(): number[] {
    return [...this.#ledgers].filter(([, ledger]) => ledger.isUsed).map(([slot]) => slot);
  }

  /** The slot's ledger, if it has handed out a view in this tenancy. */
  inUse(slot: number): SlotLedger | undefined {
    const ledger = this.#ledgers.get(slot);
    return ledger?.isUsed === true ? ledger : undefined;
  }

  /** Whether the slot's present view was transferred away. */
  isStolen(slot: number): boolean {
    const ledger = this.#ledgers.get(slot);
    if (ledger === undefined) return false;
    const { current, isStolen, views } = ledger;
    return isStolen || (current !== undefined && !views.isAttached(current));
  }

  /** Forgets the slot's ledger without taking anything back: from now on only the views keep it. */
  forget(slot: number): void {
    if (!this.#ledgers.delete(slot))
      throw new PoolCorruptedError(`slot ${slot} has handed out no view to forget`);
  }

  /** Takes a forgotten ledger up again. */
  restore(slot: number, ledger: SlotLedger): void {
    // The slot's next tenant would share it, or lose his own.
    if (this.#ledgers.has(slot) || !ledger.isUsed)
      throw new PoolCorruptedError(`slot ${slot} has other views than those that were forgotten`);
    this.#ledgers.set(slot, ledger);
  }
}
