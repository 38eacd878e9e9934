/**
 * How many mappings the process may still make. At `vm.max_map_count` the pool's own calls fail cleanly, but the C library's
 * and V8's next wish for memory fails, too, and ends the process. So the pools stop before, while there is a margin.
 *
 * All threads' pools count together, each what it holds, and all that is not theirs is the difference to what the kernel counts, now and
 * then: the nearer the limit, the sooner. Mappings are counted before they are made, so that of two threads that want the last
 * ones at least one sees the other.
 */
import { mappingsForPools } from '@guardstripe/layout';
import { host, type ProcessState } from '@guardstripe/mmap';
import { PoolCorruptedError, PoolMappingsError } from '../errors.js';
import {
  countMappings,
  processMappings,
  sharedMappings,
  type MappedPages,
  type MappingCounts,
} from './process-mappings.js';

/** Of the room that is left, a count is good until this part of it is taken. */
const RECOUNT_PART = 1 / 2;
/** And never more often than after so many mappings, nor after less than this time. */
const RECOUNT_MAPPINGS = 256;
const RECOUNT_MS = 1000;
/** What free slots give up is more than is needed just now: the next wish comes soon, and it would count again. */
const RELIEF_MAPPINGS = 2048;

// Words that all threads share.
/** Mappings of the process that no pool holds, at the last count; less than none where pools were lost that still count as held. */
const OTHERS = 0;
/** What the pools held at the last count. */
const HELD_THEN = 1;
/** When that was, in milliseconds, modulo 2^31; 0 for never. */
const COUNTED_AT = 2;

/** Whoever holds mappings that it can do without. */
export interface MappingHolder {
  /** Gives up about so many, those that were not used for the longest time first; returns how many went. */
  relieve(mappings: number): number;
}

/** The pools of a thread, whichever way each counts. */
export class MappingHolders implements Iterable<MappingHolder> {
  /** Weakly, so that a pool that nobody has any more is still collected. */
  #holders: WeakRef<MappingHolder>[] = [];

  add(holder: MappingHolder): void {
    this.delete(holder);
    this.#holders.push(new WeakRef(holder));
  }

  /** Forgets a holder, and those that were collected. */
  delete(holder: MappingHolder): void {
    this.#holders = this.#holders.filter((each) => ![undefined, holder].includes(each.deref()));
  }

  *[Symbol.iterator](): Generator<MappingHolder> {
    for (const each of this.#holders) {
      const holder = each.deref();
      if (holder !== undefined) yield holder;
    }
  }
}

/** Counts mappings against a limit. */
export class MappingBudget {
  /** Most mappings that the pools of the process may hold together with all others; `Infinity` without a limit. */
  readonly limit: number;
  readonly #maxMapCount: number;
  readonly #counts: MappingCounts;
  readonly #countMappings: () => number | undefined;
  readonly #holders: MappingHolders;

  /** @param maxMapCount - Linux's `vm.max_map_count`; `undefined` for no limit */
  constructor(
    maxMapCount: number | undefined,
    counts: MappingCounts,
    count = countMappings,
    holders = new MappingHolders(),
  ) {
    this.#maxMapCount = maxMapCount ?? Infinity;
    // What else there is in the process is counted.
    this.limit = mappingsForPools(this.#maxMapCount, 0);
    this.#counts = counts;
    this.#holders = holders;
    this.#countMappings = count;
  }

  /** Mappings that the pools of the process hold. */
  get held(): number {
    return this.#counts.held;
  }

  /**
   * Counts `mappings` more, about to be made. Near the limit free slots give theirs up first.
   *
   * @throws {@link PoolMappingsError}, with nothing counted
   */
  take(mappings: number): void {
    if (!(Number.isSafeInteger(mappings) && mappings > 0))
      throw new PoolCorruptedError(`${mappings} mappings are about to be made`);
    this.#counts.add(mappings);
    const isDue = this.#isDue();
    if (isDue) this.#recount();
    if (this.#missing() <= 0) return;
    if (!isDue) this.#recount();
    for (const holder of this.#holders) {
      const missing = this.#missing();
      if (missing <= 0) return;
      holder.relieve(missing + RELIEF_MAPPINGS);
    }
    if (this.#missing() <= 0) return;
    this.#counts.add(-mappings);
    throw new PoolMappingsError(this.held, this.#maxMapCount);
  }

  /** Corrects the count: mappings went, or fewer or more came than were taken. */
  add(mappings: number): void {
    // What is no number would make none of the count of all pools, which then bounds nothing any more.
    if (!Number.isSafeInteger(mappings)) throw new PoolCorruptedError(`${mappings} mappings came or went`);
    if (mappings !== 0) this.#counts.add(mappings);
  }

  /** Whom to ask for mappings near the limit. */
  register(holder: MappingHolder): void {
    this.#holders.add(holder);
  }

  unregister(holder: MappingHolder): void {
    this.#holders.delete(holder);
  }

  /** How many mappings there are too many; less than 0 for room. */
  #missing(): number {
    return Atomics.load(this.#counts.words, OTHERS) + this.held - this.limit;
  }

  #isDue(): boolean {
    const { words } = this.#counts;
    const countedAt = Atomics.load(words, COUNTED_AT);
    if (countedAt === 0) return true;
    const grown = this.held - Atomics.load(words, HELD_THEN);
    const room = -this.#missing();
    if (grown < RECOUNT_MAPPINGS) return room < this.limit / 2 && this.#isOlderThan(countedAt);
    return grown > room * RECOUNT_PART;
  }

  #isOlderThan(countedAt: number): boolean {
    // A clock that was set back makes it old, too.
    const age = now() - countedAt;
    return age > RECOUNT_MS || age < 0;
  }

  #recount(): void {
    if (this.limit === Infinity) return;
    const { words } = this.#counts;
    // Before the kernel's count: what other threads map meanwhile is then counted twice rather than not at all.
    const { held } = this;
    const counted = this.#countMappings();
    if (counted !== undefined) Atomics.store(words, OTHERS, counted - held);
    Atomics.store(words, HELD_THEN, held);
    Atomics.store(words, COUNTED_AT, now());
  }
}

function now(): number {
  return (Date.now() & 0x7fff_ffff) | 1;
}

/** Pools of this thread, shared ones and others: near the limit all are asked, whoever wants mappings. */
const holders = new MappingHolders();
let shared: MappingBudget | undefined;

/** The process's one budget, as this thread sees it. */
export function mappingBudget(): MappingBudget {
  shared ??= new MappingBudget(host().maxMapCount, processMappings(), countMappings, holders);
  return shared;
}

/** The same budget for a pool that threads share, by its slab. */
export function sharedMappingBudget(state: ProcessState, slab: MappedPages): MappingBudget {
  return new MappingBudget(host().maxMapCount, sharedMappings(state, slab), countMappings, holders);
}
