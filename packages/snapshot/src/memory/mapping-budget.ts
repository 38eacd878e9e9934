/**
 * How many mappings forks may make. At `vm.max_map_count` V8's own wish for memory fails and ends the process, so forks stop at
 * half of it and copy from there on; pools of memories in the same process count, too.
 */
import { host, processState } from '@guardstripe/mmap';

const LIMIT_PART = 0.5;

let limit: number | undefined;
/** Where the process has no state that its threads share: those of this thread. */
let own = 0;

function add(mappings: number, state = processState()): void {
  own += mappings;
  state?.addMappings(mappings);
}

/** The mappings of one memory. */
interface Held {
  mappings: number;
}

const collected = new FinalizationRegistry<Held>(({ mappings }) => add(-mappings));

/** The mappings that are laid over one memory. They go when it is collected. */
export class LaidMappings {
  readonly #held: Held = { mappings: 0 };

  constructor(memory: object) {
    collected.register(memory, this.#held);
  }

  /** Takes another number of them; false if the process has too many. */
  change(mappings: number): boolean {
    const more = mappings - this.#held.mappings;
    const state = processState();
    if (more > 0) {
      limit ??= (host().maxMapCount ?? Infinity) * LIMIT_PART;
      if ((state?.mappings ?? own) + more > limit) return false;
    }
    // What is given back is never more than what was counted, wherever this is cut off.
    this.#held.mappings = Math.min(this.#held.mappings, mappings);
    add(more, state);
    this.#held.mappings = mappings;
    return true;
  }
}
