/**
 * The two kinds of list that warm slots are on, and the table that finds the second kind. See `state.ts` for
 * the words.
 *
 * ```
 * warm list      ring ⇄ oldest ⇄ ... ⇄ newest ⇄ ring                    by NEWER and OLDER
 * affinity list         oldest ─ ... ─ newest                           by AFFINE (XOR)
 * bucket         BUCKET word ─▶ newest of one list ─▶ newest of another  by CHAIN
 * ```
 *
 * Nothing here checks anything or knows the policy. Every function takes the state's words first and names slots by the
 * first word of their record, `at`. Each reads and writes a fixed number of records, apart from the walk along a chain.
 */
import { bucketWord } from './records.js';
import { AFFINE, CHAIN, INDEX_AND_HIGH, MAX_MEMORY_INDEX, NEWER, OLDER, RING, TAG } from './state.js';

/** Puts a slot at the newest end of the warm list. */
export function appendWarm(words: Int32Array, at: number): void {
  const newest = words[RING + OLDER]!;
  words[at + OLDER] = newest;
  words[at + NEWER] = RING;
  words[newest + NEWER] = at;
  words[RING + OLDER] = at;
}

/** Takes a slot out of the warm list, wherever it stands. */
export function unlinkWarm(words: Int32Array, at: number): void {
  const older = words[at + OLDER]!;
  const newer = words[at + NEWER]!;
  words[older + NEWER] = newer;
  words[newer + OLDER] = older;
}

/**
 * Number of the word that names the newest slot of a key's affinity list, or of the word at the chain's end, which
 * holds 0, if the key has no list. It is either the bucket's word or the `CHAIN` word of another list.
 */
export function findList(words: Int32Array, tag: number, memoryIndex: number, shift: number): number {
  let linkWord = bucketWord(tag, memoryIndex, shift);
  let at = words[linkWord]!;
  while (at !== 0) {
    if (words[at + TAG] === tag && (words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX) === memoryIndex) break;
    linkWord = at + CHAIN;
    at = words[linkWord]!;
  }
  return linkWord;
}

/**
 * Puts a slot at the newest end of the list that `linkWord` names; an empty one begins there, last in its bucket.
 */
export function appendAffine(words: Int32Array, at: number, linkWord: number): void {
  const newest = words[linkWord]!;
  words[linkWord] = at;
  words[at + AFFINE] = newest;
  if (newest === 0) {
    // The walk has come to the end of the chain: nothing follows.
    words[at + CHAIN] = 0;
  } else {
    words[at + CHAIN] = words[newest + CHAIN]!;
    words[newest + AFFINE] = words[newest + AFFINE]! ^ at;
  }
}

/** Takes the newest slot off the affinity list that `linkWord` names. The last one takes the list along. */
export function popNewestAffine(words: Int32Array, at: number, linkWord: number): void {
  // Nothing is newer, so the XOR is the older neighbour itself.
  const older = words[at + AFFINE]!;
  const next = words[at + CHAIN]!;
  if (older === 0) {
    words[linkWord] = next;
  } else {
    words[linkWord] = older;
    words[older + CHAIN] = next;
    words[older + AFFINE] = words[older + AFFINE]! ^ at;
  }
}

/** Takes the oldest slot off its affinity list. The last one takes the list along. */
export function popOldestAffine(words: Int32Array, at: number, shift: number): void {
  // Nothing is older, so the XOR is the newer neighbour itself.
  const newer = words[at + AFFINE]!;
  if (newer === 0) {
    const memoryIndex = words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX;
    words[findList(words, words[at + TAG]!, memoryIndex, shift)] = words[at + CHAIN]!;
  } else {
    words[newer + AFFINE] = words[newer + AFFINE]! ^ at;
  }
}
