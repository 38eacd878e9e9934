/**
 * Other access for a while. What to put back is read from the kernel when the guard is made: an image, a native library or
 * another thread may have changed the pages without the map's knowledge.
 *
 * Guards of one map may overlap and end in any order. A page shows what its latest guard made of it; when a guard ends below a later
 * one, the later one inherits what it had to put back.
 */

import { checkAccess } from '../checks.js';
import { unknownAccess } from '../errors.js';
import type { AccessRange as Run, GuardLayer, Mapping } from '../mapping.js';
import type { Access } from '../platform/virtual-memory.js';

/** A guard that was collected before it was restored must not leave its map as it is for good. */
const lost = new FinalizationRegistry<{ readonly mapping: Mapping; readonly layer: GuardLayer }>(
  ({ mapping, layer }) => {
    try {
      restore(mapping, layer);
    } catch {
      // Nobody is there to be told. The pages are as restrictive as they were, and the map may be resized again.
      mapping.guards.delete(layer);
    }
    if (warned) return;
    warned = true;
    process.emitWarning(
      'A guard of protectWhile() was garbage collected without restore(); it was restored now',
      {
        code: 'GUARDSTRIPE_MMAP_GUARD_LOST',
        detail: 'Call restore(), or declare it with "using". Further ones are restored without a warning.',
      },
    );
  },
);

let warned = false;

/** Made by {@link Mmap.protectWhile}; puts back what a range allowed before. Made for `using`. */
export class ProtectionGuard implements Disposable {
  readonly #mapping: Mapping;
  readonly #layer: GuardLayer;

  /** @internal */
  constructor(mapping: Mapping, layer: GuardLayer) {
    this.#mapping = mapping;
    this.#layer = layer;
    mapping.guards.add(layer);
    lost.register(this, { mapping, layer }, layer);
  }

  /** True once the range is as it was, or its map is closed. */
  get restored(): boolean {
    return !this.#mapping.isOpen || !this.#mapping.guards.has(this.#layer);
  }

  /**
   * Gives every page of the range the access it had when the guard was made, or leaves that to a later guard over the same page;
   * protection keys stay as they are. Idempotent. Does nothing once the map is closed.
   *
   * @throws {@link SystemError} when the system refuses; restoring can be tried again.
   */
  restore(): void {
    if (this.restored) return;
    restore(this.#mapping, this.#layer);
    lost.unregister(this.#layer);
  }

  /** The same as `restore()`. */
  [Symbol.dispose](): void {
    this.restore();
  }
}

export function protectWhile(
  mapping: Mapping,
  offset: number,
  byteLength: number,
  access: Access,
): ProtectionGuard {
  const start = mapping.openStartOf(offset, byteLength);
  checkAccess(access);
  if (byteLength === 0) return new ProtectionGuard(mapping, { start: 0, end: 0, before: [] });
  const pagesBytes = mapping.endOf(offset, byteLength) - start;
  const before = runsNow(mapping, start, pagesBytes);
  try {
    mapping.virtualMemory.protect(start, pagesBytes, access);
  } catch (error) {
    // A range of several mappings may have been changed up to the one that was refused.
    try {
      setAll(mapping, before);
    } catch {
      // The first refusal is the one that explains.
    }
    throw error;
  }
  const from = start - mapping.mapAddress;
  return new ProtectionGuard(mapping, { start: from, end: from + pagesBytes, before });
}

/** Refuses pages whose access could be changed, but not put back. */
function runsNow(mapping: Mapping, start: number, pagesBytes: number): Run[] {
  return mapping.virtualMemory.accessOf(start, pagesBytes).map(({ address, byteLength, access }) => {
    if (access === 'other') throw unknownAccess(address, byteLength);
    const from = address - mapping.mapAddress;
    return { start: from, end: from + byteLength, access };
  });
}

function setAll(mapping: Mapping, runs: readonly Run[]): void {
  for (const { start, end, access } of runs) {
    mapping.virtualMemory.protect(mapping.mapAddress + start, end - start, access);
  }
}

/** Ends a layer. Nothing is written down before the system has agreed. */
function restore(mapping: Mapping, layer: GuardLayer): void {
  if (!mapping.isOpen || !mapping.guards.has(layer)) return;
  let own = layer.before;
  const inherited: (() => void)[] = [];
  let isLater = false;
  for (const later of mapping.guards) {
    if (isLater) {
      const { before } = later;
      const covered = inside(own, later);
      own = outside(own, later);
      // Of what the later guard found, the pages that it found under this one.
      inherited.push(() => {
        later.before = [...covered.reduce(outside, before), ...covered];
      });
    }
    if (later === layer) isLater = true;
  }
  setAll(mapping, own);
  for (const inherit of inherited) inherit();
  mapping.guards.delete(layer);
}

type Range = Pick<Run, 'start' | 'end'>;

function inside(runs: readonly Run[], { start, end }: Range): readonly Run[] {
  return runs
    .map((run) => ({ ...run, start: Math.max(run.start, start), end: Math.min(run.end, end) }))
    .filter((run) => run.start < run.end);
}

function outside(runs: readonly Run[], { start, end }: Range): readonly Run[] {
  return runs.flatMap((run) =>
    [
      { ...run, end: Math.min(run.end, start) },
      { ...run, start: Math.max(run.start, end) },
    ].filter((rest) => rest.start < rest.end),
  );
}
