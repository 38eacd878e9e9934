/**
 * Which threads have the pool. Attaching and leaving go through a gate, so that of those that leave exactly one is the last, and nobody
 * comes in behind it:
 *
 *      0  open
 *      t  thread t is at it
 *     -1  closed: the last one has left, or is leaving; for good
 *
 * All that is done inside is done by one write of one word. So a thread that ends inside leaves nothing half done, and whoever finds that
 * it has ended takes the gate over.
 */
import type { Threads } from '@guardstripe/index-allocator';
import { PoolAttachError, PoolClosedError, PoolCorruptedError } from '../errors.js';
import { ENDED_WORD, GATE_WORD, MAX_SEATS, SEAT_WORDS, type SharedState } from './state.js';

const OPEN = 0;
const CLOSED = -1;
/** Before it is asked whether who is at the gate still lives. */
const PATIENCE_MS = 1;

const THREAD = 0;
const NODE_THREAD = 1;

/** A thread that is attached. */
export interface Attached {
  readonly seat: number;
  /** Its number in `node:worker_threads`; 0 for the main thread. */
  readonly threadId: number;
}

/** The seats, as one thread sees them. */
export class Attachments {
  readonly #words: Int32Array;
  readonly #seats: Int32Array;
  readonly #self: number;
  readonly #isAlive: (thread: number) => boolean;
  #isLeaving = false;

  constructor({ words, seats }: Pick<SharedState, 'words' | 'seats'>, threads: Threads) {
    // 0 is a seat that nobody has, and the open gate.
    if (!(threads.self > 0)) throw new PoolCorruptedError(`thread ${threads.self} cannot have a seat`);
    this.#words = words;
    this.#seats = seats;
    this.#self = threads.self;
    this.#isAlive = (thread) => threads.isAlive(thread);
  }

  /**
   * Takes a seat for the calling thread; the pool's slab stays until it leaves.
   *
   * @throws {@link PoolClosedError} if the last thread has left; {@link PoolAttachError} if the thread has a seat already, or if
   * there is none
   */
  enter(threadId: number): number {
    if (!this.#takeGate()) throw new PoolClosedError('attach to the pool');
    try {
      const self = this.#self;
      let free = -1;
      for (let seat = 0; seat < MAX_SEATS; seat++) {
        const thread = this.#thread(seat);
        if (thread === self) throw new PoolAttachError('this thread is attached already, or still leaving');
        if (free === -1 && thread === 0) free = seat;
      }
      // Who ended in a seat is found and told of by those who look; only where there is no other, one takes it before.
      if (free === -1) free = this.#endedSeat();
      if (free === -1) throw new PoolAttachError(`${MAX_SEATS} threads are attached`);
      this.#seats[free * SEAT_WORDS + NODE_THREAD] = threadId;
      Atomics.store(this.#seats, free * SEAT_WORDS + THREAD, self);
      return free;
    } finally {
      this.#openGate();
    }
  }

  /**
   * Gives up a seat. Returns whether it was the last one: then nobody else will ever have the pool. If it is cut short and called again,
   * another thread may have been the last meanwhile; then both are told so.
   */
  leave(seat: number): boolean {
    if (!this.#takeGate()) return this.#isLeaving;
    try {
      if (this.#thread(seat) === this.#self) {
        this.#isLeaving = true;
        Atomics.store(this.#seats, seat * SEAT_WORDS + THREAD, 0);
      } else if (!this.#isLeaving) {
        // Another thread may sit there by now: without its seat, its memories would be lost with the slab.
        throw new PoolCorruptedError(`thread ${this.#self} leaves seat ${seat}, which it has not`);
      }
      if (this.living().length > 0) return false;
      Atomics.store(this.#words, GATE_WORD, CLOSED);
      return true;
    } finally {
      this.#openGate();
    }
  }

  /** The threads that are attached and have not ended. */
  living(): Attached[] {
    const attached: Attached[] = [];
    for (let seat = 0; seat < MAX_SEATS; seat++) {
      const thread = this.#thread(seat);
      if (thread === 0 || (thread !== this.#self && !this.#isAlive(thread))) continue;
      attached.push({ seat, threadId: this.#seats[seat * SEAT_WORDS + NODE_THREAD]! });
    }
    return attached;
  }

  /** How many threads ended without leaving, of those that were found. */
  get ended(): number {
    return Atomics.load(this.#words, ENDED_WORD);
  }

  /**
   * Takes the seats of threads that ended. Of several that look at once, one is told of each; if that one ends meanwhile, nobody is.
   *
   * @param tell - called before the seat may be somebody else's; what it returns is handed on
   */
  bury<T>(tell: (attached: Attached) => T): T[] {
    const found: T[] = [];
    for (let seat = 0; seat < MAX_SEATS; seat++) {
      const thread = this.#thread(seat);
      if (thread === 0 || thread === this.#self || this.#isAlive(thread)) continue;
      const told = tell({ seat, threadId: this.#seats[seat * SEAT_WORDS + NODE_THREAD]! });
      if (this.#strike(seat, thread)) found.push(told);
    }
    return found;
  }

  /** The seat of a thread that ended, free now; -1 if there is none. */
  #endedSeat(): number {
    for (let seat = 0; seat < MAX_SEATS; seat++) {
      const thread = this.#thread(seat);
      if (thread !== 0 && !this.#isAlive(thread) && this.#strike(seat, thread)) return seat;
    }
    return -1;
  }

  /** Takes a seat from a thread that ended; false if somebody else did. */
  #strike(seat: number, thread: number): boolean {
    if (Atomics.compareExchange(this.#seats, seat * SEAT_WORDS + THREAD, thread, 0) !== thread) return false;
    Atomics.add(this.#words, ENDED_WORD, 1);
    return true;
  }

  #thread(seat: number): number {
    return Atomics.load(this.#seats, seat * SEAT_WORDS + THREAD);
  }

  /** False if it is closed. */
  #takeGate(): boolean {
    const self = this.#self;
    const words = this.#words;
    for (;;) {
      const owner = Atomics.compareExchange(words, GATE_WORD, OPEN, self);
      if (owner === CLOSED) return false;
      // No thread's number: whoever waits for that one waits for ever.
      if (owner < CLOSED) throw new PoolCorruptedError(`the gate says ${owner}, which is no thread`);
      // An own one is what a call left that was broken off.
      if (owner === OPEN || owner === self) return true;
      if (Atomics.wait(words, GATE_WORD, owner, PATIENCE_MS) !== 'timed-out' || this.#isAlive(owner))
        continue;
      if (Atomics.compareExchange(words, GATE_WORD, owner, self) === owner) return true;
    }
  }

  #openGate(): void {
    if (Atomics.compareExchange(this.#words, GATE_WORD, this.#self, OPEN) === this.#self)
      Atomics.notify(this.#words, GATE_WORD);
  }
}
