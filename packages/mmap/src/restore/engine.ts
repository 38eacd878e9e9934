/**
 * The ways back. What is common to them: bytes are put back first, and only then is anything forgotten or protected
 * again, so that a way that fails in the middle leaves pages that the next one still takes for written.
 *
 *     writeBack ─┬─ without looking? ─▶ drop all, or copy all
 *                ├─ watched? ─▶ written pages: copy ─▶ protect again
 *                │     └ refused ─┐
 *                ├─ can scan? ──▶ own pages: copy, or prune ─▶ watch, if that is cheaper
 *                │     └ refused ─┐
 *                └──────────────▶ copy all
 *
 *     each up to the limit; what lies behind it is left to drop
 */

import { imageDetached, type SystemError } from '../errors.js';
import { checkRuns, pageRuns, type PageRuns } from '../platform/page-runs.js';
import type { VirtualMemory } from '../platform/virtual-memory.js';
import { ApartScan } from './apart.js';
import { eachChanged, type VisitRun } from './changed.js';
import type { Contents } from './contents.js';
import { COPY } from './costs.js';
import { MAX_PROBES, RestorePolicy, type Decision, type Found } from './policy.js';
import { count, staleness } from './probe.js';
import { gaps, pruneRuns } from './prune.js';
import type { Range } from './range.js';
import type { RestoreStrategy } from './strategies.js';
import { Target } from './target.js';
import { Watch } from './watch.js';

/** What an engine works with and for. */
export interface EngineOptions {
  readonly virtualMemory: VirtualMemory;
  readonly allowed: ReadonlySet<RestoreStrategy>;
  readonly onRefusal: (error: SystemError) => void;
}

/** A walk over few pages needs little room, and the kernel makes as much again. */
const FEW_RUNS = 128;
/** As many as the kernel collects at once. */
const MANY_RUNS = 512;
/** Fewer pages are not worth a system call, and the faults after it. */
const MIN_DISCARD_PAGES = 16;

/** Shared by all restorers of the thread: none is in the middle of a restore while another is. */
const fewRuns = pageRuns(FEW_RUNS);
const manyRuns = pageRuns(MANY_RUNS);
const found: Found = { own: 0, zero: 0, file: 0 };

/** Restores one range. Nothing is checked here but what can change between two restores. */
export class Engine {
  readonly target: Target;
  readonly watch: Watch;
  maxResidentBytes = 0;
  readonly #virtualMemory: VirtualMemory;
  readonly #pageBytes: number;
  readonly #allowed: Readonly<Record<RestoreStrategy, boolean>>;
  /** The only way that may be taken, if it is one that looks at nothing. */
  readonly #dropsOnly: boolean;
  readonly #watchesOnly: boolean;
  readonly #scans: boolean;
  /** What may go unseen, with the present contents and limits. */
  readonly #unseen = { drop: false, copy: false };
  readonly #policy = new RestorePolicy();
  /** Where the next walk's runs go. */
  #runs = fewRuns;
  readonly #apart = new ApartScan();

  constructor(range: Range, contents: Contents, { virtualMemory, allowed, onRefusal }: EngineOptions) {
    this.target = new Target(range, contents, virtualMemory, onRefusal);
    const has = (strategy: RestoreStrategy) => allowed.has(strategy);
    this.#allowed = { scan: has('scan'), watch: has('watch'), copy: has('copy'), drop: has('drop') };
    this.watch = new Watch(this.target, has('watch'));
    this.#virtualMemory = virtualMemory;
    this.#pageBytes = virtualMemory.pageSize;
    this.#dropsOnly = allowed.size === 1 && has('drop');
    this.#watchesOnly = allowed.size === 1 && has('watch');
    // Watching begins with a range that was restored somehow.
    this.#scans = (has('scan') || has('watch')) && virtualMemory.canScanDirtyPages;
  }

  /** Most bytes that a restore writes, and that the range keeps. */
  setLimits(maxWriteBackBytes: number, maxResidentBytes: number): void {
    this.target.maxBytes = Math.min(maxWriteBackBytes, maxResidentBytes);
    this.maxResidentBytes = maxResidentBytes;
    this.#findUnseen();
  }

  /** Puts back what may be written, and leaves the rest to drop. */
  writeBack(): void {
    const { target } = this;
    const base = target.start();
    const { byteLength } = target.range;
    if (byteLength === 0) return;
    if (target.maxBytes === 0 || this.#dropsOnly || !target.contents.isAttached) this.#dropFrom(base, 0);
    else if (this.watch.active && this.#restoreWatched(base)) return;
    else if (!this.#scans || byteLength <= this.#pageBytes || !this.#restoreUnwatched(base)) this.#copy(base);
  }

  /** Drops all pages, whatever was written. */
  dropAll(): void {
    const { target } = this;
    const { result } = target;
    const base = target.start();
    if (target.range.byteLength > 0) this.#dropFrom(base, 0);
    if (result.leftBytes > 0) this.#virtualMemory.decommit(base, result.leftBytes);
    this.#policy.dropped();
    result.bytesDropped += result.leftBytes;
    result.leftBytes = 0;
  }

  /** Puts a part back, in bytes, and drops whole pages of it where there are many. Returns how many bytes that were. */
  discard(offset: number, byteLength: number, mayDrop: boolean): number {
    const { target } = this;
    const { contents } = target;
    const pageBytes = this.#pageBytes;
    const base = target.range.locate();
    const end = offset + byteLength;
    const first = Math.ceil(offset / pageBytes) * pageBytes;
    const last = Math.floor(end / pageBytes) * pageBytes;
    const drops = mayDrop && contents.unmappedBytes === 0 && last - first >= MIN_DISCARD_PAGES * pageBytes;
    if (!drops || !target.tryDrop(base + first, last - first)) {
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
    this.watch.end();
    this.#apart.forget();
    this.target.range = range;
    this.target.contents = contents;
    this.#policy.retargeted();
    this.#findUnseen();
  }

  /** Other start bytes, which the range holds already: a watch goes on from here. */
  rebase(contents: Contents): void {
    const { target, watch } = this;
    const base = target.range.locate();
    target.contents = contents;
    this.#policy.retargeted();
    this.#findUnseen();
    if (!watch.active) return this.watchIfCheap();
    this.#policy.watchBegan();
    watch.protectAgain(base);
  }

  /** Visits what may differ from the start, as offsets. */
  eachChanged(visit: VisitRun): void {
    eachChanged(this.target, this.watch.active, manyRuns, visit);
  }

  /**
   * Watches the range, which holds its start bytes, if only copying would restore it and that would cost more, or if
   * nothing else is wanted.
   */
  watchIfCheap(): void {
    if (!this.#allowed.watch || this.watch.active) return;
    if (this.#watchesOnly || this.#policy.watchPays(this.#rangePages, this.#copyCost)) this.#beginToWatch();
  }

  get #rangePages(): number {
    return this.target.range.byteLength / this.#pageBytes;
  }

  /** What it costs to copy what only copying brings back. */
  get #copyCost(): number {
    return (this.target.contents.unmappedBytes / this.#pageBytes) * COPY;
  }

  #findUnseen(): void {
    const { range, contents, maxBytes } = this.target;
    const allowed = this.#allowed;
    this.#unseen.drop = allowed.drop && allowed.scan && contents.unmappedBytes === 0;
    this.#unseen.copy = allowed.copy && allowed.scan && range.byteLength <= maxBytes;
  }

  /** Leaves all from `from` on to be dropped. */
  #dropFrom(base: number, from: number): void {
    // Dropped pages lose their protection and would count as written.
    this.watch.end();
    this.#apart.forget();
    this.target.dropFrom(base, from);
  }

  /** Writes all, up to the limit; images that only copying brings back in any case. */
  #copy(base: number): void {
    const { target } = this;
    const { result, contents, maxBytes } = target;
    const { byteLength } = target.range;
    // What another way wrote before it was refused is written again.
    result.bytesWritten = 0;
    result.bytesDropped = 0;
    result.strategy = 'copy';
    const end = contents.unmappedBytes > 0 && byteLength > maxBytes ? 0 : Math.min(byteLength, maxBytes);
    target.write(base, 0, end);
    result.bytesResident = end;
    if (end < byteLength) this.#dropFrom(base, end);
    else this.watchIfCheap();
  }

  /** False if the system refused: all is to be done again. */
  #restoreUnwatched(base: number): boolean {
    const way = this.#policy.unseen();
    if (way === 'drop' && this.#unseen.drop) this.#dropFrom(base, 0);
    else if (way === 'copy' && this.#unseen.copy) this.#copy(base);
    else return this.#restoreScanned(base);
    return true;
  }

  #restoreScanned(base: number): boolean {
    const { target } = this;
    const { contents, result } = target;
    const { byteLength } = target.range;
    const virtualMemory = this.#virtualMemory;
    result.strategy = 'scan';
    let runs = this.#runs;
    let decision: Decision | undefined;
    try {
      gaps.reset();
      for (const { start, end } of contents.droppables) {
        const upTo = Math.min(end, byteLength);
        gaps.open(base + start);
        for (let at = start; at < upTo; at = runs.walkEnd - base) {
          const isApart =
            decision === undefined && this.#apart.scan(virtualMemory, contents, base, byteLength, runs);
          if (!isApart) virtualMemory.scanPages(base + at, upTo - at, runs);
          if (!isApart && runs === fewRuns && runs.count === FEW_RUNS) {
            // Too many for this one: the walk begins again.
            runs = this.#runs = manyRuns;
            virtualMemory.scanPages(base + at, upTo - at, runs);
          }
          if (!isApart) checkRuns(runs, base + at, upTo - at);
          if (decision === undefined) {
            decision = this.#decide(base, runs, isApart);
            if (decision === 'drop') {
              result.strategy = 'drop';
              this.#dropFrom(base, 0);
              return true;
            }
          }
          if (decision === 'prune') {
            pruneRuns(target, base, runs);
            continue;
          }
          const over = runs.count === 0 ? undefined : target.writeRuns(base, runs);
          if (over === undefined) continue;
          this.#policy.cut(target.result.bytesWritten / this.#pageBytes);
          this.#dropFrom(base, over);
          return true;
        }
        if (decision === 'prune') gaps.close(virtualMemory, base + upTo);
      }
    } catch (error) {
      target.refused(error);
      return false;
    }
    if (contents.unmappedBytes > 0) target.writeUnmapped(base);
    if (decision === 'prune' && !this.#dropGaps()) return false;
    if (decision === 'watch') this.#beginToWatch();
    else if (this.#watchesOnly || contents.unmappedBytes > 0) this.watchIfCheap();
    return true;
  }

  /** What to do beyond writing back what the first scan found. */
  #decide(base: number, runs: PageRuns, isApart: boolean): Decision {
    const allowed = this.#allowed;
    if (!allowed.drop && !allowed.watch) return 'keep';
    if (!allowed.scan) return 'watch';
    const { byteLength } = this.target.range;
    const rangePages = byteLength / this.#pageBytes;
    const isWhole = runs.walkEnd === base + byteLength;
    if (!isApart && runs.count === 0 && isWhole && this.#policy.foundNothing(rangePages, this.#unseen))
      return 'keep';
    if (runs.count < FEW_RUNS / 2) this.#runs = fewRuns;
    count(runs, this.#pageBytes, found);
    if (isApart) found.zero = this.#apart.zeroPages;
    const probes = this.#policy.probesFor(found.own);
    let stale = probes === 0 ? undefined : this.#staleness(base, runs, probes);
    if (stale !== undefined && stale > 0 && probes < MAX_PROBES)
      stale = this.#staleness(base, runs, MAX_PROBES);
    const decision = this.#policy.decide(found, stale, rangePages, this.#unseen);
    if (decision !== 'keep') this.#apart.forget();
    else if (!isApart && isWhole) this.#apart.counted(found.zero, this.target.contents, byteLength);
    if (decision === 'watch') return this.watch.isPossible ? 'watch' : 'keep';
    return allowed.drop ? decision : 'keep';
  }

  #staleness(base: number, runs: PageRuns, probes: number): number {
    const most = Math.min(probes, found.own);
    return staleness(runs, found.own, most, this.target.contents, base, this.#pageBytes);
  }

  #dropGaps(): boolean {
    try {
      gaps.flush(this.#virtualMemory);
    } catch (error) {
      this.#policy.pruneFailed();
      this.target.refused(error);
      return false;
    }
    this.target.result.bytesDropped = gaps.bytesDropped;
    this.#policy.pruned(this.target.result.bytesWritten / this.#pageBytes);
    return true;
  }

  #beginToWatch(): void {
    this.watch.begin();
    if (this.watch.active) this.#policy.watchBegan();
  }

  /** False if the system refused: all is to be done again. */
  #restoreWatched(base: number): boolean {
    const { target, watch } = this;
    target.result.strategy = 'watch';
    const over = watch.writeBack(base, manyRuns);
    if (over === 'refused') return false;
    if (over !== 'all') this.#cutWatched(base, over);
    else if (this.#watchesOn(base)) watch.protectAgain(base);
    else watch.end();
    return true;
  }

  /** What was kept from earlier restores in front of `from` counts as well, and images that only copying brings back. */
  #cutWatched(base: number, from: number): void {
    if (this.watch.bytes > this.maxResidentBytes) this.watch.trim(base, manyRuns);
    this.#dropFrom(base, from);
    this.target.result.bytesResident = this.watch.bytes;
  }

  #watchesOn(base: number): boolean {
    const { watch, maxResidentBytes } = this;
    const mayTrim = !this.#allowed.scan || this.#policy.watchesForMore(this.#copyCost);
    if (watch.bytes > maxResidentBytes && mayTrim && !watch.trim(base, manyRuns)) return false;
    if (!this.#allowed.scan) return true;
    // Without a watch the next scan finds what was written once, and drops what is too much of it.
    if (watch.bytes > maxResidentBytes) return false;
    const writtenPages = this.target.result.bytesWritten / this.#pageBytes;
    const heldPages = watch.bytes / this.#pageBytes;
    return this.#policy.watchesOn(writtenPages, heldPages, this.#rangePages, this.#copyCost);
  }
}
