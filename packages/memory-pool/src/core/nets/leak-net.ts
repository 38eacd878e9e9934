/**
 * Catches stores that are collected with memories in their hands. A memory holds its store, so nobody can reach any of them
 * any more. It is a net, not a plan: the collector runs when it likes, and under a loop that never yields it does not run
 * at all.
 *
 * Registering with the collector costs more than the rest of an allocation, mostly in later collections. Finalizers run
 * between turns of the event loop only, so a store need not be registered before its turn ends, and one that holds nothing
 * by then need not be at all.
 */
import type { PoolCore } from '../pool-core.js';
import type { Tenancy } from '../tenancy.js';

/** Most stores that are held, and not yet registered, in a turn that opens very many. */
const MAX_FRESH = 64;

/** What is known of a store. The pool is held weakly: one that nobody can reach any more wants no slots back. */
interface Watched {
  readonly net: WeakRef<LeakNet>;
  readonly tenancy: Tenancy;
}

/**
 * One for all pools, so that it is never collected: where a registry is, between a collection that found something for it and the turn in
 * which it would be told, V8 calls the finalizers of no registry of the thread any more (Node 22 and 24: V8's task for them
 * returns without taking back that it is posted, heap/finalization-registry-cleanup-task.cc).
 */
const stores = new FinalizationRegistry<Watched>(({ net, tenancy }) => net.deref()?.collected(tenancy));

/** Gives the slots of collected stores back, with one warning a pool. */
export class LeakNet {
  readonly #core: PoolCore;
  readonly #self = new WeakRef(this);
  /** What the current turn brought, and side by side with it its tenancy. Their places are kept, for there is a new one each turn. */
  readonly #freshStores = Array.from<object | undefined>({ length: MAX_FRESH });
  readonly #freshTenancies = Array.from<Tenancy | undefined>({ length: MAX_FRESH });
  #numFresh = 0;
  #registersAtTurnEnd = false;
  #warned = false;

  constructor(core: PoolCore) {
    this.#core = core;
  }

  /** Watches a store that has got a memory. Nothing has to be undone when it is disposed. */
  watch(store: object, tenancy: Tenancy): void {
    tenancy.watched = true;
    this.#freshStores[this.#numFresh] = store;
    this.#freshTenancies[this.#numFresh] = tenancy;
    if (++this.#numFresh >= MAX_FRESH) this.#registerFresh();
    if (this.#registersAtTurnEnd) return;
    queueMicrotask(() => {
      this.#registersAtTurnEnd = false;
      this.#registerFresh();
    });
    this.#registersAtTurnEnd = true;
  }

  /** Registers those that hold something; the others are watched anew when they do. */
  #registerFresh(): void {
    for (let i = 0; i < this.#numFresh; i++) {
      const tenancy = this.#freshTenancies[i];
      // Done, by a call that was cut short.
      if (tenancy === undefined) continue;
      if (tenancy.length === 0) tenancy.watched = false;
      else stores.register(this.#freshStores[i]!, { net: this.#self, tenancy });
      this.#freshStores[i] = undefined;
      this.#freshTenancies[i] = undefined;
    }
    this.#numFresh = 0;
  }

  /** @internal A store was collected that held something. */
  collected(tenancy: Tenancy): void {
    const { orphans, shortage, tenancies } = this.#core;
    for (const lease of tenancies.leasesOf(tenancy)) {
      const trace = tenancy.notes?.trace(lease.slot);
      const warn = () => this.#warn(lease.slot, trace);
      if (orphans.adopt(lease, warn)) shortage.collector.request();
      else if (tenancies.release(lease)) warn();
    }
  }

  #warn(slot: number, trace: string | undefined): void {
    if (this.#warned) return;
    this.#warned = true;
    process.emitWarning(
      `A pooled memory in slot ${slot} was collected without being freed; free it, or dispose its store`,
      {
        code: 'GUARDSTRIPE_MEMORY_LEAK',
        detail: trace ?? 'Create the pool with traceAllocations: true to see where such memories come from.',
      },
    );
  }
}
