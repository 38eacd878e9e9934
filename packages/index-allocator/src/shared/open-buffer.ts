/** Making the one buffer of a shared allocator, and finding it to be one in another thread. */
import { invalidArgType, isInstance } from '@guardstripe/common';
import { StateAllocationError, StateBufferError } from '../errors.js';
import { MAX_CAPACITY } from '../state.js';
import { placeShards, seatAt, type ShardPlace } from './shape.js';
import {
  CAPACITY_WORD,
  LAYOUT_VERSION,
  MAGIC,
  MAGIC_WORD,
  MAX_SEATS,
  MAX_SHARDS,
  NUM_SHARDS_WORD,
  VERSION_WORD,
  WARM_LIMIT_WORD,
} from './words.js';
import { openShard, stampShard, type Shard } from './shard.js';

/** All views of a buffer. */
export interface SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly capacity: number;
  readonly warmLimit: number;
  /** Settings, line and seats. */
  readonly head: Int32Array;
  readonly shards: readonly Shard[];
  readonly slotsEach: number;
}

/** Makes an empty allocator. */
export function makeShared(capacity: number, wishedLimit: number, wishedShards: number): SharedState {
  const warmLimit = Math.min(wishedLimit, capacity);
  const places = placeShards(capacity, warmLimit, wishedShards);
  const buffer = newBuffer(places.at(-1)!.end * Int32Array.BYTES_PER_ELEMENT, capacity);
  const state = viewShared(buffer, capacity, warmLimit, places);
  for (const shard of state.shards) stampShard(shard);
  const { head } = state;
  head[VERSION_WORD] = LAYOUT_VERSION;
  head[CAPACITY_WORD] = capacity;
  head[WARM_LIMIT_WORD] = warmLimit;
  head[NUM_SHARDS_WORD] = places.length;
  Atomics.store(head, MAGIC_WORD, MAGIC);
  return state;
}

/** Takes up an allocator that {@link makeShared} made, here or in another thread. */
export function openShared(buffer: unknown): SharedState {
  if (typeof SharedArrayBuffer === 'undefined' || !isInstance(buffer, SharedArrayBuffer)) {
    throw invalidArgType('handle.indexAllocator', 'an instance of SharedArrayBuffer', buffer);
  }
  const numWords = Math.trunc(byteLengthOf(buffer) / Int32Array.BYTES_PER_ELEMENT);
  if (numWords < seatAt(MAX_SEATS)) throw foreign(`it has ${numWords} words`);
  const head = new Int32Array(buffer, 0, seatAt(MAX_SEATS));
  if (Atomics.load(head, MAGIC_WORD) !== MAGIC) throw foreign('it does not begin as one');
  if (head[VERSION_WORD] !== LAYOUT_VERSION) throw foreign(`its layout is ${head[VERSION_WORD]}`);
  const capacity = head[CAPACITY_WORD]!;
  const warmLimit = head[WARM_LIMIT_WORD]!;
  const numShards = head[NUM_SHARDS_WORD]!;
  if (capacity < 1 || capacity > MAX_CAPACITY) throw foreign(`it has ${capacity} slots`);
  if (warmLimit < 0 || warmLimit > capacity) throw foreign(`its warm limit is ${warmLimit}`);
  if (numShards < 1 || numShards > MAX_SHARDS) throw foreign(`it has ${numShards} shards`);
  const places = placeShards(capacity, warmLimit, numShards);
  if (places.length !== numShards || places.at(-1)!.end !== numWords) throw foreign('its length is another');
  return viewShared(buffer, capacity, warmLimit, places);
}

function viewShared(
  buffer: SharedArrayBuffer,
  capacity: number,
  warmLimit: number,
  places: readonly ShardPlace[],
): SharedState {
  return {
    buffer,
    capacity,
    warmLimit,
    head: new Int32Array(buffer, 0, seatAt(MAX_SEATS)),
    shards: places.map((place) => openShard(buffer, place)),
    slotsEach: places[0]!.capacity,
  };
}

function newBuffer(byteLength: number, capacity: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(byteLength);
  } catch (error) {
    throw new StateAllocationError(byteLength, capacity, error);
  }
}

/** What only looks like a buffer, by its prototype or as a proxy of one, refuses to be asked anything. */
function byteLengthOf(buffer: SharedArrayBuffer): number {
  try {
    return buffer.byteLength;
  } catch {
    throw invalidArgType('handle.indexAllocator', 'an instance of SharedArrayBuffer', buffer);
  }
}

function foreign(found: string): StateBufferError {
  return new StateBufferError(`"handle.indexAllocator" holds no shared allocator of this version: ${found}`);
}
