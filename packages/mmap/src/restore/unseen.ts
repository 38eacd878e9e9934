/**
 * Ways that do not look: dropping everything, for users that write other pages each time or none, and writing everything,
 * for those that write nearly all. Which of them is better than a scan only scans can tell, so each goes on for a number of
 * restores and then two scans follow; the number doubles as long as they confirm it.
 *
 *     scans ──MIN_WINS comparisons won──▶ unseen × 8 ──▶ 2 scans ──won again──▶ unseen × 16 ...
 *       ▲                                                  └──lost──┐
 *       └───────────────────────────────────────────────────────────┘
 */

import { COPY, DROP, DROP_CALL, FAULT_OWN, PASS_NOTHING, SCAN_CALL, WRITE_BACK } from './costs.js';

/** A way that does not look. */
export type Unseen = 'drop' | 'copy';

/** What a scan found, in pages, and nanoseconds. */
export interface Evidence {
  /** Written by the user, in all, and of those the pages that were there before. */
  written: number;
  reused: number;
  /** What entries that hold nothing cost the scan, and what getting them back would cost after a drop. */
  passed: number;
  passedFaults: number;
  rangePages: number;
}

const MIN_WINS = 3;
const FIRST = 8;
const MOST: Readonly<Record<Unseen, number>> = { drop: 128, copy: 16 };
/** How much better a way must look. */
const MARGIN = 1.15;
/** Of the last comparisons: the newest counts a quarter. */
const NEWEST = 0.25;

/** One range's choice. */
export class UnseenWays {
  #way: Unseen = 'drop';
  /** Restores that are left to do so. */
  #left = 0;
  #next = FIRST;
  #wins = 0;
  /** Pages that were written again, and all pages that were, on the average; -1 before the first comparison. */
  #reused = -1;
  #written = 0;

  /** Whether the next restore looks at nothing, and what it does then. Asked once a restore. */
  next(): Unseen | undefined {
    if (this.#left === 0) return undefined;
    this.#left -= 1;
    return this.#way;
  }

  /** A scan found that much. `allowed` are the ways that may be taken. */
  compare(
    { written, reused, passed, passedFaults, rangePages }: Evidence,
    allowed: Readonly<Record<Unseen, boolean>>,
  ): void {
    this.#reused = this.#reused < 0 ? reused : this.#reused + NEWEST * (reused - this.#reused);
    this.#written += NEWEST * (written - this.#written);
    // Stale pages are left out, for they can be pruned.
    const scanning = SCAN_CALL + rangePages * PASS_NOTHING + written * WRITE_BACK + passed;
    const dropping = DROP_CALL + written * DROP + this.#reused * FAULT_OWN + passedFaults;
    const copying = 2 * DROP_CALL + rangePages * COPY;
    if (allowed.drop && scanning > MARGIN * dropping) this.#won('drop');
    else if (allowed.copy && Math.min(written, this.#written) * WRITE_BACK > MARGIN * copying)
      this.#won('copy');
    else {
      this.#wins = 0;
      this.#next = FIRST;
    }
  }

  /** The restores that were meant to go unseen have an end: something is different. */
  stop(): void {
    this.#left = 0;
  }

  #won(way: Unseen): void {
    if (way !== this.#way) {
      this.#way = way;
      this.#wins = 0;
      this.#next = FIRST;
    }
    this.#wins += 1;
    if (this.#wins < MIN_WINS) return;
    // The next time one comparison is enough.
    this.#wins = MIN_WINS - 1;
    this.#left = this.#next;
    this.#next = Math.min(2 * this.#next, MOST[way]);
  }
}
