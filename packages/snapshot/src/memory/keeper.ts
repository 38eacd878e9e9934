/**
 * What is known of one `WebAssembly.Memory`: where its bytes are, what is laid over them, and since when writes to them are
 * watched. There is one keeper for a memory, however many snapshots there are of it; it lives as long as the memory does.
 */
import { addressOf, type PageRestorer, type VirtualMemory } from '@guardstripe/mmap';

import { isShared } from '../target/target.js';
import { webAssembly, type MemoryLike } from '../target/webassembly.js';
import { claim } from './claims.js';
import { Distances } from './distances.js';
import { layOver, mend, ownPages, removeLaid, type Laid, type Range } from './lay.js';
import { LaidMappings } from './mapping-budget.js';
import type { SnapshotMethod } from './method.js';
import { copyBack, differences, joinRuns, type PageRun } from './pages.js';
import { canWatch, rewatch, startRestorer } from './restorer.js';
import type { SavedMemory } from './saved-memory.js';

/** How a snapshot wants its memories kept. */
export interface Keeping {
  /** The fastest way to try; slower ones follow by themselves. */
  readonly method: SnapshotMethod;
  readonly virtualMemory: VirtualMemory | undefined;
}

/**
 * Whether what a keeper knows is so. It is `'changing'` from before the first field changes until the last has: a call that finds it so
 * follows one that was cut off, by an error or by `timeout` of `node:vm`, which runs no `catch` and no `finally`.
 */
type Certainty = 'known' | 'changing';

/** Values refer to their keys here, and that keeps neither alive. */
const keepers = new WeakMap<MemoryLike, MemoryKeeper>();

/** The one keeper of a memory. */
export function keeperOf(memory: MemoryLike): MemoryKeeper {
  let keeper = keepers.get(memory);
  if (keeper === undefined) keepers.set(memory, (keeper = new MemoryKeeper(memory)));
  return keeper;
}

export class MemoryKeeper {
  readonly #memory: MemoryLike;
  readonly #shared: boolean;
  #certainty: Certainty = 'known';
  /** Whether no other copy of the package has it. */
  readonly #isOurs: boolean;
  /** The buffer that {@link #bytes} are of: V8 makes another when the memory grows. */
  #buffer: ArrayBuffer | SharedArrayBuffer | undefined;
  #bytes: Uint8Array = new Uint8Array(0);
  #address: number | undefined;
  /** What the pages of the range are mapped to, where they are not written. */
  #laid: Laid;
  #mappings: LaidMappings | undefined;
  /** What laid it. */
  #layer: VirtualMemory | undefined;
  /** What the memory held when watching began, or at the last restore. Not watched: `undefined`. */
  #saved: SavedMemory | undefined;
  /** Whether its snapshot was closed. It is then still what the memory is compared with, for the sake of others. */
  #isClosed = false;
  readonly #distances = new Distances();
  #restorer: PageRestorer | undefined;
  #method: SnapshotMethod = 'copy';

  constructor(memory: MemoryLike) {
    this.#memory = memory;
    this.#shared = isShared(memory);
    this.#isOurs = claim(memory);
  }

  /** The memory's bytes now. */
  get bytes(): Uint8Array {
    this.#begin();
    this.#certainty = 'known';
    return this.#bytes;
  }

  /** How a saved memory is brought back, as it looks now. */
  methodFor(saved: SavedMemory): SnapshotMethod {
    return this.#saved === saved && this.#certainty === 'known' ? this.#method : 'copy';
  }

  /** Begins to watch. The memory holds exactly the saved bytes. Never fails: the last way needs no help of the system. */
  watch(saved: SavedMemory, keeping: Keeping): void {
    this.#begin();
    this.#watch(saved, keeping);
    this.#certainty = 'known';
  }

  /**
   * Makes the memory hold the saved bytes, and zeros behind them. Whatever the system refuses on the way, it holds them in the
   * end, copied; only pages that it left unmapped make this throw. After a call that was cut off it looks at all of the memory.
   */
  restore(saved: SavedMemory, keeping: Keeping): void {
    const isKnown = this.#begin();
    this.#restore(saved, keeping, isKnown);
    this.#certainty = 'known';
  }

  /** As {@link MemoryKeeper.restore}, but the pages are shared with the saved ones until they are written. */
  fork(saved: SavedMemory, keeping: Keeping): void {
    const isKnown = this.#begin();
    const { method, virtualMemory } = keeping;
    const range = this.#rangeFor(keeping);
    const isKept = this.#saved === saved && isKnown;
    if (isKept || this.#shared || method === 'copy' || range === undefined || virtualMemory === undefined) {
      this.#restore(saved, keeping, isKnown);
    } else {
      this.#stop();
      if (!saved.isLaidOut && this.#laid === undefined) saved.layOut(ownPages(range, virtualMemory));
      this.#layAndWatch(range, saved, virtualMemory);
    }
    this.#certainty = 'known';
  }

  /** Pages whose bytes are not the saved ones. */
  differences(saved: SavedMemory, keeping: Keeping): PageRun[] {
    const isKept = this.#begin() && this.#saved === saved;
    const candidates = isKept ? this.#restorerOf(saved, keeping)?.changedRanges() : undefined;
    this.#certainty = 'known';
    return differences(this.#bytes, saved, saved.pageSize, candidates);
  }

  /** A snapshot was closed: its bytes are gone. */
  forget(saved: SavedMemory): void {
    this.#distances.forget(saved);
    this.#isClosed ||= this.#saved === saved;
    if (!this.#isClosed || !this.#distances.isEmpty) return;
    this.#begin();
    this.#stop();
    this.#certainty = 'known';
  }

  /**
   * Every call that may change what is known begins so, and ends with `'known'`. Returns whether it still is: V8 may have made
   * other pages, and the last call may have been cut off.
   */
  #begin(): boolean {
    const wasCutOff = this.#certainty === 'changing';
    this.#certainty = 'changing';
    const isSame = !this.#refresh();
    if (!wasCutOff) return isSame;
    this.#stop();
    if (this.#laid === undefined) return false;
    this.#laid = 'partly';
    if (this.#layer !== undefined && this.#address !== undefined)
      mend({ address: this.#address, bytes: this.#bytes }, this.#layer);
    return false;
  }

  #watch(saved: SavedMemory, keeping: Keeping): void {
    if (this.#watchOn(saved, keeping)) return;
    const range = this.#rangeFor(keeping);
    this.#stop();
    if (range === undefined || keeping.virtualMemory === undefined) return this.#start(saved, 'copy');
    if (!this.#unlay(range, saved, keeping.virtualMemory)) return this.#start(saved, 'copy');
    if (keeping.method === 'written' && this.#tryWatching(range, saved, 'written', keeping.virtualMemory))
      return;
    if (this.#shared) return this.#start(saved, 'copy');
    this.#layAndWatch(range, saved, keeping.virtualMemory);
  }

  #restore(saved: SavedMemory, keeping: Keeping, isKnown: boolean): void {
    if (this.#saved === saved && isKnown) {
      const restorer = this.#restorerOf(saved, keeping);
      if (restorer === undefined) copyBack(this.#bytes, saved);
      else this.#restoreWatched(restorer, saved);
      return;
    }
    if (isKnown && this.#goTo(saved, keeping)) return;
    this.#dropBehind(saved, keeping);
    copyBack(this.#bytes, saved);
    this.#watch(saved, keeping);
  }

  /** A snapshot was taken just now: the watch goes on for it, and what was written so far is where it differs from the last one. */
  #watchOn(saved: SavedMemory, keeping: Keeping): boolean {
    const written = this.#writtenSince(keeping);
    return written !== undefined && this.#follow(saved, written);
  }

  /** Goes from one snapshot of this memory to another without a look at all of it. False if that is to be done in another way. */
  #goTo(saved: SavedMemory, keeping: Keeping): boolean {
    const distance = this.#distances.to(saved);
    const written = distance && this.#writtenSince(keeping);
    if (distance === undefined || written === undefined) return false;
    copyBack(this.#bytes, saved, joinRuns(distance, written));
    return this.#follow(saved, distance);
  }

  /** What was written since the memory held the last saved bytes; nothing where that cannot be known, or it is not plain pages. */
  #writtenSince({ method }: Keeping): readonly PageRun[] | undefined {
    if (this.#method !== 'written' || method !== 'written' || this.#laid !== undefined) return undefined;
    try {
      return this.#restorer?.changedRanges();
    } catch {
      return undefined;
    }
  }

  /** The memory holds exactly these bytes, and the last ones differ from them at most in `distance`. */
  #follow(saved: SavedMemory, distance: readonly PageRun[]): boolean {
    const last = this.#saved;
    const restorer = this.#restorer;
    if (last === undefined || restorer === undefined) return false;
    if (!rewatch(restorer, saved)) {
      this.#stop();
      return false;
    }
    this.#distances.move(last, saved, distance);
    if (this.#isClosed) this.#distances.forget(last);
    this.#start(saved, 'written', restorer);
    return true;
  }

  /** What restores the memory. Over laid pages it begins when it is needed: most forks never go back. */
  #restorerOf(saved: SavedMemory, keeping: Keeping): PageRestorer | undefined {
    const range = this.#rangeFor(keeping);
    const { virtualMemory } = keeping;
    if (this.#method !== 'laid' || this.#restorer !== undefined || range === undefined || !virtualMemory)
      return this.#restorer;
    if (!this.#tryWatching(range, saved, 'laid', virtualMemory)) this.#start(saved, 'copy');
    return this.#restorer;
  }

  /** Pages that came since the snapshot go back to the system, not only to zeros: for what once was large. */
  #dropBehind(saved: SavedMemory, keeping: Keeping): void {
    const range = this.#rangeFor(keeping);
    const start = Math.ceil(saved.byteLength / saved.pageSize) * saved.pageSize;
    if (range === undefined || start >= range.bytes.byteLength) return;
    try {
      keeping.virtualMemory?.decommit(range.address + start, range.bytes.byteLength - start);
    } catch {
      // Locked: they are written instead.
    }
  }

  #restoreWatched(restorer: PageRestorer, saved: SavedMemory): void {
    try {
      restorer.restore();
    } catch {
      // Some pages may be right and some not. Copying needs nobody, and looks at all of them.
      this.#stop();
      copyBack(this.#bytes, saved);
      this.#start(saved, 'copy');
    }
  }

  #start(saved: SavedMemory, method: SnapshotMethod, restorer?: PageRestorer): void {
    if (method !== 'laid' || restorer !== undefined) saved.addUser(this);
    this.#saved = saved;
    this.#isClosed = false;
    this.#method = method;
    this.#restorer = restorer;
  }

  #stop(): void {
    this.#restorer?.close();
    this.#restorer = undefined;
    this.#saved = undefined;
    this.#isClosed = false;
    this.#distances.clear();
  }

  /**
   * Reads buffer and address anew where V8 has made others. Returns whether watching has ended by that. What was read is kept last, so
   * that one that was cut off is done again.
   */
  #refresh(): boolean {
    const buffer = webAssembly().bufferOf(this.#memory);
    const { byteLength } = buffer;
    if (buffer === this.#buffer && byteLength === this.#bytes.byteLength) return false;
    // Of a fixed length: a resizable buffer would lengthen it behind our back.
    const bytes = new Uint8Array(buffer, 0, byteLength);
    const before = this.#address;
    const address = before === undefined || byteLength === 0 ? undefined : addressOf(bytes);
    if (before !== undefined) {
      if (address !== before) {
        // Moved: the new pages are plain. The old ones may be somebody else's already, so nothing is called off there.
        this.#laid = undefined;
        this.#mappings?.change(0);
        this.#restorer = undefined;
      }
      this.#stop();
    }
    this.#buffer = buffer;
    this.#bytes = bytes;
    this.#address = address;
    return true;
  }

  /** Where the memory is; nothing where its pages cannot be the system's. */
  #rangeFor({ virtualMemory }: Keeping): Range | undefined {
    if (virtualMemory === undefined || !this.#isOurs) return undefined;
    const { byteLength } = this.#bytes;
    if (byteLength === 0 || byteLength % virtualMemory.pageSize !== 0) return undefined;
    try {
      this.#address ??= addressOf(this.#bytes);
    } catch {
      return undefined; // koffi is not there
    }
    return { address: this.#address, bytes: this.#bytes };
  }

  /** Watching wants plain pages, or those of the very bytes that it restores. */
  #unlay(range: Range, saved: SavedMemory, virtualMemory: VirtualMemory): boolean {
    const laid = this.#laid;
    if (laid === undefined || laid === saved) return true;
    try {
      this.#laid = 'partly';
      removeLaid(range, laid, virtualMemory);
      this.#laid = undefined;
      this.#mappings?.change(0);
    } catch {
      mend(range, virtualMemory);
    }
    copyBack(range.bytes, saved);
    return this.#laid === undefined;
  }

  #layAndWatch(range: Range, saved: SavedMemory, virtualMemory: VirtualMemory): void {
    this.#mappings ??= new LaidMappings(this.#memory);
    if (!saved.isLayable || !this.#mappings.change(saved.maxMappings))
      return this.#copyAndWatch(range, saved, virtualMemory);
    const before = this.#laid;
    this.#layer = virtualMemory;
    this.#laid = 'partly';
    const isLaid = layOver(range, saved, before, virtualMemory);
    if (isLaid) this.#laid = saved;
    this.#start(saved, isLaid && canWatch('laid', virtualMemory) ? 'laid' : 'copy');
  }

  /** For a fork that there are no mappings for, or no file. */
  #copyAndWatch(range: Range, saved: SavedMemory, virtualMemory: VirtualMemory): void {
    copyBack(range.bytes, saved);
    const isPlain = this.#unlay(range, saved, virtualMemory);
    if (!isPlain || !this.#tryWatching(range, saved, 'written', virtualMemory)) this.#start(saved, 'copy');
  }

  #tryWatching(
    range: Range,
    saved: SavedMemory,
    method: 'written' | 'laid',
    virtualMemory: VirtualMemory,
  ): boolean {
    const restorer = startRestorer(range, saved, { method, isLaid: this.#laid === saved, virtualMemory });
    if (restorer === undefined) return false;
    this.#start(saved, method, restorer);
    return true;
  }
}
