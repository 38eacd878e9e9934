/** Having the kernel note first writes to a range: by write protection, which each restore puts back on what it wrote. */

import { checkRuns, type PageRuns } from '../platform/page-runs.js';
import type { Target } from './target.js';

/** Whether, and since when, a range is watched. */
export class Watch {
  active = false;
  /** The range's own bytes in RAM when watching began, and all that was written since: at least as many as there are. */
  bytes = 0;
  readonly #target: Target;
  readonly #allowed: boolean;
  #address = 0;

  /** @param allowed - whether the user of the range lets it be watched */
  constructor(target: Target, allowed: boolean) {
    this.#target = target;
    this.#allowed = allowed;
  }

  /** Whether this system can. Asked late: it takes a descriptor. */
  get isPossible(): boolean {
    const { virtualMemory } = this.#target;
    return this.#allowed && virtualMemory.canScanDirtyPages && virtualMemory.canWatchWrites;
  }

  /** Watches the range, which holds its start bytes. A refusal is no failure: it is restored by other means. */
  begin(): void {
    const { range, virtualMemory, result } = this.#target;
    if (!this.isPossible || this.active || range.byteLength === 0) return;
    const address = range.locate();
    try {
      virtualMemory.watchWrites(address, range.byteLength);
    } catch (error) {
      this.#target.refused(error);
      return;
    }
    range.pin(1);
    this.active = true;
    this.#address = address;
    this.bytes = result.bytesResident;
  }

  /** Ends watching. */
  end(): void {
    if (!this.active) return;
    this.active = false;
    const { range, virtualMemory } = this.#target;
    range.pin(-1);
    // Of a closed map the addresses may be somebody else's by now.
    if (!range.isOpen) return;
    try {
      virtualMemory.unwatchWrites(this.#address, range.byteLength);
    } catch (error) {
      // Pages that are still protected were not written since they were restored.
      this.#target.refused(error);
    }
  }

  /**
   * Writes back what was written since the last restore. Returns the offset behind which the limit left it undone, or `'all'`; `'refused'`
   * if the system did: then all is to be done again by other means.
   */
  writeBack(base: number, runs: PageRuns): number | 'all' | 'refused' {
    const target = this.#target;
    const { byteLength } = target.range;
    try {
      for (let at = base; at < base + byteLength; at = runs.walkEnd) {
        target.virtualMemory.scanWrittenPages(at, base + byteLength - at, runs);
        checkRuns(runs, at, base + byteLength - at);
        const over = target.writeRuns(base, runs);
        if (over !== undefined) {
          this.#add(over + target.contents.unmappedBytes);
          return over;
        }
      }
    } catch (error) {
      target.refused(error);
      this.end();
      return 'refused';
    }
    this.#add(byteLength);
    return 'all';
  }

  /** What was written came on top of what was there, of which no more than `most` is kept. */
  #add(most: number): void {
    const { result } = this.#target;
    this.bytes = Math.min(this.bytes + result.bytesWritten, most);
    result.bytesResident = this.bytes;
  }

  /**
   * Drops the range's own pages in memory that were not written since the last restore; what was is to be protected afterwards. False
   * if the system refused: any of them may be gone then. `runs` is written over.
   */
  trim(base: number, runs: PageRuns): boolean {
    const { contents, range, result, virtualMemory } = this.#target;
    let bytesDropped = 0;
    try {
      for (const { start, end } of contents.droppables) {
        const upTo = base + Math.min(end, range.byteLength);
        for (let at = base + start; at < upTo; at = runs.walkEnd) {
          virtualMemory.scanUnwrittenPages(at, upTo - at, runs);
          checkRuns(runs, at, upTo - at);
          const { starts, ends: byteLengths, count } = runs;
          for (let i = 0; i < count; i++) {
            byteLengths[i]! -= starts[i]!;
            bytesDropped += byteLengths[i]!;
          }
          if (count > 0) virtualMemory.decommitMany(starts, byteLengths, count);
        }
      }
    } catch (error) {
      this.#target.refused(error);
      return false;
    }
    result.bytesDropped += bytesDropped;
    this.bytes = Math.min(contents.unmappedBytes + result.bytesWritten, range.byteLength);
    result.bytesResident = this.bytes;
    return true;
  }

  /** After the copying, whose own writes would be noted else. */
  protectAgain(base: number): void {
    const target = this.#target;
    try {
      target.virtualMemory.protectWrittenPages(base, target.range.byteLength);
    } catch (error) {
      target.refused(error);
      this.end();
    }
  }
}
