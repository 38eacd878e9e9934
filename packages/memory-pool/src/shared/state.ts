/**
 * What the threads of a shared pool have in common, beside the slab and the index allocator: one buffer.
 *
 *     head      what it is, the gate, whose turn it is, the slab's place, and where the handle's buffers lie
 *     seats     a pair of words a thread: its number among all that the process had, and Node's number for it
 *     counters  16 doubles a seat: each thread counts on lines of its own, and what it counted stays when it ends
 *     config    the settings, as text
 *     resident  a double a slot: bytes that it keeps in RAM while it is free
 *     records   64 bytes a slot
 *     guards    a byte a slot
 *     flights   64 bytes a store that is on its way to another thread; `flight-steps.ts`
 *
 * All zeros but for the head is the state of a pool that nobody has used, so nothing is filled in when one is made.
 */
import { checkBoolean, checkInstance, invalidArgType, isInstance, readOptions } from '@guardstripe/common';
import { MAX_PROTECTION_KEYS } from '@guardstripe/layout';
import { addressOf, type JointMapHandle } from '@guardstripe/mmap';
import type { JointKey } from '@guardstripe/mpk';
import { readConfig, type ResolvedConfig } from '../config.js';
import { PoolAttachError, PoolCorruptedError, PoolCreationError } from '../errors.js';
import { FLIGHT_WORDS } from '../moving/flight-steps.js';
import { recordBytes } from '../slots/records.js';

/** "GSPL", and the version of this layout: copies of the package that lay it out differently must not meet. */
const MAGIC = 0x4753504c;
const VERSION = 3;

const MAGIC_WORD = 0;
const VERSION_WORD = 1;
const PID_WORD = 2;
/** See `Attachments`. */
export const GATE_WORD = 3;
const NUM_SLOTS_WORD = 4;
/** Mappings that the pool's slots hold. */
export const MAPPINGS_WORD = 5;
const CONFIG_BYTES_WORD = 6;
/** Threads that ended without leaving. */
export const ENDED_WORD = 7;
/** How many stores were opened: they take the stripes in turn, whichever thread opens them. Behind the doubles. */
export const STORES_WORD = 60;
/** Doubles of the head. */
const SLAB_ENTRY = 4;
const SLAB_TOKEN = 5;
const ADDRESS = 6;
const BYTE_LENGTH = 7;
/** Where the handle's buffers lie, so that a copy of one, or another pool's, is known; 0 for stripes that the pool has not. */
const PARTS = 8;
const MAX_PARTS = 2 + MAX_PROTECTION_KEYS;
const HEAD_BYTES = 256;
const RECORD_ALIGNMENT = 64;

/** As many as one index allocator takes. */
export const MAX_SEATS = 1024;
export const SEAT_WORDS = 2;
/** Doubles of a seat's counters: two cache lines. */
export const COUNTERS_OF_SEAT = 16;
const CONFIG_BYTES = 4096;
/** Stores in flight at a time: far more than workers can have before them. */
const NUM_FLIGHTS = 4096;

const SEATS_AT = HEAD_BYTES;
const COUNTERS_AT = SEATS_AT + MAX_SEATS * SEAT_WORDS * Int32Array.BYTES_PER_ELEMENT;
const CONFIG_AT = COUNTERS_AT + MAX_SEATS * COUNTERS_OF_SEAT * Float64Array.BYTES_PER_ELEMENT;
const RESIDENT_AT = CONFIG_AT + CONFIG_BYTES;

/**
 * What another thread attaches with: plain data for `workerData`, `postMessage` and `setEnvironmentData`. It is good in this process, as
 * long as a thread is attached.
 *
 * Handles are for the host's own code. Who has one can attach, and who writes into its buffers has all of the pool's memories, and can
 * crash the process: give none to code that you do not trust. Copies of the buffers, and buffers of several pools, are refused.
 */
export interface SharedPoolHandle {
  /** What the threads have in common. Writing into it breaks the pool. */
  readonly memoryPool: SharedArrayBuffer;
  /** Which slots are free: one a stripe. Writing into them breaks the pool. */
  readonly indexAllocators: readonly SharedArrayBuffer[];
  /** The modules that its threads know. Writing into it breaks the pool. */
  readonly modules: SharedArrayBuffer;
}

/** What was decided when the pool was made. */
export interface SharedSettings {
  readonly config: ResolvedConfig;
  readonly guardPages: boolean;
  /** One a stripe, or none. */
  readonly keys: readonly JointKey[];
}

/** The parts of the buffer. */
export interface SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly seats: Int32Array;
  readonly counters: Float64Array;
  readonly resident: Float64Array;
  readonly recordsOffset: number;
  readonly guards: Uint8Array;
  readonly flights: Int32Array;
  readonly numSlots: number;
  /** Where the slab is. */
  readonly slab: JointMapHandle;
  readonly settings: SharedSettings;
}

/** The handle's other buffers. */
type OtherParts = Omit<SharedPoolHandle, 'memoryPool'>;

/** Makes the buffer. @throws {@link PoolCreationError} if there is no memory for it */
export function makeState(
  numSlots: number,
  slab: JointMapHandle,
  settings: SharedSettings,
  others: OtherParts,
): SharedState {
  const text = new TextEncoder().encode(JSON.stringify(settings));
  if (text.byteLength > CONFIG_BYTES)
    throw new PoolCorruptedError(`the settings of a pool take ${text.byteLength} bytes`);
  // More than that are not told from copies.
  if (others.indexAllocators.length > MAX_PROTECTION_KEYS)
    throw new PoolCorruptedError(`a pool has ${others.indexAllocators.length} allocators`);
  const buffer = newBuffer(bytesFor(numSlots));
  new Uint8Array(buffer, CONFIG_AT, CONFIG_BYTES).set(text);
  const words = new Int32Array(buffer, 0, HEAD_BYTES / Int32Array.BYTES_PER_ELEMENT);
  const floats = new Float64Array(buffer, 0, HEAD_BYTES / Float64Array.BYTES_PER_ELEMENT);
  words[VERSION_WORD] = VERSION;
  words[PID_WORD] = process.pid;
  words[NUM_SLOTS_WORD] = numSlots;
  words[CONFIG_BYTES_WORD] = text.byteLength;
  floats[SLAB_ENTRY] = slab.entry;
  floats[SLAB_TOKEN] = slab.token;
  floats[ADDRESS] = slab.address;
  floats[BYTE_LENGTH] = slab.byteLength;
  floats.set(placesOf({ ...others, memoryPool: buffer }), PARTS);
  Atomics.store(words, MAGIC_WORD, MAGIC);
  return view(buffer, numSlots, settings);
}

/** The buffers of a handle, each read once, for reading may run the caller's code. @throws `TypeError` `ERR_INVALID_ARG_TYPE` */
export function readHandle(handle: SharedPoolHandle): SharedPoolHandle {
  const parts = readOptions(handle ?? null, ['memoryPool', 'indexAllocators', 'modules'], 'handle');
  const indexAllocators = buffersOf(parts.indexAllocators);
  checkBuffer(parts.modules, 'handle.modules');
  checkBuffer(parts.memoryPool, 'handle.memoryPool');
  return { memoryPool: parts.memoryPool, indexAllocators, modules: parts.modules };
}

/**
 * Finds the parts of a buffer that {@link makeState} made, here or in another thread.
 *
 * @throws {@link PoolAttachError} for a buffer that is no pool's of this process and version
 */
export function openState({ memoryPool, indexAllocators, modules }: SharedPoolHandle): SharedState {
  if (memoryPool.byteLength < bytesFor(0)) throw new PoolAttachError("the handle is no pool's");
  const words = new Int32Array(memoryPool, 0, HEAD_BYTES / Int32Array.BYTES_PER_ELEMENT);
  if (Atomics.load(words, MAGIC_WORD) !== MAGIC) throw new PoolAttachError("the handle is no pool's");
  if (words[VERSION_WORD] !== VERSION)
    throw new PoolAttachError('another version of the package has made it');
  if (words[PID_WORD] !== process.pid) throw new PoolAttachError('another process has made it');
  const numSlots = words[NUM_SLOTS_WORD]!;
  if (memoryPool.byteLength !== bytesFor(numSlots))
    throw new PoolAttachError('the handle has another length');
  const floats = new Float64Array(memoryPool, 0, HEAD_BYTES / Float64Array.BYTES_PER_ELEMENT);
  const places = placesOf({ memoryPool, indexAllocators, modules });
  if (places.some((place, index) => floats[PARTS + index] !== place))
    throw new PoolAttachError("the handle's buffers are copies, or of several pools");
  return view(memoryPool, numSlots, readSettings(memoryPool, words[CONFIG_BYTES_WORD]!));
}

/** A shared buffer lies at the same place for all threads, and a copy at another one. */
function placesOf({ memoryPool, indexAllocators, modules }: SharedPoolHandle): number[] {
  const parts = [memoryPool, modules, ...indexAllocators];
  return Array.from({ length: MAX_PARTS }, (_, index) => {
    const part = parts[index];
    return part === undefined || part.byteLength === 0 ? 0 : addressOf(new Uint8Array(part));
  });
}

function readSettings(memoryPool: SharedArrayBuffer, byteLength: number): SharedSettings {
  try {
    // Decoders take no shared bytes.
    const text = new Uint8Array(memoryPool, CONFIG_AT, CONFIG_BYTES).slice(0, byteLength);
    const { config, guardPages, keys } = JSON.parse(new TextDecoder().decode(text)) as SharedSettings;
    checkBoolean(guardPages, 'guardPages');
    const jointKeys = keys.map(({ id, generation }) => ({ id, generation }));
    return { config: readConfig(config).resolved, guardPages, keys: jointKeys };
  } catch {
    throw new PoolAttachError('the handle was written to');
  }
}

function view(buffer: SharedArrayBuffer, numSlots: number, settings: SharedSettings): SharedState {
  const recordsOffset = RESIDENT_AT + numSlots * Float64Array.BYTES_PER_ELEMENT;
  const alignedRecords = alignRecords(recordsOffset);
  const floats = new Float64Array(buffer, 0, HEAD_BYTES / Float64Array.BYTES_PER_ELEMENT);
  return {
    buffer,
    words: new Int32Array(buffer, 0, HEAD_BYTES / Int32Array.BYTES_PER_ELEMENT),
    seats: new Int32Array(buffer, SEATS_AT, MAX_SEATS * SEAT_WORDS),
    counters: new Float64Array(buffer, COUNTERS_AT, MAX_SEATS * COUNTERS_OF_SEAT),
    resident: new Float64Array(buffer, RESIDENT_AT, numSlots),
    recordsOffset: alignedRecords,
    guards: new Uint8Array(buffer, alignedRecords + recordBytes(numSlots), numSlots),
    flights: new Int32Array(buffer, flightsOffset(numSlots), NUM_FLIGHTS * FLIGHT_WORDS),
    numSlots,
    slab: {
      pid: process.pid,
      entry: floats[SLAB_ENTRY]!,
      token: floats[SLAB_TOKEN]!,
      address: floats[ADDRESS]!,
      byteLength: floats[BYTE_LENGTH]!,
    },
    settings,
  };
}

function bytesFor(numSlots: number): number {
  return flightsOffset(numSlots) + NUM_FLIGHTS * FLIGHT_WORDS * Int32Array.BYTES_PER_ELEMENT;
}

function flightsOffset(numSlots: number): number {
  const recordsOffset = RESIDENT_AT + numSlots * Float64Array.BYTES_PER_ELEMENT;
  return alignRecords(alignRecords(recordsOffset) + recordBytes(numSlots) + numSlots);
}

/** Records and flights are cache lines. */
function alignRecords(offset: number): number {
  return Math.ceil(offset / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

function newBuffer(byteLength: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(byteLength);
  } catch (cause) {
    throw new PoolCreationError('Cannot create a shared pool: there is no memory for its records', { cause });
  }
}

function checkBuffer(value: unknown, name: string): asserts value is SharedArrayBuffer {
  if (isInstance(value, SharedArrayBuffer) && canBeAsked(value)) return;
  throw invalidArgType(name, 'an instance of SharedArrayBuffer', value);
}

/** @throws `TypeError` `ERR_INVALID_ARG_TYPE` */
function buffersOf(value: unknown): readonly SharedArrayBuffer[] {
  checkInstance<readonly unknown[]>(value, 'handle.indexAllocators', Array);
  const { length } = value;
  if (length === 0) throw invalidArgType('handle.indexAllocators', 'an array of SharedArrayBuffers', value);
  return Array.from({ length: Math.min(length, MAX_PARTS) }, (_, stripe) => {
    const buffer = value[stripe];
    checkBuffer(buffer, `handle.indexAllocators[${stripe}]`);
    return buffer;
  });
}

/** What only looks like a buffer refuses. */
function canBeAsked(buffer: SharedArrayBuffer): boolean {
  try {
    return buffer.byteLength >= 0;
  } catch {
    return false;
  }
}
