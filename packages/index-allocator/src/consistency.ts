/**
 * The rules of the state, one function a rule. Trusts nothing: every link is checked before it is followed, and every
 * walk is bounded, so that any contents of the buffer at all end in a named error or are sound.
 *
 * Costs a pass over all records and four bytes a slot; the hot calls never come here.
 */
import { InconsistentStateError } from './errors.js';
import type { ConsistencyRule } from './errors.js';
import { bucketAt, bucketShift, bucketWord, numBuckets, recordOf, slotAt } from './records.js';
import {
  AFFINE,
  CAPACITY_STAMP,
  CHAIN,
  INDEX_AND_HIGH,
  MAX_MEMORY_INDEX,
  NEWER,
  OLDER,
  RECORD_WORDS,
  RING,
  TAG,
  TOUCHED_SLOTS,
  USED_BIT,
  WARM_LIMIT_STAMP,
  WARM_SLOTS,
} from './state.js';
import { readSlotBytes, readUnusedBytes } from './unused-bytes.js';

/** Checks all rules; throws {@link InconsistentStateError} at the first that is broken. */
export function checkState(words: Int32Array, capacity: number, warmLimit: number): void {
  checkHeader(words, capacity, warmLimit);
  checkSlots(words, capacity);
  const ranks = rankWarmSlots(words);
  checkUnusedBytes(words, ranks);
  checkAffinity(words, capacity, ranks);
}

/** What {@link rankWarmSlots} found. */
interface WarmRanks {
  /** By slot: 0 if it is not warm, else its place on the warm list, from 1 for the least recently freed. */
  readonly rankOf: Int32Array;
  /** Number of warm slots that have a key. */
  readonly numWithKey: number;
  /** Sum of the resident bytes. */
  readonly bytes: number;
}

function checkHeader(words: Int32Array, capacity: number, warmLimit: number): void {
  expect(words[CAPACITY_STAMP] === capacity + 1, 'header', () => `capacity stamp ${words[CAPACITY_STAMP]}`);
  expect(words[WARM_LIMIT_STAMP] === warmLimit + 1, 'header', () => `limit stamp ${words[WARM_LIMIT_STAMP]}`);
  const warm = words[WARM_SLOTS]!;
  const touched = words[TOUCHED_SLOTS]!;
  expect(touched >= 0 && touched <= capacity, 'header', () => `${touched} of ${capacity} slots touched`);
  expect(warm >= 0 && warm <= touched, 'header', () => `${warm} warm slots of ${touched} touched`);
  const isRingLinked = words[RING + AFFINE] !== 0 || words[RING + CHAIN] !== 0;
  expect(!isRingLinked, 'header', () => 'the ring is on an affinity list, as if it were a slot');
}

/** Counts used and warm slots among the touched ones, and finds all others blank. */
function checkSlots(words: Int32Array, capacity: number): void {
  const touched = words[TOUCHED_SLOTS]!;
  const warm = words[WARM_SLOTS]!;
  let used = 0;
  for (let slot = 0; slot < touched; slot++) {
    const at = recordOf(slot);
    const tag = words[at + TAG]!;
    if (tag < 0) used++;
    const memoryIndex = words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX;
    const isForNobody = tag === 0 || tag === USED_BIT;
    expect(
      !isForNobody || memoryIndex === 0,
      'slot-state',
      () => `slot ${slot} is for memory ${memoryIndex} of nobody`,
    );
  }
  for (let slot = touched; slot < capacity; slot++) {
    expect(words[recordOf(slot) + TAG] === 0, 'slot-state', () => `cold slot ${slot} is marked`);
  }
  const cold = capacity - touched;
  expect(
    used + warm + cold === capacity,
    'slot-count',
    () => `${used} used + ${warm} warm + ${cold} cold are not ${capacity} slots`,
  );
}

/** Walks the warm list from the least recently freed slot on, and notes every slot's place. */
function rankWarmSlots(words: Int32Array): WarmRanks {
  const rankOf = new Int32Array(words[TOUCHED_SLOTS]!);
  let numWithKey = 0;
  let bytes = 0;
  let rank = 0;
  let before = RING;
  let at = words[RING + NEWER]!;
  while (at !== RING) {
    const slot = checkedSlot(words, at, 'warm-list');
    expect(rankOf[slot] === 0, 'warm-list', () => `slot ${slot} is on it twice`);
    expect(words[at + TAG]! >= 0, 'warm-list', () => `slot ${slot} is on it, but used`);
    expect(words[at + OLDER] === before, 'warm-list', () => `slot ${slot} points back to another slot`);
    rankOf[slot] = ++rank;
    bytes += readSlotBytes(words, at);
    if (words[at + TAG] !== 0) numWithKey++;
    before = at;
    at = words[at + NEWER]!;
  }
  expect(words[RING + OLDER] === before, 'warm-list', () => 'its two ends do not meet');
  expect(rank === words[WARM_SLOTS], 'warm-list', () => `${rank} slots on it, ${words[WARM_SLOTS]} counted`);
  return { rankOf, numWithKey, bytes };
}

function checkUnusedBytes(words: Int32Array, { bytes }: WarmRanks): void {
  const counted = readUnusedBytes(words);
  expect(counted === bytes, 'unused-bytes', () => `${counted} counted, ${bytes} found`);
}

/**
 * Walks every list of every bucket. The places of a list's slots fall strictly, so no walk along one can go on
 * forever.
 */
function checkAffinity(words: Int32Array, capacity: number, ranks: WarmRanks): void {
  const shift = bucketShift(capacity);
  let numListed = 0;
  for (let bucket = 0; bucket < numBuckets(capacity); bucket++) {
    if (words[bucketAt(bucket)] !== 0) numListed += countBucket(words, bucket, shift, ranks);
  }
  // No slot is on two lists: no key has two, and its own key says on which one it may be.
  expect(
    numListed === ranks.numWithKey,
    'affinity-list',
    () => `${numListed} slots on lists, ${ranks.numWithKey} have keys`,
  );
}

/**
 * Walks the chain of one bucket, and returns the number of slots on all its lists. A key that comes again ends a
 * chain in a circle.
 */
function countBucket(words: Int32Array, bucket: number, shift: number, ranks: WarmRanks): number {
  const keys = new Set<number>();
  let count = 0;
  let at = words[bucketAt(bucket)]!;
  while (at !== 0) {
    const slot = checkedWarmSlot(words, at, ranks, 'affinity-table');
    const tag = words[at + TAG]!;
    expect(tag !== 0, 'affinity-table', () => `slot ${slot} heads a list, but has no key`);
    expect(
      bucketWord(tag, words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX, shift) === bucketAt(bucket),
      'affinity-table',
      () => `the list of slot ${slot} is in the wrong bucket, ${bucket}`,
    );
    const key = keyAt(words, at);
    expect(
      !keys.has(key),
      'affinity-table',
      () => `the key of slot ${slot} has two lists in bucket ${bucket}`,
    );
    keys.add(key);
    count += countList(words, at, ranks);
    at = words[at + CHAIN]!;
  }
  return count;
}

/** Walks one affinity list from its newest slot to its oldest, and returns its length. */
function countList(words: Int32Array, newest: number, ranks: WarmRanks): number {
  const key = keyAt(words, newest);
  let rankBefore = Infinity;
  let count = 0;
  let newer = 0;
  let at = newest;
  while (at !== 0) {
    const slot = checkedWarmSlot(words, at, ranks, 'affinity-list');
    const rank = ranks.rankOf[slot]!;
    expect(keyAt(words, at) === key, 'affinity-list', () => `slot ${slot} is on another key's list`);
    expect(rank < rankBefore, 'affinity-list', () => `slot ${slot} stands behind one that was freed earlier`);
    count++;
    rankBefore = rank;
    const older = words[at + AFFINE]! ^ newer;
    newer = at;
    at = older;
  }
  return count;
}

/** The slot whose record begins at `at`, if one does and it was ever taken. */
function checkedSlot(words: Int32Array, at: number, rule: ConsistencyRule): number {
  const slot = slotAt(at);
  expect(
    at % RECORD_WORDS === 0 && slot >= 0 && slot < words[TOUCHED_SLOTS]!,
    rule,
    () => `word ${at} is linked, but is no slot that was ever taken`,
  );
  return slot;
}

function checkedWarmSlot(
  words: Int32Array,
  at: number,
  { rankOf }: WarmRanks,
  rule: ConsistencyRule,
): number {
  const slot = checkedSlot(words, at, rule);
  expect(rankOf[slot] !== 0, rule, () => `slot ${slot} is listed, but not warm`);
  return slot;
}

/** A number that is the same for two slots only if their keys are: 31 bits and 16. */
function keyAt(words: Int32Array, at: number): number {
  return words[at + TAG]! * (MAX_MEMORY_INDEX + 1) + (words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX);
}

/** The text is made only when it is needed: a million slots call this several million times. */
function expect(holds: boolean, rule: ConsistencyRule, found: () => string): void {
  if (!holds) throw new InconsistentStateError(rule, found());
}
