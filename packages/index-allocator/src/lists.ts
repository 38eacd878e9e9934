/**
 * The two kinds of list that warm slots are on, and the table that finds the second kind. See `state.ts` for the words.
 *
 * ```
 * warm list      record 0 ⇄ oldest ⇄ ... ⇄ newest ⇄ record 0            by NEWER and OLDER
 * affinity list             oldest ─ ... ─ newest                        by AFFINE (XOR)
 * bucket         BUCKET word ─▶ newest of one list ─▶ newest of another   by CHAIN
 * ```
 *
 * Nothing here checks anything or knows the policy. Every function takes the state's words first, and reads and writes
 * a fixed number of records, apart from the walk along a chain.
 */
import {
  AFFINE,
  bucketWord,
  CHAIN,
  INDEX_AND_HIGH,
  MAX_MEMORY_INDEX,
  NEWER,
  OLDER,
  recordAt,
  TAG,
} from './state.js';

/** Record 0: the ring's own. */
const RING = recordAt(0);

/** Puts a record at the newest end of the warm list. */
export function appendWarm(words: Int32Array, record: number): void {
  const at = recordAt(record);
  const newest = words[RING + OLDER]!;
  words[at + OLDER] = newest;
  words[at + NEWER] = 0;
  words[recordAt(newest) + NEWER] = record;
  words[RING + OLDER] = record;
}

/** Takes a record out of the warm list, wherever it stands. */
export function unlinkWarm(words: Int32Array, record: number): void {
  const at = recordAt(record);
  const older = words[at + OLDER]!;
  const newer = words[at + NEWER]!;
  words[recordAt(older) + NEWER] = newer;
  words[recordAt(newer) + OLDER] = older;
}

/** The least recently freed record of the warm list, or 0. */
export function oldestWarm(words: Int32Array): number {
  return words[RING + NEWER]!;
}

/**
 * Number of the word that names the newest slot of a key's affinity list, or of the word at the chain's end, which
 * holds 0, if the key has no list. It is either the bucket's word or the `CHAIN` word of another list.
 */
export function findList(words: Int32Array, tag: number, memoryIndex: number, mask: number): number {
  let linkWord = bucketWord(tag, memoryIndex, mask);
  let record = words[linkWord]!;
  while (record !== 0) {
    const at = recordAt(record);
    if (words[at + TAG] === tag && (words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX) === memoryIndex) break;
    linkWord = at + CHAIN;
    record = words[linkWord]!;
  }
  return linkWord;
}

/** Puts a record at the newest end of its affinity list. A key without a list gets one, last in its bucket. */
export function appendAffine(
  words: Int32Array,
  record: number,
  tag: number,
  memoryIndex: number,
  mask: number,
): void {
  const at = recordAt(record);
  const linkWord = findList(words, tag, memoryIndex, mask);
  const newest = words[linkWord]!;
  words[at + AFFINE] = newest;
  if (newest === 0) {
    // The end of the chain, which the walk has reached anyway: nothing follows.
    words[at + CHAIN] = 0;
  } else {
    const newestAt = recordAt(newest);
    words[at + CHAIN] = words[newestAt + CHAIN]!;
    words[newestAt + AFFINE] = words[newestAt + AFFINE]! ^ record;
  }
  words[linkWord] = record;
}

/** Takes the newest record off the affinity list that `linkWord` names. Its last one takes the list along. */
export function popNewestAffine(words: Int32Array, linkWord: number): void {
  const record = words[linkWord]!;
  const at = recordAt(record);
  // Nothing is newer, so the XOR is the older neighbour itself.
  const older = words[at + AFFINE]!;
  const next = words[at + CHAIN]!;
  if (older === 0) {
    words[linkWord] = next;
  } else {
    const olderAt = recordAt(older);
    words[olderAt + AFFINE] = words[olderAt + AFFINE]! ^ record;
    words[olderAt + CHAIN] = next;
    words[linkWord] = older;
  }
}

/** Takes the oldest record off its affinity list. */
export function popOldestAffine(
  words: Int32Array,
  record: number,
  tag: number,
  memoryIndex: number,
  mask: number,
): void {
  const at = recordAt(record);
  // Nothing is older, so the XOR is the newer neighbour itself.
  const newer = words[at + AFFINE]!;
  if (newer === 0) {
    words[findList(words, tag, memoryIndex, mask)] = words[at + CHAIN]!;
  } else {
    const newerAt = recordAt(newer);
    words[newerAt + AFFINE] = words[newerAt + AFFINE]! ^ record;
  }
}
