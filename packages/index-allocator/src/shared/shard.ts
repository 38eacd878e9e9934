/** One shard: a range of the slots with a lock, a state and hand-overs of its own. */
import { CAPACITY_STAMP, WARM_LIMIT_STAMP } from '../state.js';
import { bucketShift, stateWords } from '../records.js';
import { bitWords, type ShardPlace } from './shape.js';

/** Views of one shard's parts. Slots are numbered from its own first one. */
export interface Shard {
  readonly firstSlot: number;
  readonly capacity: number;
  readonly warmLimit: number;
  /** See `bucketWord`. */
  readonly shift: number;
  /** The lock, and the root of the hand-overs. Touched with `Atomics` only. */
  readonly control: Int32Array;
  /** A word a slot, see holders.ts. Written under the lock, but for {@link HANDED} and by adoption. */
  readonly holders: Int32Array;
  /** A bit for each word of {@link bits}. Touched with `Atomics` only. */
  readonly groups: Int32Array;
  /** A bit for each slot that was handed over. Touched with `Atomics` only. */
  readonly bits: Int32Array;
  /** The state, see state.ts. Only whoever has the lock reads and writes it, but for the bytes of a slot that is held. */
  readonly words: Int32Array;
}

export function openShard(buffer: SharedArrayBuffer, place: ShardPlace): Shard {
  const { capacity } = place;
  const view = (firstWord: number, numWords: number): Int32Array =>
    new Int32Array(buffer, firstWord * Int32Array.BYTES_PER_ELEMENT, numWords);
  return {
    firstSlot: place.firstSlot,
    capacity,
    warmLimit: place.warmLimit,
    shift: bucketShift(capacity),
    control: view(place.control, place.holders - place.control),
    holders: view(place.holders, capacity),
    groups: view(place.groups, bitWords(bitWords(capacity))),
    bits: view(place.bits, bitWords(capacity)),
    words: view(place.state, stateWords(capacity)),
  };
}

/** Makes the zeros of a new buffer an empty shard. */
export function stampShard({ words, capacity, warmLimit }: Shard): void {
  words[CAPACITY_STAMP] = capacity + 1;
  words[WARM_LIMIT_STAMP] = warmLimit + 1;
}
