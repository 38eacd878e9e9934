/**
 * A machine that runs the shared allocator's own functions one access at a time, so that everything that several threads
 * could do can be tried, with a death after every write.
 *
 * A function of JavaScript cannot be stopped halfway. So a thread is what it has read so far: to let it go one step further, its
 * call is run again from the start, with the answers it had before, and is broken off at the access after the next. What it is given
 * for its typed arrays are proxies, and for `Atomics` an object that does the same to them.
 *
 * Words that a lock guards change only under that lock, so nobody can see in which order: they are no steps, but whoever touches
 * them without the lock is caught. Whoever dies may do so behind each of them.
 */

/** An access that was answered. */
export interface Entry {
  readonly answer: unknown;
  /** Which word; -1 for a question after somebody's life. */
  readonly address: number;
  readonly operation: string;
}

/** What an access is, as the machine does it. Returns the answer; `BLOCKED` if the thread has to wait. */
type Access = (memory: Int32Array) => unknown;

/** The operation of {@link Machine.mark}. */
export const MARK = 'mark';

const BLOCKED = Symbol('blocked');
/** How often a call that nothing stops may wait for the dead. */
const MOST_WAITS = 20;
/** Ends a call that has done its step. */
const SUSPENDED = new Error('suspended');

/** A rule that was broken, with the way there. */
export class Violation extends Error {}

/** One thread of a state. */
export interface Thread {
  readonly status: 'ready' | 'waiting' | 'dead' | 'done';
  /** Which of its calls it is in. */
  readonly call: number;
  /** What the accesses of this call were answered. */
  readonly log: readonly Entry[];
  /** What its calls returned. */
  readonly results: readonly number[];
  /** The word it waits at. */
  readonly waitsAt: number;
  /** The answer it got while it waited, to be read when it runs. */
  readonly answer: Entry | undefined;
  /** How often its patience ended in this call. */
  readonly naps: number;
}

export interface State {
  readonly memory: Int32Array;
  readonly threads: readonly Thread[];
  /** Threads that wait, in the order in which they began to. */
  readonly line: readonly number[];
  readonly deaths: number;
}

/** A part of the memory, as the code under test sees it. */
interface View {
  readonly base: number;
  readonly length: number;
  /** Words that only the lock's owner touches are no steps, nor are those that nobody changes. */
  readonly kind: ViewKind;
}

export type ViewKind = 'guarded' | 'quiet' | 'steps';

/** Told of each access, to object by throwing a {@link Violation}. */
export interface Watch {
  readonly guarded: (memory: Int32Array, thread: number, address: number, isWrite: boolean) => void;
  readonly written: (memory: Int32Array, thread: number, address: number, before: number) => void;
}

export class Machine {
  readonly #views = new WeakMap<object, View>();
  readonly watch: Watch;
  #memory: Int32Array = new Int32Array(0);
  #thread = 0;
  #log: Entry[] = [];
  #position = 0;
  /** Steps that may still be done. */
  #steps = 0;
  #isDirect = false;
  #fatal: Error | undefined;
  #notified: { address: number; count: number }[] = [];
  #waitsAt = -1;
  #dead: ReadonlySet<number> = new Set();
  /** Words of locks: a thread that reads one again has lost a race, and is where it was before. */
  readonly locks = new Set<number>();
  /** Words that nobody writes: to read one is no step. */
  readonly constants = new Set<number>();
  /** Words that a thread reads before it tries in vain, and lies down again. */
  readonly calls = new Set<number>();
  /** Memory as it was after each write of the step. */
  #afterWrites: Int32Array[] | undefined;

  constructor(watch: Watch) {
    this.watch = watch;
  }

  /** Words from `base` on, as a typed array for the code under test. */
  view(base: number, length: number, kind: ViewKind): Int32Array {
    const proxy: object = new Proxy(
      {},
      {
        get: (_, property) => {
          if (property === 'length') return length;
          const index = indexOf(property);
          return this.#touch('read', proxy, index, (memory) => memory[base + index]);
        },
        set: (_, property, value: number) => {
          const index = indexOf(property);
          this.#touch('write', proxy, index, (memory) => this.#write(memory, base + index, value));
          return true;
        },
      },
    );
    this.#views.set(proxy, { base, length, kind });
    return proxy as Int32Array;
  }

  /** What the code under test has in place of `Atomics`. */
  readonly atomics = {
    load: (view: object, index: number) => this.#atomic('load', view, index, (value) => value),
    store: (view: object, index: number, value: number) => this.#atomic('store', view, index, () => value),
    add: (view: object, index: number, by: number) => this.#atomic('add', view, index, (value) => value + by),
    or: (view: object, index: number, bits: number) =>
      this.#atomic('or', view, index, (value) => value | bits),
    exchange: (view: object, index: number, value: number) =>
      this.#atomic('exchange', view, index, () => value),
    compareExchange: (view: object, index: number, expected: number, value: number) =>
      this.#atomic('compareExchange', view, index, (before) => (before === expected ? value : before)),
    notify: (view: object, index: number, count = Infinity) => {
      const address = this.#addressOf(view, index);
      return this.#access('notify', address, () => {
        this.#notified.push({ address, count });
        return 0;
      });
    },
    wait: (view: object, index: number, expected: number) => {
      const address = this.#addressOf(view, index);
      return this.#access('wait', address, (memory) => {
        if (memory[address] !== expected) return 'not-equal';
        this.#waitsAt = address;
        return BLOCKED;
      });
    },
  };

  /** Whether a thread lives, asked by the running one. */
  isAlive(thread: number): boolean {
    return this.#access('isAlive', -1, () => !this.#dead.has(thread)) as boolean;
  }

  /**
   * Says that what the thread does from here on depends on the place in its call and on `value` alone, no longer on what it
   * was told before: so states that differ in that only are one.
   */
  mark(value: number): void {
    if (!this.#isDirect) this.#access(MARK, value, () => value, true);
  }

  /** Whether a thread has died, asked by whoever watches. */
  isDead(thread: number): boolean {
    return this.#dead.has(thread);
  }

  /** Runs a call without stopping, as if no other thread were there. */
  direct<T>(memory: Int32Array, thread: number, dead: ReadonlySet<number>, call: () => T): T {
    this.#begin(memory, thread, [], MOST_WAITS, dead);
    this.#isDirect = true;
    try {
      return call();
    } finally {
      this.#isDirect = false;
    }
  }

  /** One step of one thread, which changes the state's memory in place. */
  step(
    memory: Int32Array,
    thread: number,
    log: readonly Entry[],
    dead: ReadonlySet<number>,
    afterWrites: Int32Array[] | undefined,
    call: () => number,
  ): {
    readonly log: readonly Entry[];
    readonly waitsAt: number;
    readonly notified: readonly { address: number; count: number }[];
    /** What the call returned, `undefined` if it goes on. */
    readonly result: number | undefined;
  } {
    this.#begin(memory, thread, log, 1, dead);
    this.#afterWrites = afterWrites;
    let result: number | undefined;
    try {
      result = call();
    } catch (error) {
      if (this.#fatal !== undefined) throw this.#fatal;
      if (error !== SUSPENDED) throw error;
    }
    if (this.#fatal !== undefined) throw this.#fatal;
    return { log: this.#log, waitsAt: this.#waitsAt, notified: this.#notified, result };
  }

  #begin(
    memory: Int32Array,
    thread: number,
    log: readonly Entry[],
    steps: number,
    dead: ReadonlySet<number>,
  ): void {
    this.#memory = memory;
    this.#thread = thread;
    this.#log = [...log];
    this.#position = 0;
    this.#steps = steps;
    this.#dead = dead;
    this.#fatal = undefined;
    this.#notified = [];
    this.#waitsAt = -1;
    this.#afterWrites = undefined;
  }

  #addressOf(view: object, index: number): number {
    const { base, length } = this.#views.get(view)!;
    if (!Number.isInteger(index) || index < 0 || index >= length) {
      this.#fail(`an access to word ${index} of ${length}`);
    }
    return base + index;
  }

  #atomic(operation: string, view: object, index: number, change: (value: number) => number): unknown {
    const address = this.#addressOf(view, index);
    return this.#access(operation, address, (memory) => {
      const before = memory[address]!;
      const after = change(before) | 0;
      if (after !== before) this.#write(memory, address, after);
      return before;
    });
  }

  /** A plain access: a step of its own, but for guarded words. */
  #touch(operation: string, view: object, index: number, access: Access): unknown {
    const address = this.#addressOf(view, index);
    const { kind } = this.#views.get(view)!;
    if (kind !== 'guarded') return this.#access(operation, address, access, kind === 'quiet');
    const checked: Access = (memory) => {
      this.watchGuarded(memory, address, operation === 'write');
      return access(memory);
    };
    return this.#access(operation, address, checked, true);
  }

  watchGuarded(memory: Int32Array, address: number, isWrite: boolean): void {
    try {
      this.watch.guarded(memory, this.#thread, address, isWrite);
    } catch (error) {
      this.#fatal = error as Error;
      throw error;
    }
  }

  #write(memory: Int32Array, address: number, value: number): number {
    const before = memory[address]!;
    memory[address] = value;
    if (memory[address] === before) return value;
    if (this.constants.has(address) && !this.#isDirect) this.#fail(`word ${address} was to stay as it is`);
    try {
      this.watch.written(memory, this.#thread, address, before);
    } catch (error) {
      this.#fatal = error as Error;
      throw error;
    }
    this.#afterWrites?.push(memory.slice());
    return value;
  }

  /** The next access of the call: answered from the log, done, or put off. */
  #access(operation: string, address: number, access: Access, isGuarded = false): unknown {
    const isQuiet = isGuarded || this.constants.has(address);
    if (this.#fatal !== undefined) throw this.#fatal;
    if (this.#isDirect) {
      const answer = access(this.#memory);
      if (answer !== BLOCKED) return answer;
      // A dead owner; whoever waits for a living one waits for ever.
      if (this.#steps-- === 0) this.#fail('waits, with nobody there to wait for');
      return 'timed-out';
    }
    if (this.#position < this.#log.length) return this.#log[this.#position++]!.answer;
    if (!isQuiet) {
      if (this.#steps === 0) {
        this.#forgetLoop(operation, address);
        throw SUSPENDED;
      }
      this.#steps--;
    }
    const answer = access(this.#memory);
    if (answer === BLOCKED) throw SUSPENDED;
    this.#log.push({ answer, address, operation });
    this.#position++;
    return answer;
  }

  /**
   * A thread that comes to the head of a loop again is where it was before: what it was told on the way round is forgotten, or no two
   * states would be the same. The loops are those that wait: for a lock, until it is let go, and for a call.
   */
  #forgetLoop(operation: string, address: number): void {
    if (operation !== 'load' || !(this.locks.has(address) || this.calls.has(address))) return;
    for (let position = this.#log.length - 1; position >= 0; position--) {
      const entry = this.#log[position]!;
      if (entry.address !== address) continue;
      if (entry.operation === 'exchange') return;
      if (entry.operation !== 'load') continue;
      this.#log.length = position;
      // Further back there is none: this has been done each time.
      return;
    }
  }

  #fail(what: string): never {
    this.#fatal = new Violation(what);
    throw this.#fatal;
  }
}

function indexOf(property: string | symbol): number {
  return typeof property === 'string' ? Number(property) : NaN;
}
