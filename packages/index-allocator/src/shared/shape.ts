/** Where the parts of the one buffer of a shared allocator lie; `words.ts` has the picture. */
import { stateWords } from '../records.js';
import {
  CONTROL_WORDS,
  HEAD_WORDS,
  LINE_WORDS,
  MAX_SEATS,
  MAX_SHARDS,
  MIN_SLOTS_OF_SHARDS,
  SEAT_WORDS,
} from './words.js';

/** Number of the first word of a seat. */
export function seatAt(seat: number): number {
  return HEAD_WORDS + seat * SEAT_WORDS;
}

/** Where a shard lies, in words from the buffer's start, and which slots are its. */
export interface ShardPlace {
  readonly firstSlot: number;
  readonly capacity: number;
  readonly warmLimit: number;
  readonly control: number;
  readonly holders: number;
  readonly groups: number;
  readonly bits: number;
  readonly state: number;
  readonly end: number;
}

/** Words that hold a bit for each of `count` things. */
export function bitWords(count: number): number {
  return (count + 31) >>> 5;
}

/**
 * Cuts the slots into ranges of equal length, of which the last may be shorter, and deals the warm budget out, the remainder to
 * the first ones.
 */
export function placeShards(capacity: number, warmLimit: number, wishedShards: number): ShardPlace[] {
  const slotsEach = Math.ceil(capacity / wishedShards);
  const numShards = Math.ceil(capacity / slotsEach);
  const places: ShardPlace[] = [];
  let at = seatAt(MAX_SEATS);
  for (let shard = 0; shard < numShards; shard++) {
    const firstSlot = shard * slotsEach;
    const shardCapacity = Math.min(slotsEach, capacity - firstSlot);
    const isFavoured = shard < warmLimit % numShards;
    const control = at;
    const holders = control + CONTROL_WORDS;
    const groups = holders + wholeLines(shardCapacity);
    const bits = groups + wholeLines(bitWords(bitWords(shardCapacity)));
    const state = bits + wholeLines(bitWords(shardCapacity));
    at = state + wholeLines(stateWords(shardCapacity));
    places.push({
      firstSlot,
      capacity: shardCapacity,
      warmLimit: Math.floor(warmLimit / numShards) + (isFavoured ? 1 : 0),
      control,
      holders,
      groups,
      bits,
      state,
      end: at,
    });
  }
  return places;
}

/** Shards for a number of slots, if nobody says otherwise. */
export function defaultShards(capacity: number, cores: number): number {
  return capacity < MIN_SLOTS_OF_SHARDS ? 1 : Math.max(1, Math.min(cores, MAX_SHARDS));
}

function wholeLines(words: number): number {
  return Math.ceil(words / LINE_WORDS) * LINE_WORDS;
}
