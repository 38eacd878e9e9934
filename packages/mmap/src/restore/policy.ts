/**
 * Which way a range is restored next, from what its last restores found. What earlier users of the range left present is a *load*
 * that every later restore pays for: pages that are written back though nobody wrote them since, and entries that the walk passes.
 *
 *     keep ── load paid for long enough ──▶ prune once ──▶ keep ...
 *      │  ▲                                  │ it comes back soon: more patience next time
 *      ▼  └── no longer cheaper ──┐          │
 *     watch ──────────────────────┴── the same, with the load that it began with
 *
 * A load is pruned (dropped, all but the pages that were written this time) when what was paid for it comes to what dropping costs, the
 * faults of getting it back included: whatever comes, that is at most twice what foresight would have paid. A load that is large beside
 * a usual restore goes at once, the first time; where that proves wrong, since it is back soon, patience doubles.
 */
import {
  CALL,
  DROP,
  FAULT_FILE,
  FAULT_OWN,
  FAULT_ZERO,
  PASS_FILE,
  PASS_ZERO,
  WATCH_PASS,
  WATCH_WRITE,
  WRITE_BACK,
} from './costs.js';

/** What to do beyond putting the bytes back. */
export type Decision = 'keep' | 'prune' | 'watch';

/** Restores of a page in a probe's time, so that probing takes about 3 % of a restore. */
const PROBES_PER_PAGE = 1 / 32;
/** Most pages that are compared to learn how many were written. */
export const MAX_PROBES = 8;
/** A load of this part of a usual restore is large. */
const LARGE = 0.4;
const MAX_PATIENCE = 64;
/** Of the last restores: the newest counts a quarter. */
const NEWEST = 0.25;
/** How much cheaper another way must look before it is taken. */
const MARGIN = 1.5;

/** Pages that a walk found. */
export interface Found {
  own: number;
  zero: number;
  file: number;
}

/** One range's memory of its last restores. */
export class RestorePolicy {
  /** Pages that a user writes. */
  #typical = 0;
  #previousOwn = 0;
  #probes = 0;
  #paid = 0;
  /** Break-evens to wait for; 0 for the first time. */
  #patience = 0;
  /** What was last pruned, as the load it was; and how many restores it may take to come back. */
  #prunedLoad = 0;
  #prunedOwn = 0;
  #lookFor = 0;
  /** Whether the next scan prunes in any case. */
  #wasWatched = false;
  /** Load and price when watching began. */
  #watchedLoad = 0;
  #watchedPrice = 0;
  /** The latest load and price. */
  #load = 0;
  #price = 0;

  /** How many of `own` pages to compare, to learn how many were written. */
  probesFor(own: number): number {
    // A page that nobody wrote before was written now; what is new in it shows at the next restore.
    if (own > this.#previousOwn) this.#probes = Math.max(this.#probes, 1);
    this.#previousOwn = own;
    this.#probes += own * PROBES_PER_PAGE;
    if (this.#probes < 1) return 0;
    const probes = Math.min(Math.floor(this.#probes), MAX_PROBES, own);
    this.#probes = 0;
    return probes;
  }

  /**
   * Decides on a restore by scan.
   *
   * @param stale - the part of the own pages that nobody wrote, from 0 to 1; `undefined` if none was compared
   */
  decide(found: Found, stale: number | undefined, rangePages: number): Decision {
    const staleOwn = stale === undefined ? 0 : Math.round(found.own * stale);
    const written = found.own - staleOwn;
    this.#lookBack(written, found);
    if (stale !== undefined) this.#typical += NEWEST * (written - this.#typical);
    // Compare every time while there is something to find.
    if (staleOwn > 0) this.#probes = MAX_PROBES;
    const load = staleOwn * WRITE_BACK + found.zero * PASS_ZERO + found.file * PASS_FILE;
    this.#load = load;
    this.#price =
      2 * CALL +
      staleOwn * (DROP + FAULT_OWN) +
      found.zero * (DROP + FAULT_ZERO) +
      found.file * (DROP + FAULT_FILE);
    // In use again: what was paid was well spent.
    if (stale !== undefined && staleOwn * 2 < written) this.#paid = Math.min(this.#paid, this.#price / 2);
    this.#paid += load;
    if (this.#wantsPrune(rangePages)) return 'prune';
    return this.#patience >= 2 && this.watchPays(rangePages, load) ? 'watch' : 'keep';
  }

  /** Whether watching would cost less than a load does. */
  watchPays(rangePages: number, load: number): boolean {
    return load > MARGIN * this.#watchCost(rangePages);
  }

  /** The range was pruned: of its own pages `writtenPages` are left. */
  pruned(writtenPages: number): void {
    this.#prunedLoad = this.#load;
    this.#prunedOwn = Math.max(this.#previousOwn - writtenPages, 0);
    this.#lookFor = this.#load === 0 ? 0 : Math.ceil(this.#price / this.#load);
    this.#paid = 0;
    this.#previousOwn = writtenPages;
    this.#wasWatched = false;
  }

  /** Pruning was refused: not soon again. */
  pruneFailed(): void {
    this.#patience = MAX_PATIENCE;
    this.#paid = 0;
  }

  /** Watching began. */
  watchBegan(): void {
    this.#watchedLoad = this.#load;
    this.#watchedPrice = this.#price;
    this.#paid = 0;
  }

  /**
   * Decides whether a range is watched on, of which `written` pages were written. Without watching, each restore would copy for
   * `copied` nanoseconds what only copying brings back. Pruning needs a scan: it is the next restore that does it.
   */
  decideWatched(written: number, rangePages: number, copied: number): Decision {
    this.#typical += NEWEST * (written - this.#typical);
    if (this.#watchCost(rangePages) > MARGIN * (this.#watchedLoad + copied)) return 'keep';
    this.#paid += rangePages * WATCH_PASS + 2 * CALL;
    if (copied > 0 || this.#paid <= Math.max(this.#patience, 1) * this.#watchedPrice) return 'watch';
    this.#wasWatched = true;
    return 'prune';
  }

  #wantsPrune(rangePages: number): boolean {
    if (this.#load === 0) return false;
    if (this.#wasWatched) return true;
    const usual = 3 * CALL + rangePages + this.#typical * WRITE_BACK;
    if (this.#patience === 0 && this.#load > LARGE * usual) return true;
    return this.#paid > Math.max(this.#patience, 1) * this.#price;
  }

  #watchCost(rangePages: number): number {
    return 4 * CALL + rangePages * WATCH_PASS + this.#typical * WATCH_WRITE;
  }

  /** Whether what was pruned is back. */
  #lookBack(written: number, { zero, file }: Found): void {
    if (this.#lookFor === 0) return;
    this.#lookFor -= 1;
    const passed = zero * PASS_ZERO + file * PASS_FILE;
    const isBack =
      passed * 2 > this.#prunedLoad ||
      (written * 2 > this.#prunedOwn &&
        this.#prunedOwn * WRITE_BACK * 2 > this.#prunedLoad &&
        written > 2 * this.#typical);
    if (isBack) {
      this.#patience = Math.min(Math.max(2 * this.#patience, 1), MAX_PATIENCE);
      this.#lookFor = 0;
    } else if (this.#lookFor === 0) {
      this.#patience = this.#patience <= 1 ? 0 : this.#patience / 2;
    }
  }
}
