/** What is done when a stripe is full: who is told, and how it may end. */
import { onExhausted, type ExhaustedEvent } from '../../diagnostics.js';
import { PoolConcurrencyLimitError } from '../../errors.js';
import { Collector, type CollectorUser } from './collector.js';
import type { Orphans } from './orphans.js';
import type { WithheldSlots } from '../withheld-slots.js';

/** What is known of the pool that runs short. */
export interface ShortPool {
  readonly layout: { readonly numStripes: number };
  readonly withheld: WithheldSlots;
  readonly orphans: Orphans;
  readonly closed: boolean;
  /** Whether an allocation waits, in whichever thread. */
  readonly isWaitedFor: boolean;
  /** Of a pool that threads share. */
  liveByThread(): ReadonlyMap<number, number>;
  /** Of such a pool: moves its stores. */
  readonly mover: { readonly inFlightMemories: number } | undefined;
  readonly counters: { get(counter: 'cooledMemories'): number };
}

/** Tells of full stripes, and has the engine collect where that may help. */
export class Shortage implements CollectorUser {
  readonly collector: Collector;
  readonly #pool: ShortPool;
  /** Whether an allocation was refused while slots cool, and the engine has not collected since. */
  #isFelt = false;
  #warned = false;

  constructor(pool: ShortPool, maxCollectionShare: number) {
    this.#pool = pool;
    this.collector = new Collector(this, maxCollectionShare);
  }

  get wantsCollection(): boolean {
    const { closed, orphans, withheld } = this.#pool;
    if (closed) return false;
    return orphans.size > 0 || (withheld.cooling.size > 0 && (this.#isFelt || this.isWaitedFor));
  }

  get isWaitedFor(): boolean {
    return this.#pool.isWaitedFor;
  }

  get numCollected(): number {
    return this.#pool.counters.get('cooledMemories');
  }

  /** Has the engine collect. What cools comes back in a later turn. */
  collect(gc: () => void): void {
    this.#isFelt = false;
    this.#pool.orphans.collect(gc);
  }

  /** Whether no slot of the stripe will ever be free: it has none, or all are retired. */
  isForGood(stripe: number, capacity: number): boolean {
    const { withheld } = this.#pool;
    return withheld.retired.size >= capacity && withheld.countIn(stripe).retired === capacity;
  }

  /** The error for an allocation that does not wait. */
  error(stripe: number, capacity: number): PoolConcurrencyLimitError {
    const { layout, withheld } = this.#pool;
    const inStripe = withheld.countIn(stripe);
    return new PoolConcurrencyLimitError(
      stripe,
      capacity,
      layout.numStripes,
      inStripe,
      this.#pool.liveByThread(),
      this.#pool.mover?.inFlightMemories,
    );
  }

  /** Tells of a full stripe, and has a collection made if that may help. Who hears of it may do anything. */
  report(stripe: number, capacity: number): void {
    const coolingMemories = this.#pool.withheld.countIn(stripe).cooling;
    if (coolingMemories > 0) {
      this.#isFelt = true;
      this.collector.request();
      this.#warn(coolingMemories, capacity);
    }
    if (onExhausted.hasSubscribers) {
      onExhausted.publish({ stripe, capacity, coolingMemories } satisfies ExhaustedEvent);
    }
  }

  #warn(cooling: number, capacity: number): void {
    if (this.#warned) return;
    this.#warned = true;
    process.emitWarning(
      `A pool ran out of slots while ${cooling} of ${capacity} cool: they go to nobody before their buffers are collected`,
      {
        code: 'GUARDSTRIPE_POOL_COOLING',
        detail:
          'memory.read(), .write() and .fill() hand out no view; memory.unsafeBuffer is for code that is done with it when it ' +
          'frees the memory. Or give the pool more slots (totalMemories): a cooling one costs no RAM.',
      },
    );
  }
}
