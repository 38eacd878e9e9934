/** A set of bytes as runs, ascending and apart; small, for what a caller names in a few calls. */

interface Run {
  readonly start: number;
  readonly end: number;
}

export class PageSet {
  #runs: Run[] = [];

  add(start: number, end: number): void {
    const apart = this.#runs.filter((run) => run.end < start || run.start > end);
    const touching = this.#runs.filter((run) => run.end >= start && run.start <= end);
    const joined = {
      start: Math.min(start, ...touching.map((run) => run.start)),
      end: Math.max(end, ...touching.map((run) => run.end)),
    };
    this.#runs = [...apart, joined].toSorted((a, b) => a.start - b.start);
  }

  delete(start: number, end: number): void {
    this.#runs = this.#runs.flatMap((run) =>
      [
        { start: run.start, end: Math.min(run.end, start) },
        { start: Math.max(run.start, end), end: run.end },
      ].filter((rest) => rest.start < rest.end),
    );
  }

  /** The parts of a range that are not in the set. */
  gaps(start: number, end: number): Run[] {
    const gaps: Run[] = [];
    let at = start;
    for (const run of this.#runs) {
      if (run.end <= at) continue;
      if (run.start >= end) break;
      if (run.start > at) gaps.push({ start: at, end: run.start });
      at = run.end;
    }
    if (at < end) gaps.push({ start: at, end });
    return gaps;
  }
}
