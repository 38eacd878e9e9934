/**
 * Where the bytes of other snapshots of a memory differ from those of the one that it was restored to last. So going from one
 * to another looks at these pages and those that were written since, not at all of the memory.
 *
 *     from the last one, A, to another, B:     pages(A, B)  and what was written since A
 *     from B to any other, X:                  pages(B, X) lies within pages(A, B) and pages(A, X)
 */
import { joinRuns, type PageRun } from './pages.js';
import type { SavedMemory } from './saved-memory.js';

interface Distance {
  /** Weak: a snapshot that nobody has any more is not kept for this. */
  readonly to: WeakRef<SavedMemory>;
  /** Ascending and apart. */
  readonly runs: readonly PageRun[];
}

/** More snapshots than these are forgotten, the oldest first: each costs a walk over its runs at every step. */
const MAX_SNAPSHOTS = 16;
/** More runs cost more to look at one by one than all of the memory at once. */
const MAX_RUNS = 1024;

export class Distances {
  #from: readonly Distance[] = [];

  /** Pages that may differ; `undefined` if nobody knows. */
  to(saved: SavedMemory): readonly PageRun[] | undefined {
    return this.#from.find(({ to }) => to.deref() === saved)?.runs;
  }

  /** From now on they are those from `next`, which differs from `last` at most in `runs`. */
  move(last: SavedMemory, next: SavedMemory, runs: readonly PageRun[]): void {
    const others = this.#from.filter(({ to }) => to.deref() !== undefined && to.deref() !== next);
    const moved = others.map((other) => ({ to: other.to, runs: joinRuns(other.runs, runs) }));
    this.#from = [{ to: new WeakRef(last), runs }, ...moved]
      .filter((distance) => distance.runs.length <= MAX_RUNS)
      .slice(0, MAX_SNAPSHOTS);
  }

  /** Whether no other snapshot is known. */
  get isEmpty(): boolean {
    return this.#from.length === 0;
  }

  forget(saved: SavedMemory): void {
    this.#from = this.#from.filter(({ to }) => to.deref() !== saved);
  }

  /** Nothing is known any more. */
  clear(): void {
    this.#from = [];
  }
}
