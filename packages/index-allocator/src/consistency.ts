/**
 * The rules of the state, one function a rule. Trusts nothing: every record number is checked before it is followed, and every walk
 * is bounded, so that any contents of the buffer at all end in a named error or are sound.
 *
 * Costs a pass over all records and four bytes a slot; the hot calls never come here.
 */
import { InconsistentStateError } from './errors.js';
import type { ConsistencyRule } from './errors.js';
import {
  AFFINE,
  bucketAt,
  bucketMask,
  bucketWord,
  BYTES_LOW,
  CAPACITY_STAMP,
  CHAIN,
  HIGH_UNIT,
  INDEX_AND_HIGH,
  MAX_MEMORY_INDEX,
  NEWER,
  OLDER,
  recordAt,
  TAG,
  TOUCHED_SLOTS,
  UNUSED_HIGH,
  UNUSED_LOW,
  USED_BIT,
  WARM_LIMIT_STAMP,
  WARM_SLOTS,
} from './state.js';

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
  /** By record: 0 if it is not warm, else its place on the warm list, from 1 for the least recently freed. */
  readonly rankOf: Int32Array;
  /** Number of warm records that have a key. */
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
}

/** Counts used and warm slots among the touched ones, and finds all others blank. */
function checkSlots(words: Int32Array, capacity: number): void {
  const touched = words[TOUCHED_SLOTS]!;
  const warm = words[WARM_SLOTS]!;
  let used = 0;
  for (let slot = 0; slot < touched; slot++) {
    const at = recordAt(slot + 1);
    if (words[at + TAG]! < 0) used++;
    const isForNobody = words[at + TAG] === 0 || words[at + TAG] === USED_BIT;
    const memoryIndex = words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX;
    expect(!isForNobody || memoryIndex === 0, 'slot-state', () => `slot ${slot} has no module, but memory ${memoryIndex}`);
  }
  for (let slot = touched; slot < capacity; slot++) {
    expect(words[recordAt(slot + 1) + TAG] === 0, 'slot-state', () => `cold slot ${slot} is marked`);
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
  const touched = words[TOUCHED_SLOTS]!;
  const rankOf = new Int32Array(touched + 1);
  let numWithKey = 0;
  let bytes = 0;
  let rank = 0;
  let before = 0;
  for (let record = words[recordAt(0) + NEWER]!; record !== 0; record = words[recordAt(record) + NEWER]!) {
    const here = record;
    const older = before;
    expect(here > 0 && here <= touched, 'warm-list', () => `record ${here} of ${touched} is on it`);
    expect(rankOf[here] === 0, 'warm-list', () => `slot ${here - 1} is on it twice`);
    const at = recordAt(here);
    expect(words[at + TAG]! >= 0, 'warm-list', () => `slot ${here - 1} is on it, but used`);
    expect(words[at + OLDER] === older, 'warm-list', () => `slot ${here - 1} does not point back to record ${older}`);
    rankOf[here] = ++rank;
    bytes += bytesOf(words, at);
    if (words[at + TAG] !== 0) numWithKey++;
    before = here;
  }
  expect(words[recordAt(0) + OLDER] === before, 'warm-list', () => `its newest end is not record ${before}`);
  expect(rank === words[WARM_SLOTS], 'warm-list', () => `${rank} slots on it, ${words[WARM_SLOTS]} counted`);
  return { rankOf, numWithKey, bytes };
}

function checkUnusedBytes(words: Int32Array, { bytes }: WarmRanks): void {
  const counted = words[UNUSED_HIGH]! * HIGH_UNIT + (words[UNUSED_LOW]! >>> 0);
  expect(counted === bytes, 'unused-bytes', () => `${counted} counted, ${bytes} found`);
}

/** Walks every list of every bucket. The places of a list's slots fall strictly, so no walk along one can go on forever. */
function checkAffinity(words: Int32Array, capacity: number, ranks: WarmRanks): void {
  const numBuckets = bucketMask(capacity) + 1;
  let numListed = 0;
  for (let bucket = 0; bucket < numBuckets; bucket++) {
    if (words[bucketAt(bucket)] !== 0) numListed += countBucket(words, bucket, numBuckets - 1, ranks);
  }
  // No slot is on two lists: no key has two, and its own key says on which one it may be.
  expect(
    numListed === ranks.numWithKey,
    'affinity-list',
    () => `${numListed} slots on lists, ${ranks.numWithKey} have keys`,
  );
}

/** Walks the chain of one bucket, and returns the number of slots on all its lists. A key that comes again ends a chain in a circle. */
function countBucket(words: Int32Array, bucket: number, mask: number, ranks: WarmRanks): number {
  const keys = new Set<number>();
  let count = 0;
  let record = words[bucketAt(bucket)]!;
  while (record !== 0) {
    const slot = record - 1;
    expectWarm(ranks, record, 'affinity-table');
    const at = recordAt(record);
    const tag = words[at + TAG]!;
    expect(tag !== 0, 'affinity-table', () => `slot ${slot} heads a list, but has no key`);
    expect(
      bucketWord(tag, words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX, mask) === bucketAt(bucket),
      'affinity-table',
      () => `the list of slot ${slot} is in the wrong bucket, ${bucket}`,
    );
    const key = keyOf(words, at);
    expect(!keys.has(key), 'affinity-table', () => `the key of slot ${slot} has two lists in bucket ${bucket}`);
    keys.add(key);
    count += countList(words, record, ranks);
    record = words[at + CHAIN]!;
  }
  return count;
}

/** Walks one affinity list from its newest slot to its oldest, and returns its length. */
function countList(words: Int32Array, newest: number, ranks: WarmRanks): number {
  const key = keyOf(words, recordAt(newest));
  let count = 0;
  let newer = 0;
  let record = newest;
  while (record !== 0) {
    const here = record;
    const after = newer;
    expectWarm(ranks, here, 'affinity-list');
    expect(keyOf(words, recordAt(here)) === key, 'affinity-list', () => `slot ${here - 1} is on another key's list`);
    expect(
      after === 0 || ranks.rankOf[here]! < ranks.rankOf[after]!,
      'affinity-list',
      () => `slot ${here - 1} is listed as older than slot ${after - 1}, but is not`,
    );
    count++;
    record = words[recordAt(here) + AFFINE]! ^ after;
    newer = here;
  }
  return count;
}

function expectWarm({ rankOf }: WarmRanks, record: number, rule: ConsistencyRule): void {
  expect(record > 0 && record < rankOf.length && rankOf[record] !== 0, rule, () => `record ${record} is not warm`);
}

/** A number that is the same for two records only if their keys are: 31 bits and 16. */
function keyOf(words: Int32Array, at: number): number {
  return words[at + TAG]! * (MAX_MEMORY_INDEX + 1) + (words[at + INDEX_AND_HIGH]! & MAX_MEMORY_INDEX);
}

function bytesOf(words: Int32Array, at: number): number {
  return (words[at + INDEX_AND_HIGH]! >>> 16) * HIGH_UNIT + (words[at + BYTES_LOW]! >>> 0);
}

/** The text is made only when it is needed: a million slots call this several million times. */
function expect(holds: boolean, rule: ConsistencyRule, found: () => string): void {
  if (!holds) throw new InconsistentStateError(rule, found());
}
