/**
 * The process as all its threads see it: who uses the package, what the threads have, and clearing away what those leave behind
 * that have ended, in whichever way.
 */

import { isMainThread, type Worker } from 'node:worker_threads';

import { noJoint, SystemError } from '../errors.js';
import { ffi } from '../platform/ffi.js';
import { openArea } from './area.js';
import { JointEntries, JointThings, type JointHold } from './joint/things.js';
import { bury, HOW_MUCH, KIND, WHAT, type JointEntry } from './joint/steps.js';
import { KEYS_OFFSET, KEYS_WORDS, POOL_OFFSET, POOL_WORDS } from './layout.js';
import { KIND_DESCRIPTOR, KIND_MAPPING, Ledger, LEDGER_BYTES } from './ledger.js';
import { linuxThreads, ThreadRecords } from './threads.js';

const F_DUPFD_CLOEXEC = 1030;
const PROT_READ_WRITE = 3;
/** MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE */
const LEDGER_FLAGS = 0x2 | 0x20 | 0x4000;
/** A thread that Node has joined may take the kernel a moment to forget, on a slow machine a long one; milliseconds between looks. */
const LOOKS_MS = [0, 5, 50, 500, 5000];

/** Gives back what is in a dead thread's ledger. */
interface GivingBack {
  readonly map: (
    address: number,
    byteLength: number,
    prot: number,
    flags: number,
    fd: number,
    offset: number,
  ) => number;
  readonly unmap: (address: number, byteLength: number) => number;
  readonly close: (fd: number) => number;
  readonly fcntl: (fd: number, command: number, type: 'int', value: number) => number;
}

/**
 * What all threads and all copies of the package in this process share. For the other packages of Guardstripe; it changes
 * whenever they need it to.
 */
export class ProcessState {
  /** Words that are laid out by `@guardstripe/memory-pool`. */
  readonly poolWords: Int32Array;
  /** Words that are laid out by `@guardstripe/mpk`. */
  readonly keyWords: Int32Array;
  /** The calling thread's name among all that the process ever had; never 0. */
  readonly thread: number;
  /** @internal What the thread has; none on the main thread, with which everything ends. */
  readonly ledger: Ledger | undefined;
  /** @internal What several threads hold. */
  readonly joint: JointThings;
  readonly #threads: ThreadRecords;
  readonly #index: number;
  readonly #entries: JointEntries;
  readonly #calls: GivingBack;
  readonly #listeners: (() => void)[] = [];

  /** @internal Had from {@link processState}. */
  constructor(area: ArrayBuffer) {
    const c = ffi();
    this.#calls = {
      map: c.declare(
        'intptr_t mmap(uintptr_t addr, size_t length, int prot, int flags, int fd, int64_t offset)',
      ),
      unmap: c.declare('int munmap(uintptr_t addr, size_t length)'),
      close: c.declare('int close(int fd)'),
      fcntl: c.declare('int fcntl(int fd, int command, ...)'),
    };
    this.poolWords = new Int32Array(area, POOL_OFFSET, POOL_WORDS);
    this.keyWords = new Int32Array(area, KEYS_OFFSET, KEYS_WORDS);
    this.#threads = new ThreadRecords(area, linuxThreads());
    this.#entries = new JointEntries(area);
    this.reap();
    const index = this.#threads.enter();
    if (index === undefined) throw new Error('too many threads use the package');
    this.#index = index;
    this.thread = this.#threads.idOf(index);
    this.joint = new JointThings(this.#entries, { thread: this.thread, index }, (entry) =>
      this.#giveBackEntry(entry),
    );
    this.ledger = isMainThread ? undefined : this.#openLedger();
    // Told by Node of each worker that this thread starts, whoever starts it.
    process.on('worker', (worker: Worker) => {
      worker.once('exit', () => this.#look(0));
    });
  }

  /** @internal A descriptor of the file of another one, that several threads may hold. @throws `SystemError` */
  holdFileOf(fd: number, byteLength: number): JointHold {
    return this.joint.make(KIND_DESCRIPTOR, byteLength, (values) => {
      const copy = this.#calls.fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0);
      values[WHAT] = copy + 1;
      if (copy === -1) throw new SystemError(ffi().errno(), { syscall: 'fcntl', details: { fd } });
    });
  }

  /** Whether a thread has ended: its OS thread is gone. */
  isGone(thread: number): boolean {
    return this.#threads.isGone(thread);
  }

  /** Whether threads of the process still hold what they held jointly, by its entry and token. */
  isHeldJointly(place: { readonly entry: number; readonly token: number }): boolean {
    return this.joint.isHeld(place);
  }

  /** Mappings that the pools of all threads hold. */
  get mappings(): number {
    return this.#threads.mappings + this.#entries.mappings;
  }

  /** Notes that pools of this thread hold more mappings, or, with a negative number, fewer. */
  addMappings(mappings: number): void {
    this.#threads.addMappings(this.#index, mappings);
  }

  /** Has a function called whenever threads that ended were cleared away. */
  onReaped(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Gives back what threads left that have ended; returns how many those were. What the system refuses stays for the next time. */
  reap(): number {
    let cleared = 0;
    for (const index of this.#threads.goneRecords()) {
      if (!this.#threads.beginClearing(index)) continue;
      if (this.#clear(index)) cleared++;
      else this.#threads.abandonClearing(index);
    }
    if (cleared > 0) for (const listener of this.#listeners) listener();
    return cleared;
  }

  #look(time: number): void {
    if (this.reap() > 0 || time === LOOKS_MS.length) return;
    setTimeout(() => this.#look(time + 1), LOOKS_MS[time]).unref();
  }

  #clear(index: number): boolean {
    if (!this.#buryIn(index)) return false;
    const address = this.#threads.ledgerAddress(index);
    if (address !== 0) {
      const pages = ffi().view(address, LEDGER_BYTES);
      const settled = new Ledger(pages).settle((kind, what, howMuch) => this.#giveBack(kind, what, howMuch));
      pages.transfer(0);
      if (!settled) return false;
      this.#threads.setLedgerAddress(index, 0);
      this.#calls.unmap(address, LEDGER_BYTES);
    }
    this.#threads.endClearing(index);
    return true;
  }

  /** Ends what a dead thread held jointly with others; `false` if the system refused something. */
  #buryIn(index: number): boolean {
    const dead = { thread: this.#threads.idOf(index), index };
    let isDone = true;
    for (const entry of this.#entries) {
      try {
        bury(entry, dead, (each) => this.#giveBackEntry(each));
      } catch {
        isDone = false;
      }
    }
    return isDone;
  }

  /** Nothing stands between a call and the statement that notes its outcome, see ledger.ts. */
  #giveBackEntry({ state, values }: JointEntry): void {
    const what = values[WHAT]!;
    const howMuch = values[HOW_MUCH]!;
    if (state[KIND] === KIND_DESCRIPTOR) {
      // It frees the number even when it reports an error.
      this.#calls.close(what - 1);
      values[WHAT] = 0;
      return;
    }
    const refusal = this.#calls.unmap(what, howMuch);
    values[WHAT] = refusal === 0 ? 0 : what;
    if (refusal !== 0)
      throw new SystemError(ffi().errno(), { syscall: 'munmap', address: what, byteLength: howMuch });
  }

  #giveBack(kind: number, what: number, howMuch: number): boolean {
    if (kind === KIND_MAPPING) return howMuch === 0 || this.#calls.unmap(what, howMuch) === 0;
    // close(2) frees the number even when it reports an error.
    if (kind === KIND_DESCRIPTOR) this.#calls.close(what - 1);
    return true;
  }

  /** The thread's ledger, which another copy of the package may have made. */
  #openLedger(): Ledger | undefined {
    let address = this.#threads.ledgerAddress(this.#index);
    if (address === 0) {
      address = this.#calls.map(0, LEDGER_BYTES, PROT_READ_WRITE, LEDGER_FLAGS, -1, 0);
      if (address === -1) return undefined;
      this.#threads.setLedgerAddress(this.#index, address);
    }
    return new Ledger(ffi().view(address, LEDGER_BYTES));
  }
}

let current: ProcessState | Error | undefined;

function open(): ProcessState | Error {
  try {
    return new ProcessState(openArea());
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/**
 * What the process shares, for the other packages of Guardstripe; `undefined` where that cannot be had:
 * {@link processStateObstacle} then says why.
 */
export function processState(): ProcessState | undefined {
  current ??= open();
  return current instanceof ProcessState ? current : undefined;
}

/** What the process shares, for what threads hold jointly. @throws `Error` `ERR_MMAP_THREADS_UNAVAILABLE` */
export function jointState(): ProcessState {
  const state = processState();
  if (state === undefined) throw noJoint(processStateObstacle());
  return state;
}

/** Why there is no {@link processState}; `undefined` where there is one. */
export function processStateObstacle(): string | undefined {
  current ??= open();
  return current instanceof Error ? current.message : undefined;
}
