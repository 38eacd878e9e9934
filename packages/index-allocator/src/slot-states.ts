/** How a slot goes from one state to another: used, warm, cold. Nothing here checks anything, or knows which slot to choose. */
import { appendAffine, appendWarm, findList, popNewestAffine, unlinkWarm } from './lists.js';
import { BYTES_LOW, INDEX_AND_HIGH, MAX_MEMORY_INDEX, TAG, USED_BIT, WARM_SLOTS } from './state.js';
import { subtractUnusedBytes } from './unused-bytes.js';

/**
 * Takes the most recently freed slot of a key off all lists: of all of them the most is still in RAM and in the
 * caches there.
 */
export function takeAffine(words: Int32Array, tag: number, memoryIndex: number, shift: number): number {
  const linkWord = findList(words, tag, memoryIndex, shift);
  const at = words[linkWord]!;
  if (at === 0) return 0;
  popNewestAffine(words, at, linkWord);
  leaveWarm(words, at);
  return at;
}

export function markUsed(words: Int32Array, at: number, tag: number, memoryIndex: number): void {
  words[at + TAG] = tag | USED_BIT;
  words[at + INDEX_AND_HIGH] = memoryIndex;
}

/** Takes a slot off the warm list and its bytes out of the sum. */
export function leaveWarm(words: Int32Array, at: number): void {
  unlinkWarm(words, at);
  words[WARM_SLOTS] = words[WARM_SLOTS]! - 1;
  subtractUnusedBytes(words, words[at + BYTES_LOW]!, words[at + INDEX_AND_HIGH]! >>> 16);
}

/** Puts a slot on its lists. The counters are the caller's. */
export function makeWarm(
  words: Int32Array,
  at: number,
  tag: number,
  low: number,
  high: number,
  shift: number,
): void {
  const memoryIndex = words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX;
  words[at + TAG] = tag;
  words[at + INDEX_AND_HIGH] = memoryIndex | (high << 16);
  words[at + BYTES_LOW] = low;
  appendWarm(words, at);
  if (tag !== 0) appendAffine(words, at, findList(words, tag, memoryIndex, shift));
}
