/**
 * Catches memories that are collected without having been freed. It is a net, not a plan: the collector runs when it
 * likes, and under a loop that never yields it does not run at all.
 */
import type { PoolCore } from './pool-core.js';
import type { Lease } from './tenancy.js';

/** Gives slots of collected memories back, with one warning a pool. */
export class LeakNet {
  readonly #core: PoolCore;
  readonly #registry: FinalizationRegistry<Lease>;
  #warned = false;

  constructor(core: PoolCore) {
    this.#core = core;
    this.#registry = new FinalizationRegistry((lease) => this.#collected(lease));
  }

  /** Watches a memory, or in its place the view that it left behind. Nothing has to be undone when it is freed properly. */
  watch(target: object, lease: Lease): void {
    this.#registry.register(target, lease);
  }

  #collected(lease: Lease): void {
    if (!this.#core.holds(lease)) return;
    const view = this.#core.weakenView(lease.slot);
    // The memory is gone, but somebody may still read its buffer: the slot stays taken until that is gone, too.
    if (view !== undefined) {
      this.watch(view, lease);
      return;
    }
    this.#core.release(lease.tenancy, lease.slot);
    this.#warn(lease);
  }

  #warn(lease: Lease): void {
    if (this.#warned) return;
    this.#warned = true;
    const options = {
      code: 'GUARDSTRIPE_MEMORY_LEAK',
      detail:
        lease.trace ?? 'Create the pool with traceAllocations: true to see where such memories come from.',
    };
    process.emitWarning(
      `A pooled memory in slot ${lease.slot} was collected without being freed; free it, or dispose its store`,
      options,
    );
  }
}
