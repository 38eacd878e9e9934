/** Where the state's words come from: a new buffer, or one that was handed in. */
import { checkInteger, invalidArgType, isInstance, outOfRange, readOptions } from '@guardstripe/common';
import { checkState } from './consistency.js';
import { StateAllocationError, StateBufferError } from './errors.js';
import { stateWords } from './records.js';
import { CAPACITY_STAMP, MAX_CAPACITY, RECORD_WORDS, WARM_LIMIT_STAMP } from './state.js';
import type { AllocatorOptions } from './types.js';

/** Bytes of one word. */
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/**
 * Bytes of state that one slot costs. The whole is {@link stateBytes}: this times the capacity, and 64 bytes once.
 */
export const STATE_BYTES_PER_SLOT: number = RECORD_WORDS * WORD_BYTES;

/**
 * Bytes of state for `capacity` slots: what a buffer handed to an allocator must offer.
 *
 * @param capacity number of slots, an integer from 0 to `MAX_CAPACITY`
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE` if it is not a number
 * @throws `RangeError` `ERR_OUT_OF_RANGE` if it is not such an integer
 */
export function stateBytes(capacity: number): number {
  checkInteger(capacity, 'capacity', 0, MAX_CAPACITY);
  return stateWords(capacity) * WORD_BYTES;
}

/**
 * Makes the state's words, or takes them up in the buffer of the options: of exactly the right length, with the settings
 * in the header and, if they were handed in, checked over all slots. A buffer that is refused is left as it was.
 */
export function openState(capacity: number, warmLimit: number, options: AllocatorOptions): Int32Array {
  const { buffer, byteOffset = 0 } = readOptions(options, ['buffer', 'byteOffset']);
  if (buffer === undefined) {
    const words = newWords(capacity);
    stampSettings(words, capacity, warmLimit);
    return words;
  }
  const words = wordsIn(buffer, byteOffset, capacity);
  if (words[CAPACITY_STAMP] === 0 && words[WARM_LIMIT_STAMP] === 0) {
    adoptUnstamped(words, capacity, warmLimit);
  } else {
    compareSettings(words, capacity, warmLimit);
    checkState(words, capacity, warmLimit);
  }
  return words;
}

function stampSettings(words: Int32Array, capacity: number, warmLimit: number): void {
  words[CAPACITY_STAMP] = capacity + 1;
  words[WARM_LIMIT_STAMP] = warmLimit + 1;
}

/** Stamps a buffer that should hold zeros, and wipes the stamps off again if it does not. */
function adoptUnstamped(words: Int32Array, capacity: number, warmLimit: number): void {
  stampSettings(words, capacity, warmLimit);
  try {
    checkState(words, capacity, warmLimit);
  } catch (error) {
    words[CAPACITY_STAMP] = 0;
    words[WARM_LIMIT_STAMP] = 0;
    throw error;
  }
}

function compareSettings(words: Int32Array, capacity: number, warmLimit: number): void {
  const capacityThere = words[CAPACITY_STAMP]! - 1;
  const limitThere = words[WARM_LIMIT_STAMP]! - 1;
  if (capacityThere === capacity && limitThere === warmLimit) return;
  throw new StateBufferError(
    `"options.buffer" holds the state of an allocator with other settings: capacity ${capacityThere} and at most ` +
      `${limitThere} unused warm slots, not ${capacity} and ${warmLimit}`,
  );
}

function wordsIn(buffer: unknown, byteOffset: unknown, capacity: number): Int32Array {
  checkBuffer(buffer);
  checkInteger(byteOffset, 'options.byteOffset');
  if (byteOffset % WORD_BYTES !== 0) {
    throw outOfRange('options.byteOffset', `a multiple of ${WORD_BYTES}`, byteOffset);
  }
  const numWords = stateWords(capacity);
  if (buffer.byteLength - byteOffset < numWords * WORD_BYTES) {
    throw new StateBufferError(
      `"options.buffer" is too small for ${capacity} slots: ${numWords * WORD_BYTES} bytes are needed from byte ` +
        `${byteOffset} on. Received ${buffer.byteLength} bytes`,
    );
  }
  return new Int32Array(buffer, byteOffset, numWords);
}

function newWords(capacity: number): Int32Array<ArrayBuffer> {
  const numWords = stateWords(capacity);
  try {
    return new Int32Array(numWords);
  } catch (error) {
    throw new StateAllocationError(numWords * WORD_BYTES, capacity, error);
  }
}

function checkBuffer(buffer: unknown): asserts buffer is ArrayBuffer | SharedArrayBuffer {
  // A buffer that shrinks under the allocator would take slots away that are in use.
  if (isInstance(buffer, ArrayBuffer)) {
    if (ask(buffer, () => buffer.resizable))
      throw new StateBufferError('"options.buffer" must not be resizable');
  } else if (typeof SharedArrayBuffer !== 'undefined' && isInstance(buffer, SharedArrayBuffer)) {
    if (ask(buffer, () => buffer.growable))
      throw new StateBufferError('"options.buffer" must not be growable');
  } else {
    throw noBuffer(buffer);
  }
}

/** What only looks like a buffer, by its prototype or as a proxy of one, refuses to be asked anything. */
function ask(buffer: unknown, question: () => boolean): boolean {
  try {
    return question();
  } catch {
    throw noBuffer(buffer);
  }
}

function noBuffer(buffer: unknown): TypeError {
  return invalidArgType('options.buffer', 'an instance of ArrayBuffer or SharedArrayBuffer', buffer);
}
