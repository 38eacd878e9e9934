/**
 * The modules that the threads of a pool know, by their content: one number for the same bytes, whoever describes them, and where a
 * thread finds the memory file of their images that another one has made.
 *
 * ```
 *  head     magic, version, capacity; the lock, on a cache line of its own
 *  entries  16 words each:
 *     0     1 for one that is there; written last when it comes, and first when it goes
 *     1     the module's number
 *     2     entry of its images' file among what the process's threads hold jointly, plus one; 0 for none
 *     4, 5  token of that file, a double
 *     6, 7  bytes of that file, a double
 *     8…    SHA-256 of the module's description and its images' bytes
 * ```
 *
 * SHA-256 alone decides what is the same: nobody is known to have found two contents of one hash, and whoever could would break far more
 * than this.
 *
 * Entries are the truth at every instruction, and nothing else is kept, so who takes the lock over from a dead thread has nothing to
 * mend. A file's place that was written by halves has a token that is no file's: it is found to be gone, and written anew.
 * Which threads use a file is not told here: `@guardstripe/mmap` counts that, also for those that die. An entry outlives its file, so
 * that a module that comes back has its number and its warm slots again; it goes when its room is needed.
 */
import { invalidArgType, isInstance, lockSlowly, unlockWord, type LockUser } from '@guardstripe/common';
import type { Threads } from '@guardstripe/index-allocator';
import type { JointImageHandle } from '@guardstripe/mmap';
import { PoolAttachError, PoolCorruptedError, TooManyModulesError } from '../errors.js';

/** "GMOD", and the version of this layout: copies of the package that lay it out differently must not meet. */
const MAGIC = 0x474d_4f44;
const VERSION = 1;

const MAGIC_WORD = 0;
const VERSION_WORD = 1;
const CAPACITY_WORD = 2;
const LOCK_WORD = 16;
const HEAD_WORDS = 32;

const ENTRY_WORDS = 16;
const THERE = 0;
const MODULE_ID = 1;
const FILE_ENTRY = 2;
/** Doubles of an entry. */
const FILE_TOKEN = 2;
const FILE_BYTES = 3;
const HASH = 8;
const HASH_WORDS = 8;

const ENTRY_DOUBLES = ENTRY_WORDS / 2;
const HEAD_DOUBLES = HEAD_WORDS / 2;

/** Modules at a time; a pool of Wasmtime's size has far fewer. */
export const DEFAULT_MODULES = 1024;
const MAX_MODULES = 65_536;
/** About as long as what is done with the lock in hand. */
const SPINS = 100;

/** Where the images' file is. */
export type FilePlace = JointImageHandle;

/** A module as the table has it. */
export interface KnownModule {
  readonly id: number;
  /** Nothing for one without images, or whose file nobody has written down. */
  readonly file: FilePlace | undefined;
}

export class ModuleTable {
  readonly buffer: SharedArrayBuffer;
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #user: LockUser;

  private constructor(buffer: SharedArrayBuffer, threads: Threads) {
    // 0 is a lock that nobody has.
    if (!(threads.self > 0))
      throw new PoolCorruptedError(`thread ${threads.self} cannot have the table's lock`);
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.capacity = this.#words[CAPACITY_WORD]!;
    this.#user = { self: threads.self, spins: SPINS, isAlive: (thread) => threads.isAlive(thread) };
  }

  static create(threads: Threads, capacity = DEFAULT_MODULES): ModuleTable {
    if (!(Number.isInteger(capacity) && capacity > 0 && capacity <= MAX_MODULES))
      throw new PoolCorruptedError(`a table of ${capacity} modules is wanted`);
    const buffer = new SharedArrayBuffer(bytesOf(capacity));
    const words = new Int32Array(buffer);
    words[VERSION_WORD] = VERSION;
    words[CAPACITY_WORD] = capacity;
    Atomics.store(words, MAGIC_WORD, MAGIC);
    return new ModuleTable(buffer, threads);
  }

  /** @throws `TypeError` `ERR_INVALID_ARG_TYPE`; {@link PoolAttachError} for a buffer that holds something else */
  static attach(buffer: unknown, threads: Threads): ModuleTable {
    if (!isInstance(buffer, SharedArrayBuffer) || !isReadable(buffer))
      throw invalidArgType('handle.modules', 'an instance of SharedArrayBuffer', buffer);
    if (buffer.byteLength < HEAD_WORDS * Int32Array.BYTES_PER_ELEMENT) throw foreign();
    const words = new Int32Array(buffer, 0, HEAD_WORDS);
    const isOurs = Atomics.load(words, MAGIC_WORD) === MAGIC && words[VERSION_WORD] === VERSION;
    const capacity = words[CAPACITY_WORD]!;
    if (!isOurs || capacity < 1 || capacity > MAX_MODULES || buffer.byteLength !== bytesOf(capacity))
      throw foreign();
    return new ModuleTable(buffer, threads);
  }

  /** The module of a content; nothing if no thread has put it here. */
  find(hash: Uint8Array): KnownModule | undefined {
    const wanted = wordsOf(hash);
    return this.#locked(() => {
      const index = this.#indexOf(wanted);
      return index === -1 ? undefined : this.#read(index);
    });
  }

  /**
   * Puts a module here, or finds that another thread has.
   *
   * @param id - its number, if it is new here
   * @param file - where its images' file is
   * @param gone - a file that was found here, and was not there any more: `file` takes its place
   * @returns the module as it is here now
   * @throws {@link TooManyModulesError} if there is no room; see {@link ModuleTable.makeRoom}
   */
  put(hash: Uint8Array, id: number, file: FilePlace | undefined, gone?: FilePlace): KnownModule {
    const wanted = wordsOf(hash);
    // Stored in 32 bits: a number that wraps there is another module's.
    if (!(id >= 0 && (id | 0) === id)) throw new PoolCorruptedError(`a module gets the number ${id}`);
    const known = this.#locked(() => {
      let index = this.#indexOf(wanted);
      if (index === -1) {
        index = this.#free();
        if (index === -1) return undefined;
        this.#words[this.#at(index) + MODULE_ID] = id;
        this.#writeFile(index, file);
        this.#words.set(wanted, this.#at(index) + HASH);
        Atomics.store(this.#words, this.#at(index) + THERE, 1);
      } else {
        const now = this.#read(index).file;
        if (file !== undefined && (now === undefined || isSame(now, gone))) this.#writeFile(index, file);
      }
      return this.#read(index);
    });
    if (known === undefined) throw new TooManyModulesError(this.capacity);
    return known;
  }

  /**
   * Strikes out modules that no thread uses any more, as far as can be told: those without a file, and those whose file is gone.
   *
   * @param isThere - whether a file is; asked without the lock in hand
   */
  makeRoom(isThere: (file: FilePlace) => boolean): void {
    for (let index = 0; index < this.capacity; index++) {
      const known = this.#locked(() => (this.#isThere(index) ? this.#read(index) : undefined));
      if (known === undefined || (known.file !== undefined && isThere(known.file))) continue;
      this.#locked(() => {
        if (!this.#isThere(index)) return;
        const now = this.#read(index);
        if (now.id === known.id && isSame(now.file, known.file))
          Atomics.store(this.#words, this.#at(index) + THERE, 0);
      });
    }
  }

  #locked<T>(section: () => T): T {
    const words = this.#words;
    const user = this.#user;
    // Nothing follows from the entries, so there is nothing to rebuild.
    if (Atomics.compareExchange(words, LOCK_WORD, 0, user.self) !== 0)
      lockSlowly(words, LOCK_WORD, user, () => undefined);
    try {
      return section();
    } finally {
      unlockWord(words, LOCK_WORD);
    }
  }

  #indexOf(hash: Int32Array): number {
    const words = this.#words;
    for (let index = 0; index < this.capacity; index++) {
      if (!this.#isThere(index)) continue;
      const at = this.#at(index) + HASH;
      let word = 0;
      while (word < HASH_WORDS && words[at + word] === hash[word]) word++;
      if (word === HASH_WORDS) return index;
    }
    return -1;
  }

  #free(): number {
    for (let index = 0; index < this.capacity; index++) if (!this.#isThere(index)) return index;
    return -1;
  }

  #isThere(index: number): boolean {
    return this.#words[this.#at(index) + THERE] === 1;
  }

  #read(index: number): KnownModule {
    const id = this.#words[this.#at(index) + MODULE_ID]!;
    const entry = this.#words[this.#at(index) + FILE_ENTRY]! - 1;
    if (!(id >= 0 && entry >= -1))
      throw new PoolCorruptedError(`entry ${index} has module ${id}, and its file in entry ${entry}`);
    const doubles = HEAD_DOUBLES + index * ENTRY_DOUBLES;
    const token = this.#doubles[doubles + FILE_TOKEN]!;
    const byteLength = this.#doubles[doubles + FILE_BYTES]!;
    if (entry === -1) return { id, file: undefined };
    if (!(Number.isSafeInteger(token) && token > 0 && Number.isSafeInteger(byteLength) && byteLength > 0))
      throw new PoolCorruptedError(`entry ${index} has a file of ${byteLength} bytes by token ${token}`);
    const file = { pid: process.pid, entry, token, byteLength };
    return { id, file };
  }

  #writeFile(index: number, file: FilePlace | undefined): void {
    const doubles = HEAD_DOUBLES + index * ENTRY_DOUBLES;
    this.#words[this.#at(index) + FILE_ENTRY] = 0;
    this.#doubles[doubles + FILE_TOKEN] = file?.token ?? 0;
    this.#doubles[doubles + FILE_BYTES] = file?.byteLength ?? 0;
    this.#words[this.#at(index) + FILE_ENTRY] = file === undefined ? 0 : file.entry + 1;
  }

  #at(index: number): number {
    return HEAD_WORDS + index * ENTRY_WORDS;
  }
}

function bytesOf(capacity: number): number {
  return (HEAD_WORDS + capacity * ENTRY_WORDS) * Int32Array.BYTES_PER_ELEMENT;
}

function wordsOf(hash: Uint8Array): Int32Array {
  if (hash.byteLength !== HASH_WORDS * Int32Array.BYTES_PER_ELEMENT)
    throw new PoolCorruptedError(`a hash has ${hash.byteLength} bytes`);
  return new Int32Array(Uint8Array.from(hash).buffer);
}

function isSame(one: FilePlace | undefined, other: FilePlace | undefined): boolean {
  return one?.entry === other?.entry && one?.token === other?.token;
}

function foreign(): PoolAttachError {
  return new PoolAttachError('handle.modules holds no modules of this version');
}

/** What only looks like a buffer refuses to be asked. */
function isReadable(buffer: SharedArrayBuffer): boolean {
  try {
    return buffer.byteLength >= 0;
  } catch {
    return false;
  }
}
