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
 * paid. A load that is large beside a usual restore goes at once, the first time, and that of a user who is far fatter than
 * all before with its own restore; where that proves wrong, since it is back soon, patience grows.
 */
import {
  COMPARE,
  DROP,
  DROP_CALL,
  DROP_OWN,
  FAULT_FILE,
  FAULT_OWN,
  FAULT_ZERO,
  PASS_FILE,
  PASS_ZERO,
  SCAN_CALL,
  WATCH_CHANGE,
  WATCH_PASS,
  WATCH_WRITE,
  WRITE_BACK,
} from './costs.js';
import { UnseenWays, type Evidence, type Unseen } from './unseen.js';

/** What to do beyond putting the bytes back; `'drop'`: instead of that. */
export type Decision = 'keep' | 'prune' | 'watch' | 'drop';

/** Restores of a page in a probe's time, so that probing takes about 3 % of a restore. */
const PROBES_PER_PAGE = 1 / 32;
/** Most pages that are compared to learn how many were written. */
export const MAX_PROBES = 8;
/** A load of this part of a usual restore is large. */
const LARGE = 0.4;
const MAX_PATIENCE = 64;
/** How much faster patience grows than it goes: each time that it was too short has cost a drop and all its faults. */
const PATIENCE_GROWS = 4;
/** Of the last restores: the newest counts a quarter. */
const NEWEST = 0.25;
/** How much cheaper another way must look before it is taken. */
const MARGIN = 1.5;
/** So many pruned pages are missed one by one, too. */
const MANY_PAGES = 32;
/** Restores after which it is known what is usual, and how many times that a user who is not writes. */
const SEEN_ENOUGH = 8;
const FAT = 4;

/** Pages that a walk found. */
export interface Found {
  own: number;
  zero: number;
  file: number;
}

/** Shared by all of a thread, as one is at work at a time. */
const evidence: Evidence = { written: 0, reused: 0, passed: 0, passedFaults: 0, rangePages: 0 };

/** One range's memory of its last restores. */
export class RestorePolicy {
  readonly #unseen = new UnseenWays();
  /** Pages that a user writes, and from how many scans that is known. */
  #typical = 0;
  #seen = 0;
  /** Own pages that the last restore left; `undefined` if that is not known. */
  #kept: number | undefined;
  #probes = 0;
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
  /** The load that watching began with, its parts, and its price. */
  #watchedLoad = 0;
  #watchedOwn = 0;
  #watchedPassed = 0;
  #watchedPrice = 0;
  /** Whether the next scan prunes in any case. */
  #wasWatched = false;

  /** Whether a restore goes without looking, and how. Asked once a restore. */
  unseen(): Unseen | undefined {
    const way = this.#unseen.next();
    if (way === 'drop') this.#kept = 0;
    else if (way === 'copy') this.#kept = undefined;
    return way;
  }

  /** How many of `own` pages to compare, to learn how many were written. */
  probesFor(own: number): number {
    // A page that nobody wrote before was written now; what was not written shows at the next restore.
    if (own > (this.#kept ?? 0)) this.#probes = MAX_PROBES;
    this.#probes += own * PROBES_PER_PAGE;
    if (this.#probes < 1) return 0;
    const probes = Math.min(Math.floor(this.#probes), MAX_PROBES, own);
    this.#probes = 0;
    return probes;
  }

  /** A scan found nothing that is there. Returns false where more is to be thought about. */
  foundNothing(rangePages: number, allowed: Readonly<Record<Unseen, boolean>>): boolean {
    if (this.#lookFor > 0 || this.#wasWatched) return false;
    this.#staleOwn = 0;
    this.#passed = 0;
    this.#passedFaults = 0;
    this.#load = 0;
    this.#learn(0);
    if (this.#kept === 0) this.#compare(0, 0, rangePages, allowed);
    this.#kept = 0;
    return true;
  }

  /**
   * Decides on a restore by scan.
   *
   * @param stale - the part of the own pages that nobody wrote, from 0 to 1; `undefined` if none was compared
   * @param allowed - what of the unseen ways may be taken from now on
   */
  decide(
    found: Found,
    stale: number | undefined,
    rangePages: number,
    allowed: Readonly<Record<Unseen, boolean>>,
  ): Decision {
    const { own, zero, file } = found;
    const kept = this.#kept;
    // As the last time, and nothing to think about: what follows would come to the same.
    if (own === kept && own > 0 && zero + file === 0 && stale === undefined && this.#isQuiet()) {
      this.#learn(own);
      this.#paidOwn = 0;
      return 'keep';
    }
    const fresh = kept === undefined ? 0 : Math.max(own - kept, 0);
    // Not compared: as it was, as far as it can be.
    this.#staleOwn = stale === undefined ? Math.min(this.#staleOwn, own) : Math.round(own * stale);
    const written = own - this.#staleOwn;
    this.#passed = zero * PASS_ZERO + file * PASS_FILE;
    this.#passedFaults = zero * (DROP + FAULT_ZERO) + file * (DROP + FAULT_FILE);
    this.#lookBack(own, written);
    if (allowed.drop && this.#isOutlier(fresh)) return this.#dropOutlier(own);
    this.#learn(written);
    this.#load = this.#staleOwn * WRITE_BACK + this.#passed;
    this.#price = 2 * DROP_CALL + this.#staleOwn * (DROP + FAULT_OWN) + this.#passedFaults;
    // Of a user's pages those were there already that did not come on top. After a drop nobody knows which would have been.
    const isKnown = own === 0 || (kept !== undefined && kept > 0 && stale !== undefined);
    if (isKnown) this.#compare(written, Math.max(written - fresh, 0), rangePages, allowed);
    this.#kept = own;
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
    // What was written under watch was no load: only scans write it back again and again.
    this.#prunedOwn = this.#wasWatched ? Math.min(this.#staleOwn, this.#watchedOwn) : this.#staleOwn;
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

  /** The limit left so many own pages: what was found behind them goes, and comes on top again if it is wanted. */
  cut(keptPages: number): void {
    this.#kept = keptPages;
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
    this.#watchedOwn = this.#staleOwn;
    this.#watchedPassed = this.#passed;
    this.#watchedPrice = this.#price;
    this.#paidOwn = 0;
    this.#paidPassed = 0;
    this.#kept = undefined;
  }

  /**
   * Whether a range is watched for more than pages that were written once, of which nothing is left when they are dropped: for entries
   * that were read, or for what is `copied` without watching.
   */
  watchesForMore(copied: number): boolean {
    return this.#watchedPassed + copied > this.#watchedOwn * WRITE_BACK;
  }

  /**
   * Decides whether a range is watched on, of which `written` pages were written, and that holds at most `held` pages of its own.
   * Without watching, each restore would copy for `copied` nanoseconds what only copying brings back. Pruning needs a scan: it is
   * the next restore that does it, and it compares and drops all that was written since watching began.
   */
  watchesOn(written: number, held: number, rangePages: number, copied: number): boolean {
    this.#learn(written);
    if (this.#watchCost(rangePages) > MARGIN * (this.#watchedLoad + copied)) return false;
    this.#paidPassed += rangePages * WATCH_PASS + 2 * SCAN_CALL;
    const price = this.#watchedPrice + rangePages * WATCH_CHANGE + held * (COMPARE + DROP_OWN);
    if (copied > 0 || this.#paidPassed <= Math.max(this.#patience, 1) * price) return true;
    this.#wasWatched = true;
    return false;
  }

  /** Whether there is no load, and nothing to look for. */
  #isQuiet(): boolean {
    return this.#lookFor === 0 && this.#staleOwn === 0 && this.#load === 0;
  }

  #compare(
    written: number,
    reused: number,
    rangePages: number,
    allowed: Readonly<Record<Unseen, boolean>>,
  ): void {
    evidence.written = written;
    evidence.reused = reused;
    evidence.passed = this.#passed;
    evidence.passedFaults = this.#passedFaults;
    evidence.rangePages = rangePages;
    this.#unseen.compare(evidence, allowed);
  }

  #learn(written: number): void {
    this.#seen += 1;
    this.#typical += NEWEST * (written - this.#typical);
    // Compare every time while there is something to find.
    if (this.#staleOwn > 0) this.#probes = MAX_PROBES;
  }

  /** Whether a user wrote far more than is usual: dropping it all costs less than writing it back, and nobody else is to pay for it. */
  #isOutlier(fresh: number): boolean {
    const isFat = fresh > MANY_PAGES && fresh > FAT * (this.#typical + FAT);
    return isFat && this.#patience === 0 && this.#seen >= SEEN_ENOUGH;
  }

  #dropOutlier(own: number): Decision {
    this.#staleOwn = Math.round(own - this.#typical);
    this.#load = this.#staleOwn * WRITE_BACK + this.#passed;
    this.#price = 2 * DROP_CALL + this.#staleOwn * (DROP + FAULT_OWN) + this.#passedFaults;
    this.pruned(0);
    return 'drop';
  }

  #wantsPrune(rangePages: number): boolean {
    if (this.#load === 0) return false;
    if (this.#wasWatched) return true;
    const usual = 2 * SCAN_CALL + rangePages + this.#typical * WRITE_BACK;
    if (this.#patience === 0 && this.#load > LARGE * usual) return true;
    return this.#paidOwn + this.#paidPassed > Math.max(this.#patience, 1) * this.#price;
  }

  #watchCost(rangePages: number): number {
    return 4 * SCAN_CALL + rangePages * WATCH_PASS + this.#typical * WATCH_WRITE;
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
      this.#patience = Math.min(Math.max(PATIENCE_GROWS * this.#patience, 1), MAX_PATIENCE);
      this.#lookFor = 0;
    } else if (this.#lookFor === 0) {
      this.#patience = this.#patience <= 1 ? 0 : this.#patience / 2;
    }
  }
}
