/**
 * The ways back. What is common to them: bytes are put back first, and only then is anything forgotten or protected
 * again, so that a way that fails in the middle leaves pages that the next one still takes for written.
 *
 *     writeBack ─┬─ watched? ─▶ written pages: copy ─▶ protect again
 *                │     └ refused ─┐
 *                ├─ can scan? ──▶ own pages: copy, or prune ─▶ watch, if that is cheaper
 *                │     └ refused ─┐
 *                └──────────────▶ copy all
 *
 *     each up to the limit; what lies behind it is left to drop
 */

import { imageDetached, SystemError } from '../errors.js';
import { PageKind, pageRuns } from '../platform/page-runs.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import type { Contents } from './contents.js';
import { COPY } from './costs.js';
import { Gaps } from './gaps.js';
import { MAX_PROBES, RestorePolicy, type Decision, type Found } from './policy.js';
import { count, staleness } from './probe.js';
import type { Range } from './range.js';

/** Ways to restore. */
export const RESTORE_STRATEGIES = ['scan', 'watch', 'copy', 'drop'] as const;
/**
 * How a range was restored:
 * - `'scan'`: pages of its own were found by `PAGEMAP_SCAN` and written back.
 * - `'watch'`: the kernel noted which pages were written since the last restore, by write protection; those were written back.
 * - `'copy'`: everything was written, up to the limits.
 * - `'drop'`: the pages were dropped.
 */
export type RestoreStrategy = (typeof RESTORE_STRATEGIES)[number];

/** What a restore did. One object a restorer, reused. */
export interface RestoreResult {
  readonly strategy: RestoreStrategy;
  /** Bytes that were written back. */
  readonly bytesWritten: number;
  /** Bytes, resident or not, whose pages were dropped. */
  readonly bytesDropped: number;
  /** Bytes of its own that the range keeps in RAM, at most. */
  readonly bytesResident: number;
  /** Where the pages lie that {@link PageRestorer.writeBack} left to drop. */
  readonly leftOffset: number;
  /** Their length; 0 after {@link PageRestorer.restore}. */
  readonly leftBytes: number;
}

/** What an engine works with and for. */
export interface EngineOptions {
  readonly virtualMemory: VirtualMemory;
  readonly allowed: ReadonlySet<RestoreStrategy>;
  readonly onRefusal: (error: SystemError) => void;
}

const MAX_RUNS = 1024;
/** Fewer pages are not worth a system call, and the faults after it. */
const MIN_DISCARD_PAGES = 16;

/** Shared by all restorers of the thread: none is in the middle of a restore while another is. */
const runs = pageRuns(MAX_RUNS);
const gaps = new Gaps();
const found: Found = { own: 0, zero: 0, file: 0 };

/** Restores one range. Nothing is checked here but what can change between two restores. */
export class Engine {
  readonly result: { -readonly [K in keyof RestoreResult]: RestoreResult[K] } = {
    strategy: 'drop',
    bytesWritten: 0,
    bytesDropped: 0,
    bytesResident: 0,
    leftOffset: 0,
    leftBytes: 0,
  };
  range: Range;
  contents: Contents;
  /** Most bytes that a restore writes and keeps. */
  maxBytes = 0;
  maxResidentBytes = 0;
  watching = false;
  readonly #virtualMemory: VirtualMemory;
  readonly #pageBytes: number;
  readonly #allowed: ReadonlySet<RestoreStrategy>;
  readonly #onRefusal: (error: SystemError) => void;
  #policy = new RestorePolicy();
  #watchedAddress = 0;
  /** The range's own bytes in RAM when watching began, and all that was written since: at least as many as there are. */
  #watchedBytes = 0;

  constructor(range: Range, contents: Contents, { virtualMemory, allowed, onRefusal }: EngineOptions) {
    this.range = range;
    this.contents = contents;
    this.#virtualMemory = virtualMemory;
    this.#pageBytes = virtualMemory.pageSize;
    this.#allowed = allowed;
    this.#onRefusal = onRefusal;
  }

  /** Puts back what may be written, and leaves the rest to drop. */
  writeBack(): void {
    const base = this.#start();
    const { byteLength } = this.range;
    if (byteLength === 0) return;
    if (this.maxBytes === 0 || !this.contents.isAttached || this.#prefersDrop) this.#dropFrom(base, 0);
    else if (this.watching && this.#restoreWatched(base)) return;
    else if (this.#scans && byteLength > this.#pageBytes && this.#restoreScanned(base)) return;
    else this.#copy(base);
  }

  /** Drops what {@link Engine.writeBack} left, or writes it where the system refuses. */
  dropLeft(): void {
    const { result } = this;
    const { leftOffset, leftBytes } = result;
    if (leftBytes === 0) return;
    const base = this.range.locate();
    try {
      this.#virtualMemory.decommit(base + leftOffset, leftBytes);
      result.bytesDropped += leftBytes;
    } catch (error) {
      // Locked pages, for one, cannot be dropped.
      this.#refused(error);
      if (!this.contents.isAttached) throw error;
      this.#write(base, leftOffset, leftOffset + leftBytes);
      result.bytesResident += leftBytes;
    }
    result.leftBytes = 0;
  }

  /** Drops all pages, whatever was written. */
  dropAll(): void {
    const base = this.#start();
    if (this.range.byteLength > 0) this.#dropFrom(base, 0);
    const { result } = this;
    if (result.leftBytes > 0) this.#virtualMemory.decommit(base, result.leftBytes);
    this.#policy.dropped();
    result.bytesDropped += result.leftBytes;
    result.leftBytes = 0;
  }

  /** Puts a part back, in bytes, and drops whole pages of it where there are many. Returns how many bytes that were. */
  discard(offset: number, byteLength: number, mayDrop: boolean): number {
    const { contents } = this;
    const pageBytes = this.#pageBytes;
    const base = this.range.locate();
    const end = offset + byteLength;
    const first = Math.ceil(offset / pageBytes) * pageBytes;
    const last = Math.floor(end / pageBytes) * pageBytes;
    const drops = mayDrop && contents.unmappedBytes === 0 && last - first >= MIN_DISCARD_PAGES * pageBytes;
    if (!drops || !this.#tryDrop(base + first, last - first)) {
      if (!contents.isAttached) throw imageDetached();
      contents.write(base, offset, end);
      return 0;
    }
    if (first > offset || end > last) {
      if (!contents.isAttached) throw imageDetached();
      contents.write(base, offset, first);
      contents.write(base, last, end);
    }
    return last - first;
  }

  /** Other pages, or start bytes, or both. */
  retarget(range: Range, contents: Contents): void {
    this.unwatch();
    this.range = range;
    this.contents = contents;
    this.#policy.retargeted();
  }

  /** Visits what may differ from the start, as offsets. */
  eachChanged(visit: (start: number, end: number) => void): void {
    const base = this.range.locate();
    const { byteLength } = this.range;
    if (byteLength === 0) return;
    if (!this.watching && !this.#virtualMemory.canScanDirtyPages) {
      visit(0, byteLength);
      return;
    }
    let known = 0;
    if (this.watching) known = this.#visitRuns(base, 0, byteLength, visit);
    else {
      for (const { start, end } of this.contents.droppables) {
        if (start >= byteLength) break;
        if (known < start) visit(known, start);
        known = this.#visitRuns(base, start, Math.min(end, byteLength), visit);
      }
    }
    if (known < byteLength) visit(known, byteLength);
  }

  /** Watches the range, which holds its start bytes. A refusal is no failure: it is restored by other means. */
  watch(): void {
    if (!this.#mayWatch || this.watching || this.range.byteLength === 0) return;
    const address = this.range.locate();
    try {
      this.#virtualMemory.watchWrites(address, this.range.byteLength);
    } catch (error) {
      this.#refused(error);
      return;
    }
    this.range.pin(1);
    this.watching = true;
    this.#watchedAddress = address;
    this.#watchedBytes = this.result.bytesResident;
    this.#policy.watchBegan();
  }

  /**
   * Watches the range, which holds its start bytes, if only copying would restore it and that would cost more, or if
   * nothing else is wanted.
   */
  watchIfCheap(): void {
    if (this.watching || !this.#allowed.has('watch')) return;
    const copied = (this.contents.unmappedBytes / this.#pageBytes) * COPY;
    if (this.#policy.watchPays(this.#rangePages, copied) || this.#allowed.size === 1) this.watch();
  }

  /** Ends watching. */
  unwatch(): void {
    if (!this.watching) return;
    this.watching = false;
    this.range.pin(-1);
    // Of a closed map the addresses may be somebody else's by now.
    if (!this.range.isOpen) return;
    try {
      this.#virtualMemory.unwatchWrites(this.#watchedAddress, this.range.byteLength);
    } catch (error) {
      // Pages that are still protected were not written since they were restored.
      this.#refused(error);
    }
  }

  get #prefersDrop(): boolean {
    if (!this.#allowed.has('drop')) return false;
    if (this.#allowed.size === 1) return true;
    if (this.watching || this.contents.unmappedBytes > 0 || !this.#allowed.has('scan')) return false;
    return this.#policy.prefersDrop();
  }

  get #scans(): boolean {
    // Watching begins with a range that was restored somehow.
    const wanted = this.#allowed.has('scan') || this.#allowed.has('watch');
    return wanted && this.#virtualMemory.canScanDirtyPages;
  }

  get #mayWatch(): boolean {
    return (
      this.#allowed.has('watch') &&
      this.#virtualMemory.canScanDirtyPages &&
      this.#virtualMemory.canWatchWrites
    );
  }

  get #rangePages(): number {
    return this.range.byteLength / this.#pageBytes;
  }

  #start(): number {
    const { result } = this;
    result.strategy = 'drop';
    result.bytesWritten = 0;
    result.bytesDropped = 0;
    result.bytesResident = 0;
    result.leftOffset = 0;
    result.leftBytes = 0;
    return this.range.locate();
  }

  #tryDrop(address: number, byteLength: number): boolean {
    try {
      this.#virtualMemory.decommit(address, byteLength);
      return true;
    } catch (error) {
      this.#refused(error);
      return false;
    }
  }

  #refused(error: unknown): void {
    if (!(error instanceof SystemError)) throw error;
    this.#onRefusal(error);
  }

  #write(base: number, start: number, end: number): void {
    this.contents.write(base, start, end);
    this.result.bytesWritten += end - start;
  }

  /**
   * Leaves all from `from` on to be dropped. Where there are images that dropping does not bring back, those are written,
   * and their neighbours are dropped now.
   */
  #dropFrom(base: number, from: number): void {
    // Dropped pages lose their protection and would count as written.
    this.unwatch();
    const { result, contents } = this;
    const { byteLength } = this.range;
    if (contents.unmappedBytes === 0) {
      result.leftOffset = from;
      result.leftBytes = byteLength - from;
      return;
    }
    if (!contents.isAttached) throw imageDetached();
    for (const droppable of contents.droppables) {
      const start = Math.max(droppable.start, from);
      const end = Math.min(droppable.end, byteLength);
      if (start >= end) continue;
      this.#virtualMemory.decommit(base + start, end - start);
      result.bytesDropped += end - start;
    }
    this.#writeUnmapped(base);
  }

  #writeUnmapped(base: number): void {
    const written = this.contents.writeUnmapped(base);
    this.result.bytesWritten += written;
    this.result.bytesResident += written;
  }

  /** Writes all, up to the limit; images that only copying brings back in any case. */
  #copy(base: number): void {
    const { result, contents, maxBytes } = this;
    const { byteLength } = this.range;
    // What another way wrote before it was refused is written again.
    result.bytesWritten = 0;
    result.bytesDropped = 0;
    result.strategy = 'copy';
    const end = contents.unmappedBytes > 0 && byteLength > maxBytes ? 0 : Math.min(byteLength, maxBytes);
    this.#write(base, 0, end);
    result.bytesResident = end;
    if (end < byteLength) this.#dropFrom(base, end);
    else this.watchIfCheap();
  }

  /** False if the system refused: all is to be done again. */
  #restoreScanned(base: number): boolean {
    const { byteLength } = this.range;
    this.result.strategy = 'scan';
    let decision: Decision | undefined;
    try {
      gaps.reset();
      for (const { start, end } of this.contents.droppables) {
        const upTo = Math.min(end, byteLength);
        gaps.open(base + start);
        for (let at = start; at < upTo; at = runs.walkEnd - base) {
          this.#virtualMemory.scanPages(base + at, upTo - at, runs);
          decision ??= this.#decide(base);
          const over = decision === 'prune' ? this.#pruneRuns(base) : this.#writeRuns(base);
          if (over === undefined) continue;
          this.#dropFrom(base, over);
          return true;
        }
        if (decision === 'prune') gaps.close(this.#virtualMemory, base + upTo);
      }
    } catch (error) {
      this.#refused(error);
      return false;
    }
    if (this.contents.unmappedBytes > 0) this.#writeUnmapped(base);
    if (decision === 'prune' && !this.#dropGaps()) return false;
    if (decision === 'watch') this.watch();
    else this.watchIfCheap();
    return true;
  }

  /** Writes what a scan found, up to the limit; returns the offset behind which it did not. */
  #writeRuns(base: number): number | undefined {
    const { result } = this;
    for (let i = 0; i < runs.count; i++) {
      if (runs.kinds[i] === PageKind.FILE) continue;
      const start = runs.starts[i]! - base;
      const end = runs.ends[i]! - base;
      // Over an image a page of zeros is one that was written, and that KSM found to hold nothing else.
      if (runs.kinds[i] === PageKind.ZERO && !this.contents.touchesImage(start, end)) continue;
      const upTo = Math.min(end, start + this.maxBytes - result.bytesWritten);
      if (upTo > start) this.#write(base, start, upTo);
      result.bytesResident = result.bytesWritten;
      if (upTo < end) return upTo;
    }
    return undefined;
  }

  /** Writes only pages that differ from the start, and collects the gaps between them, which hold nothing that anybody needs. */
  #pruneRuns(base: number): undefined {
    const { result, contents } = this;
    const pageBytes = this.#pageBytes;
    for (let i = 0; i < runs.count; i++) {
      if (runs.kinds[i] !== PageKind.OWN) continue;
      const end = runs.ends[i]! - base;
      for (let page = runs.starts[i]! - base; page < end; page += pageBytes) {
        if (result.bytesWritten >= this.maxBytes || contents.isClean(base, page, pageBytes)) continue;
        this.#write(base, page, page + pageBytes);
        gaps.keep(this.#virtualMemory, base + page, base + page + pageBytes);
      }
    }
    result.bytesResident = result.bytesWritten;
    return undefined;
  }
  /** What to do beyond writing back what the first scan found. */
  #decide(base: number): Decision {
    if (!this.#allowed.has('drop') && !this.#allowed.has('watch')) return 'keep';
    if (!this.#allowed.has('scan')) return 'watch';
    count(runs, this.#pageBytes, found);
    const probes = this.#policy.probesFor(found.own);
    let stale = probes === 0 ? undefined : this.#staleness(base, probes);
    if (stale !== undefined && stale > 0 && probes < MAX_PROBES) stale = this.#staleness(base, MAX_PROBES);
    const decision = this.#policy.decide(found, stale, this.#rangePages);
    if (decision === 'watch') return this.#mayWatch ? 'watch' : 'keep';
    return this.#allowed.has('drop') ? decision : 'keep';
  }

  #staleness(base: number, probes: number): number {
    const { own } = found;
    return staleness(runs, own, Math.min(probes, own), this.contents, base, this.#pageBytes);
  }

  #dropGaps(): boolean {
    try {
      gaps.flush(this.#virtualMemory);
    } catch (error) {
      this.#policy.pruneFailed();
      this.#refused(error);
      return false;
    }
    this.result.bytesDropped = gaps.bytesDropped;
    this.#policy.pruned(this.result.bytesWritten / this.#pageBytes);
    return true;
  }

  /** False if the system refused: all is to be done again. */
  #restoreWatched(base: number): boolean {
    const { result } = this;
    const { byteLength } = this.range;
    result.strategy = 'watch';
    try {
      for (let at = base; at < base + byteLength; at = runs.walkEnd) {
        this.#virtualMemory.scanWrittenPages(at, base + byteLength - at, runs);
        const over = this.#writeRuns(base);
        if (over === undefined) continue;
        this.#dropFrom(base, over);
        return true;
      }
    } catch (error) {
      this.#refused(error);
      this.unwatch();
      return false;
    }
    this.#watchedBytes = Math.min(this.#watchedBytes + result.bytesWritten, byteLength);
    result.bytesResident = this.#watchedBytes;
    this.#protectAgain(base);
    return true;
  }

  /** After the copying, whose own writes would be noted else. */
  #protectAgain(base: number): void {
    const written = this.result.bytesWritten / this.#pageBytes;
    const decision = this.#keepsWatching(written);
    if (decision !== 'watch') {
      this.unwatch();
      return;
    }
    try {
      this.#virtualMemory.protectWrittenPages(base, this.range.byteLength);
    } catch (error) {
      this.#refused(error);
      this.unwatch();
    }
  }

  #keepsWatching(writtenPages: number): Decision {
    if (!this.#allowed.has('scan')) return 'watch';
    if (this.#watchedBytes > this.maxResidentBytes) return 'keep';
    const { unmappedBytes } = this.contents;
    const copied = (unmappedBytes / this.#pageBytes) * COPY;
    return this.#policy.decideWatched(writtenPages, this.#rangePages, copied);
  }

  #visitRuns(base: number, start: number, end: number, visit: (start: number, end: number) => void): number {
    const virtualMemory = this.#virtualMemory;
    for (let at = base + start; at < base + end; at = runs.walkEnd) {
      if (this.watching) virtualMemory.scanWrittenPages(at, base + end - at, runs);
      else virtualMemory.scanPages(at, base + end - at, runs);
      for (let i = 0; i < runs.count; i++) {
        const [from, to] = [runs.starts[i]! - base, runs.ends[i]! - base];
        const isOwn = runs.kinds[i] === PageKind.OWN;
        if (isOwn || (runs.kinds[i] === PageKind.ZERO && this.contents.touchesImage(from, to)))
          visit(from, to);
      }
    }
    return end;
  }
}
