/** How many mappings the process has: the kernel's count, and what the pools of all its threads hold of them. */
import { closeSync, openSync, readSync } from 'node:fs';
import { processState } from '@guardstripe/mmap';

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
  if (state === undefined) return new OwnCounts();
  return {
    get held() {
      return state.mappings;
    },
    add: (mappings) => state.addMappings(mappings),
    words: state.poolWords,
  };
}

/** Counts of one thread. */
export class OwnCounts implements MappingCounts {
  held = 0;
  readonly words = new Int32Array(16);

  add(mappings: number): void {
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
