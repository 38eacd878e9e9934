/** Who of some worker threads still lives, for programs that have no better source. */
import { checkInteger, invalidArgType, isInstance, readOptions } from '@guardstripe/common';
import { StateBufferError, TooManyThreadsError } from '../errors.js';
import { THREAD_MASK } from '../shared/holders.js';
import type { Threads } from './threads.js';

/** Threads alive at a time. */
const MAX_THREADS = 1024;
const NEXT_ID = MAX_THREADS;
const TABLE_BYTES = (MAX_THREADS + 1) * Int32Array.BYTES_PER_ELEMENT;

/** What a thread needs to take part in a {@link ThreadTable}; plain data that `workerData` and `postMessage` carry. */
export interface ThreadSeat {
  /** The thread's number, not used for another one. */
  readonly thread: number;
  /** What all threads see. */
  readonly table: SharedArrayBuffer;
}

/**
 * A list of threads, kept by whoever starts them: it says {@link ThreadTable.end} when a worker's `'exit'` event comes, which Node
 * sends when the OS thread is gone. Nothing else ends a thread's membership, so a table that is not told of an exit takes a dead
 * thread for a living one for good: what that one held stays held, and others wait for its locks. That is the safe way to be wrong.
 *
 * @example
 * ```ts
 * const table = new ThreadTable();
 * const seat = table.add();
 * const worker = new Worker(file, { workerData: { seat } });
 * worker.once('exit', () => table.end(seat.thread));
 * // in the worker: const threads = ThreadTable.join(workerData.seat);
 * ```
 */
export class ThreadTable {
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** An empty table. */
  constructor() {
    this.#words = new Int32Array(new SharedArrayBuffer(TABLE_BYTES));
  }

  /**
   * Enters a thread: one about to be started, or the calling one.
   *
   * @throws {@link TooManyThreadsError} `ERR_TOO_MANY_THREADS` if 1,024 threads are alive
   */
  add(): ThreadSeat {
    const words = this.#words;
    for (let tries = 0; tries < MAX_THREADS; tries++) {
      const thread = (Atomics.add(words, NEXT_ID, 1) & THREAD_MASK) + 1;
      if (thread > THREAD_MASK) continue;
      if (Atomics.compareExchange(words, thread % MAX_THREADS, 0, thread) !== 0) continue;
      return { thread, table: words.buffer };
    }
    throw new TooManyThreadsError(MAX_THREADS);
  }

  /**
   * Strikes a thread out that has ended, or that never started.
   *
   * @param thread its number
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `RangeError` `ERR_OUT_OF_RANGE` for what is no thread's number
   */
  end(thread: number): void {
    checkInteger(thread, 'thread', 1, THREAD_MASK);
    Atomics.compareExchange(this.#words, thread % MAX_THREADS, thread, 0);
  }

  /**
   * The threads as one of them sees them.
   *
   * @param seat what {@link ThreadTable.add} gave for the calling thread
   * @throws `TypeError` `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, `RangeError` `ERR_OUT_OF_RANGE` for what is no seat
   */
  static join(seat: ThreadSeat): Threads {
    const { thread, table } = readOptions(seat ?? null, ['thread', 'table'], 'seat');
    checkInteger(thread, 'seat.thread', 1, THREAD_MASK);
    if (!isInstance(table, SharedArrayBuffer)) {
      throw invalidArgType('seat.table', 'an instance of SharedArrayBuffer', table);
    }
    const words = viewTable(table);
    return {
      self: thread,
      isAlive: (other) => Atomics.load(words, other % MAX_THREADS) === other,
    };
  }
}

function viewTable(table: SharedArrayBuffer): Int32Array {
  try {
    if (table.byteLength === TABLE_BYTES) return new Int32Array(table);
  } catch {
    // What only looks like a buffer refuses to be asked.
  }
  throw new StateBufferError('"seat.table" is not the buffer of a ThreadTable');
}
