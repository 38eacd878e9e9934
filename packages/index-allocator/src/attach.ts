/** Where the state's words come from: a new buffer, or one that was handed in. */
import { checkInteger } from './checks.js';
import { ArgumentTypeError, StateAllocationError, StateBufferError } from './errors.js';
import { stateWords } from './records.js';
import { CAPACITY_STAMP, MAX_CAPACITY, RECORD_WORDS, WARM_LIMIT_STAMP } from './state.js';
import type { AllocatorOptions } from './types.js';

/** Bytes of one word. */
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/** Bytes of state that one slot costs. The whole is {@link stateBytes}: this times the capacity, and 64 bytes once. */
export const STATE_BYTES_PER_SLOT: number = RECORD_WORDS * WORD_BYTES;

/**
 * Bytes of state for `capacity` slots: what a buffer handed to an allocator must offer.
 *
 * @param capacity number of slots, an integer from 0 to `MAX_CAPACITY`
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if it is not a number
 * @throws {RangeError} `ERR_OUT_OF_RANGE` if it is not such an integer
 */
export function stateBytes(capacity: number): number {
  checkInteger(capacity, 'capacity', MAX_CAPACITY);
  return stateWords(capacity) * WORD_BYTES;
}

/** The state's words, of exactly the right length; `fresh` if they are zeros for certain. */
export interface OpenedWords {
  readonly words: Int32Array<ArrayBufferLike>;
  readonly fresh: boolean;
}

/** Makes the state's words, or finds them in the buffer of the options. */
export function openWords(capacity: number, options: AllocatorOptions): OpenedWords {
  if (typeof options !== 'object' || options === null) {
    throw new ArgumentTypeError('options', 'an object', options);
  }
  const { buffer, byteOffset = 0 } = options;
  const numWords = stateWords(capacity);
  if (buffer === undefined) return { words: newWords(numWords, capacity), fresh: true };
  checkBuffer(buffer);
  checkInteger(byteOffset, 'options.byteOffset', Number.MAX_SAFE_INTEGER);
  if (byteOffset % WORD_BYTES !== 0) {
    throw new StateBufferError(
      `"options.byteOffset" must be a multiple of ${WORD_BYTES}. Received ${byteOffset}`,
    );
  }
  if (buffer.byteLength - byteOffset < numWords * WORD_BYTES) {
    throw new StateBufferError(
      `"options.buffer" is too small for ${capacity} slots: ${numWords * WORD_BYTES} bytes are needed from byte ` +
        `${byteOffset} on. Received ${buffer.byteLength} bytes`,
    );
  }
  return { words: new Int32Array(buffer, byteOffset, numWords), fresh: false };
}

/** Writes the settings into the header, or compares them with those that stand there. */
export function stampSettings(words: Int32Array, capacity: number, warmLimit: number): void {
  const capacityStamp = words[CAPACITY_STAMP]!;
  const limitStamp = words[WARM_LIMIT_STAMP]!;
  if (capacityStamp === 0 && limitStamp === 0) {
    words[CAPACITY_STAMP] = capacity + 1;
    words[WARM_LIMIT_STAMP] = warmLimit + 1;
    return;
  }
  if (capacityStamp !== capacity + 1 || limitStamp !== warmLimit + 1) {
    throw new StateBufferError(
      `"options.buffer" holds the state of an allocator with other settings: capacity ${capacityStamp - 1} and at most ` +
        `${limitStamp - 1} unused warm slots, not ${capacity} and ${warmLimit}`,
    );
  }
}

function newWords(numWords: number, capacity: number): Int32Array<ArrayBuffer> {
  try {
    return new Int32Array(numWords);
  } catch (error) {
    throw new StateAllocationError(numWords * WORD_BYTES, capacity, error);
  }
}

function checkBuffer(buffer: unknown): asserts buffer is ArrayBuffer | SharedArrayBuffer {
  if (buffer instanceof ArrayBuffer) {
    // A buffer that shrinks under the allocator would take slots away that are in use.
    if (buffer.resizable) throw new StateBufferError('"options.buffer" must not be resizable');
  } else if (typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer) {
    if (buffer.growable) throw new StateBufferError('"options.buffer" must not be growable');
  } else {
    throw new ArgumentTypeError('options.buffer', 'an ArrayBuffer or a SharedArrayBuffer', buffer);
  }
}
