/**
 * Which way a range is restored next, from what its last restores found. What earlier users of the range left present is
 * a *load* that every later restore pays for: pages that are written back though nobody wrote them since, and entries
 * that the walk passes.
 *
 *     keep ── load paid for long enough ──▶ prune once ──▶ keep ...
 *      │  ▲                                  │ it comes back soon: more patience next time
 *      ▼  └── no longer cheaper ──┐          │
 *     watch ──────────────────────┴── the same, with the load that it began with
 *
 * A load is pruned (dropped, all but the pages that were written this time) when what was paid for it comes to what
 * dropping costs, the faults of getting it back included: whatever comes, that is at most twice what foresight would have
 * paid. A load that is large beside a usual restore goes at once, the first time; where that proves wrong, since it is
 * back soon, patience doubles.
 */
import {
  CALL,
  DROP,
  FAULT_FILE,
  FAULT_OWN,
  FAULT_ZERO,
  PASS_FILE,
  PASS_NOTHING,
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
/** Scans that a drop must have been better than before it takes their place, and for how many restores. */
const MIN_WINS = 3;
const FIRST_DROPS = 8;
const MAX_DROPS = 128;
/** Of the last restores: the newest counts a quarter. */
const NEWEST = 0.25;
/** How much cheaper another way must look before it is taken. */
const MARGIN = 1.5;
const DROP_MARGIN = 1.2;
/** So many pruned pages are missed one by one, too. */
const MANY_PAGES = 32;

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
  /** Own pages that the last restore left; `undefined` if that is not known. */
  #kept: number | undefined;
  #probes = 0;
  /** Scans, one after another, that a drop would have been better than, and drops to do until the next scan. */
  #dropWins = 0;
  #drops = 0;
  #nextDrops = FIRST_DROPS;
  /** What was paid for pages that nobody wrote, and for entries that the walk passed, since they were last of use or pruned. */
  #paidOwn = 0;
  #paidPassed = 0;
  /** Break-evens to wait for; 0 for the first time. */
  #patience = 0;
  /** The latest load, its parts, and what pruning it costs. */
  #load = 0;
  #staleOwn = 0;
  #passed = 0;
  #price = 0;
  /** What it costs to get the passed entries back. */
  #passedFaults = 0;
  /** The load that was last pruned, and how many restores it may take to come back. */
  #prunedOwn = 0;
  #prunedPassed = 0;
  #lookFor = 0;
  /** Pages that came on top since. */
  #freshSince = 0;
  /** The load that watching began with, and its price. */
  #watchedLoad = 0;
  #watchedPrice = 0;
  /** Whether the next scan prunes in any case. */
  #wasWatched = false;

  /**
   * Whether dropping everything, unseen, is better than a scan: where users write other pages each time, nothing is
   * gained by keeping those of the last. Asked once a restore. Now and then the answer is no, to see whether that still
   * holds.
   */
  prefersDrop(): boolean {
    if (this.#drops > 0) {
      this.#drops -= 1;
      this.#kept = 0;
      return true;
    }
    if (this.#dropWins < MIN_WINS) return false;
    this.#dropWins = 0;
    this.#drops = this.#nextDrops - 1;
    this.#nextDrops = Math.min(2 * this.#nextDrops, MAX_DROPS);
    this.#kept = 0;
    return true;
  }

  /** How many of `own` pages to compare, to learn how many were written. */
  probesFor(own: number): number {
    // A page that nobody wrote before was written now; what was not written shows at the next restore.
    if (own > (this.#kept ?? 0)) this.#probes = Math.max(this.#probes, 1);
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
    const { own, zero, file } = found;
    // Not compared: as it was, as far as it can be.
    this.#staleOwn = stale === undefined ? Math.min(this.#staleOwn, own) : Math.round(own * stale);
    const written = own - this.#staleOwn;
    this.#passed = zero * PASS_ZERO + file * PASS_FILE;
    this.#lookBack(own, written);
    if (stale !== undefined) this.#learn(written);
    this.#load = this.#staleOwn * WRITE_BACK + this.#passed;
    this.#passedFaults = zero * (DROP + FAULT_ZERO) + file * (DROP + FAULT_FILE);
    this.#price = 2 * CALL + this.#staleOwn * (DROP + FAULT_OWN) + this.#passedFaults;
    this.#compareDrop(own, written, rangePages);
    // In use again: what was paid for them was well spent. Of entries that were passed nobody knows.
    if (this.#staleOwn * 2 < written) this.#paidOwn = 0;
    this.#paidOwn += this.#staleOwn * WRITE_BACK;
    this.#paidPassed += this.#passed;
    if (this.#wantsPrune(rangePages)) return 'prune';
    return this.#patience >= 1 && this.watchPays(rangePages, this.#load) ? 'watch' : 'keep';
  }

  /** Whether watching would cost less than a load does. */
  watchPays(rangePages: number, load: number): boolean {
    return load > MARGIN * this.#watchCost(rangePages);
  }

  /** The range was pruned: of its own pages `keptPages` are left. */
  pruned(keptPages: number): void {
    this.#lookFor = this.#load === 0 ? 0 : Math.ceil(this.#price / this.#load);
    this.#prunedOwn = this.#staleOwn;
    this.#freshSince = 0;
    this.#prunedPassed = this.#passed;
    this.#kept = keptPages;
    this.#staleOwn = 0;
    this.#paidOwn = 0;
    this.#paidPassed = 0;
    this.#wasWatched = false;
  }

  /** Other pages, or other start bytes: what is known of their users still holds, what is known of the pages does not. */
  retargeted(): void {
    this.#kept = undefined;
    this.#load = 0;
    this.#staleOwn = 0;
    this.#lookFor = 0;
    this.#wasWatched = false;
  }

  /** Everything was dropped. */
  dropped(): void {
    this.retargeted();
    this.#kept = 0;
  }

  /** Pruning was refused: not soon again. */
  pruneFailed(): void {
    this.#patience = MAX_PATIENCE;
    this.#paidOwn = 0;
    this.#paidPassed = 0;
  }

  /** Watching began. */
  watchBegan(): void {
    this.#watchedLoad = this.#load;
    this.#watchedPrice = this.#price;
    this.#paidOwn = 0;
    this.#paidPassed = 0;
    this.#kept = undefined;
  }

  /**
   * Decides whether a range is watched on, of which `written` pages were written. Without watching, each restore would copy for
   * `copied` nanoseconds what only copying brings back. Pruning needs a scan: it is the next restore that does it.
   */
  decideWatched(written: number, rangePages: number, copied: number): Decision {
    this.#learn(written);
    if (this.#watchCost(rangePages) > MARGIN * (this.#watchedLoad + copied)) return 'keep';
    this.#paidPassed += rangePages * WATCH_PASS + 2 * CALL;
    if (copied > 0 || this.#paidPassed <= Math.max(this.#patience, 1) * this.#watchedPrice) return 'watch';
    this.#wasWatched = true;
    return 'prune';
  }

  /** Whether this restore would have been cheaper as a drop: of a user's pages those were there already that did not come on top. */
  #compareDrop(own: number, written: number, rangePages: number): void {
    if (this.#kept === 0) this.#learn(own);
    else if (this.#kept !== undefined) {
      const fresh = Math.max(own - this.#kept, 0);
      const reused = Math.max(written - fresh, 0);
      const dropping = 2 * CALL + own * DROP + reused * FAULT_OWN + this.#passedFaults;
      const keeping = 2 * CALL + rangePages * PASS_NOTHING + written * WRITE_BACK + this.#load;
      if (keeping > DROP_MARGIN * dropping) this.#dropWins += 1;
      else {
        this.#dropWins = 0;
        this.#nextDrops = FIRST_DROPS;
      }
    }
    this.#kept = own;
  }

  #learn(written: number): void {
    this.#typical += NEWEST * (written - this.#typical);
    // Compare every time while there is something to find.
    if (this.#staleOwn > 0) this.#probes = MAX_PROBES;
  }

  #wantsPrune(rangePages: number): boolean {
    if (this.#load === 0) return false;
    if (this.#wasWatched) return true;
    const usual = 3 * CALL + rangePages + this.#typical * WRITE_BACK;
    if (this.#patience === 0 && this.#load > LARGE * usual) return true;
    return this.#paidOwn + this.#paidPassed > Math.max(this.#patience, 1) * this.#price;
  }

  #watchCost(rangePages: number): number {
    return 4 * CALL + rangePages * WATCH_PASS + this.#typical * WATCH_WRITE;
  }

  /** Whether what was pruned is back: as many entries, or a user that writes far more than others and about as many pages. */
  #lookBack(own: number, written: number): void {
    if (this.#lookFor === 0) return;
    this.#lookFor -= 1;
    this.#freshSince += Math.max(own - (this.#kept ?? own), 0);
    const manyAreBack = this.#prunedOwn >= MANY_PAGES && this.#freshSince * 2 > this.#prunedOwn;
    const ownIsBack = manyAreBack || (written * 2 > this.#prunedOwn && written > 2 * this.#typical + 4);
    const isBack =
      this.#prunedPassed > this.#prunedOwn * WRITE_BACK ? this.#passed * 2 > this.#prunedPassed : ownIsBack;
    if (isBack) {
      this.#patience = Math.min(Math.max(2 * this.#patience, 1), MAX_PATIENCE);
      this.#lookFor = 0;
    } else if (this.#lookFor === 0) {
      this.#patience = this.#patience <= 1 ? 0 : this.#patience / 2;
    }
  }
}
