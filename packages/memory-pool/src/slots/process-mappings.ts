/** How many mappings the process has: the kernel's count, and what the pools of all its threads hold of them. */
import { closeSync, openSync, readSync } from 'node:fs';
import { processState, type ProcessState } from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';

/** The counts that all threads share. */
export interface MappingCounts {
  /** Mappings that the pools of all threads hold. */
  readonly held: number;
  /** Notes that pools of this thread hold more mappings, or, with a negative number, fewer. */
  add(mappings: number): void;
  /** Words in which the last count by the kernel is kept. */
  readonly words: Int32Array;
}

/** The process's counts; a thread's own where threads share nothing. */
export function processMappings(): MappingCounts {
  const state = processState();
  return state === undefined ? new OwnCounts() : new ProcessCounts(state, (n) => state.addMappings(n));
}

/** Pages of several threads, in which mappings are made. */
export interface MappedPages {
  countMappings(mappings: number): void;
}

/** The same for a pool that threads share: its mappings stay when the thread ends that made them, and go with the slab. */
export function sharedMappings(state: ProcessState, slab: MappedPages): MappingCounts {
  return new ProcessCounts(state, (n) => slab.countMappings(n));
}

/** Counts of all threads. */
class ProcessCounts implements MappingCounts {
  readonly words: Int32Array;
  readonly #state: ProcessState;
  readonly #add: (mappings: number) => void;

  constructor(state: ProcessState, add: (mappings: number) => void) {
    this.words = state.poolWords;
    this.#state = state;
    this.#add = add;
  }

  get held(): number {
    return this.#state.mappings;
  }

  add(mappings: number): void {
    this.#add(mappings);
  }
}

/** Counts of one thread. */
export class OwnCounts implements MappingCounts {
  held = 0;
  readonly words = new Int32Array(16);

  add(mappings: number): void {
    // Fewer than none would be room for others that there is not.
    if (!(this.held + mappings >= 0))
      throw new PoolCorruptedError(`${-mappings} mappings go, of ${this.held} that pools hold`);
    this.held += mappings;
  }
}

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1 << 18;

/** Mappings of the process, as `/proc/self/maps` lists them; `undefined` where it is hidden. Half a microsecond for each. */
export function countMappings(): number | undefined {
  let file: number;
  try {
    file = openSync('/proc/self/maps', 'r');
  } catch {
    return undefined;
  }
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let lines = 0;
    for (;;) {
      const byteLength = readSync(file, buffer);
      if (byteLength === 0) return lines;
      const chunk = buffer.subarray(0, byteLength);
      for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
    }
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}
