/**
 * Catches memories that are collected without having been freed. It is a net, not a plan: the collector runs when it
 * likes, and under a loop that never yields it does not run at all.
 *
 * Registering with the collector costs more than the rest of an allocation, mostly in later collections. Finalizers run
 * between turns of the event loop only, so a memory need not be registered before its turn ends, and one that was freed by
 * then need not be at all.
 */
import type { PoolCore } from './pool-core.js';
import type { Lease } from './tenancy.js';

/** Most memories that are held, and not yet registered, in a turn that allocates very many. */
const MAX_FRESH = 64;

/** Gives slots of collected memories back, with one warning a pool. */
export class LeakNet {
  readonly #core: PoolCore;
  readonly #registry: FinalizationRegistry<Lease>;
  /** What the current turn allocated, and side by side with it what for. */
  readonly #freshTargets: object[] = [];
  readonly #freshLeases: Lease[] = [];
  #registersAtTurnEnd = false;
  #warned = false;

  constructor(core: PoolCore) {
    this.#core = core;
    this.#registry = new FinalizationRegistry((lease) => this.#collected(lease));
  }

  /** Watches a memory, or in its place the view that it left behind. Nothing has to be undone when it is freed properly. */
  watch(target: object, lease: Lease): void {
    this.#freshTargets.push(target);
    if (this.#freshLeases.push(lease) === MAX_FRESH) this.#registerFresh();
    if (this.#registersAtTurnEnd) return;
    this.#registersAtTurnEnd = true;
    queueMicrotask(() => {
      this.#registersAtTurnEnd = false;
      this.#registerFresh();
    });
  }

  /** Registers those that live still. */
  #registerFresh(): void {
    for (const [i, lease] of this.#freshLeases.entries()) {
      if (this.#core.holds(lease)) this.#registry.register(this.#freshTargets[i]!, lease);
    }
    this.#freshTargets.length = 0;
    this.#freshLeases.length = 0;
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
