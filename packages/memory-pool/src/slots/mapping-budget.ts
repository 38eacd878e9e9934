/**
 * How many mappings this process's pools hold. At `vm.max_map_count` the pool's own calls fail cleanly, but the C library's
 * and V8's next wish for memory fails, too, and ends the process. So the pools stop before, while there is a margin.
 */
import { host } from '@guardstripe/mmap';
import { PoolMappingsError } from '../errors.js';

/** Mappings left to the rest of the process: Node has 300 to 500, and its heap adds some while it grows. */
const MARGIN = 2048;

/** Counts mappings against a limit. */
export class MappingBudget {
  readonly #limit: number;
  readonly #maxMapCount: number;
  #held = 0;

  /** @param maxMapCount - Linux's `vm.max_map_count`; `undefined` for no limit */
  constructor(maxMapCount: number | undefined) {
    this.#maxMapCount = maxMapCount ?? Infinity;
    this.#limit = Math.max(this.#maxMapCount - MARGIN, 0);
  }

  /**
   * Checks that `mappings` more may be made.
   *
   * @throws {@link PoolMappingsError}
   */
  check(mappings: number): void {
    if (this.#held + mappings > this.#limit) throw new PoolMappingsError(this.#held, this.#maxMapCount);
  }

  /** Notes that mappings were made, or, with a negative number, went. */
  add(mappings: number): void {
    this.#held += mappings;
  }
}

let shared: MappingBudget | undefined;

/** The process's one budget: its pools share the limit. */
export function mappingBudget(): MappingBudget {
  shared ??= new MappingBudget(host().maxMapCount);
  return shared;
}
