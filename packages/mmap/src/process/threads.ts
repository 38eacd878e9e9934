/**
 * Which threads use the package, and which of them are gone. A record a thread:
 *
 *     word 0  OS thread id, 0 for a free record        float64 3  when the thread started, 0 for unknown
 *          1  OS thread id of who clears it away       float64 4  address of its ledger, 0 for none
 *          2  generation: how often it was cleared
 *          3  mappings that its pools hold
 *
 * A record is taken with one `compareExchange` and written by its thread alone, until the thread is gone; then by the one thread
 * that has put its id into word 1, step by step in an order that another one can go on with if that one is gone, too.
 *
 * "Gone" means that the kernel knows the thread no more: Node lets a worker's OS thread end only when its pending operations
 * are done, so nothing of its can still write. `terminate()` alone says nothing of the kind.
 */

import { readFileSync } from 'node:fs';

import { ffi } from '../platform/ffi.js';
import { MAX_THREADS, THREAD_BYTES, THREADS_OFFSET, THREADS_USED_WORD } from './layout.js';

const WORDS = THREAD_BYTES / Int32Array.BYTES_PER_ELEMENT;
const FLOATS = THREAD_BYTES / Float64Array.BYTES_PER_ELEMENT;
const TID = 0;
const CLEARER = 1;
const GENERATION = 2;
const MAPPINGS = 3;
const STARTED = 3;
const LEDGER = 4;

/** A record's number takes the lower bits of a {@link ThreadId}, its generation the rest. */
const INDEX_BITS = 11;
const INDEX_MASK = (1 << INDEX_BITS) - 1;
const GENERATION_MASK = 0x3_ffff;

/**
 * A thread's name among all that the process ever had: never 0, a 32-bit integer, and not used again before 2^18 others had its
 * record, and below 2^30.
 */
export type ThreadId = number;

/** What is asked of the kernel. */
export interface ThreadSystem {
  /** The calling thread's id; -1 where the kernel refuses to say. */
  ownId(): number;
  /** Whether this process has a thread of the id. */
  exists(tid: number): boolean;
  /** When the thread started, in the kernel's clock ticks; 0 where it does not say. */
  startedAt(tid: number): number;
}

/** The running kernel. */
export function linuxThreads(): ThreadSystem {
  const c = ffi();
  // By number: glibc has these wrappers only since 2.30.
  const gettid = c.declare<(call: number) => number>('long syscall(long number)');
  const tgkill = c.declare<(call: number, pid: number, tid: number, signal: number) => number>(
    'long syscall(long number, long tgid, long tid, long signal)',
  );
  const [sysGettid, sysTgkill] = process.arch === 'x64' ? [186, 234] : [178, 131];
  const ESRCH = 3;
  return {
    ownId: () => gettid(sysGettid),
    exists: (tid) => tgkill(sysTgkill, process.pid, tid, 0) === 0 || c.errno() !== ESRCH,
    startedAt(tid) {
      try {
        const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
        // Field 22 (proc_pid_stat(5)); the second is the program's name in parentheses and may hold anything.
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3]) || 0;
      } catch {
        return 0;
      }
    },
  };
}

/** All threads' records. */
export class ThreadRecords {
  readonly #system: ThreadSystem;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  /** How many records were ever in use. */
  readonly #used: Int32Array;

  constructor(area: ArrayBuffer, system: ThreadSystem) {
    this.#system = system;
    this.#words = new Int32Array(area, THREADS_OFFSET);
    this.#floats = new Float64Array(area, THREADS_OFFSET);
    this.#used = new Int32Array(area, THREADS_USED_WORD * Int32Array.BYTES_PER_ELEMENT, 1);
  }

  /**
   * The number of the calling thread's record: the one it has, through another copy of the package, or a fresh one; `undefined`
   * where all are taken.
   */
  enter(): number | undefined {
    const tid = this.#system.ownId();
    // All threads would have one record.
    if (!(tid > 0)) throw new Error('the kernel does not say which thread this is');
    const started = this.#system.startedAt(tid);
    for (let index = 0; index < this.numUsed; index++) {
      if (this.#word(index, TID) === tid && this.#started(index) === started) return index;
    }
    for (let index = 0; index < MAX_THREADS; index++) {
      if (Atomics.compareExchange(this.#words, index * WORDS + TID, 0, tid) !== 0) continue;
      this.#floats[index * FLOATS + STARTED] = started;
      this.#noteUsed(index + 1);
      return index;
    }
    return undefined;
  }

  get numUsed(): number {
    return Math.min(Atomics.load(this.#used, 0), MAX_THREADS);
  }

  idOf(index: number): ThreadId {
    return (((this.#word(index, GENERATION) & GENERATION_MASK) + 1) << INDEX_BITS) | index;
  }

  /** Whether the thread of that name has ended. */
  isGone(id: ThreadId): boolean {
    const index = id & INDEX_MASK;
    return index >= MAX_THREADS || this.idOf(index) !== id || !this.#isAlive(index);
  }

  addMappings(index: number, mappings: number): void {
    Atomics.add(this.#words, index * WORDS + MAPPINGS, mappings);
  }

  /** Mappings that the pools of all threads hold. */
  get mappings(): number {
    let sum = 0;
    for (let index = 0, { numUsed } = this; index < numUsed; index++) sum += this.#word(index, MAPPINGS);
    return sum;
  }

  ledgerAddress(index: number): number {
    return this.#floats[index * FLOATS + LEDGER]!;
  }

  setLedgerAddress(index: number, address: number): void {
    this.#floats[index * FLOATS + LEDGER] = address;
  }

  /** Records of threads that are gone. */
  goneRecords(): number[] {
    const gone: number[] = [];
    for (let index = 0, { numUsed } = this; index < numUsed; index++) {
      if (this.#word(index, TID) !== 0 && !this.#isAlive(index)) gone.push(index);
    }
    return gone;
  }

  /** Makes the calling thread the only one that clears the record away; false if another one does, or has done. */
  beginClearing(index: number): boolean {
    const own = this.#system.ownId();
    const at = index * WORDS + CLEARER;
    const other = Atomics.compareExchange(this.#words, at, 0, own);
    const mayGoOn = other === 0 || other === own || !this.#system.exists(other);
    if (!mayGoOn || (other !== 0 && Atomics.compareExchange(this.#words, at, other, own) !== other))
      return false;
    // It may have been cleared, and even taken again, since it was looked at.
    if (this.#word(index, TID) !== 0 && !this.#isAlive(index)) return true;
    this.abandonClearing(index);
    return false;
  }

  /** Leaves the rest to somebody else, later. */
  abandonClearing(index: number): void {
    Atomics.store(this.#words, index * WORDS + CLEARER, 0);
  }

  /** All that the thread had was given back. The id goes last: with it the record may be anybody's. */
  endClearing(index: number): void {
    this.setLedgerAddress(index, 0);
    Atomics.store(this.#words, index * WORDS + MAPPINGS, 0);
    this.#floats[index * FLOATS + STARTED] = 0;
    Atomics.add(this.#words, index * WORDS + GENERATION, 1);
    Atomics.store(this.#words, index * WORDS + TID, 0);
    Atomics.store(this.#words, index * WORDS + CLEARER, 0);
  }

  #isAlive(index: number): boolean {
    const tid = this.#word(index, TID);
    if (tid === 0 || !this.#system.exists(tid)) return false;
    // The id may be another thread's by now. What is not known is no reason to take anything away.
    const started = this.#started(index);
    const startedNow = started === 0 ? 0 : this.#system.startedAt(tid);
    return startedNow === 0 || startedNow === started;
  }

  #started(index: number): number {
    return this.#floats[index * FLOATS + STARTED]!;
  }

  #word(index: number, word: number): number {
    return Atomics.load(this.#words, index * WORDS + word);
  }

  #noteUsed(count: number): void {
    for (let used = this.numUsed; used < count; used = this.numUsed) {
      Atomics.compareExchange(this.#used, 0, used, count);
    }
  }
}
