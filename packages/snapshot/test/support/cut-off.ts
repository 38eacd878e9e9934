/** Calls that are cut off at any of the places where they meet the system. */
import { runInThisContext, type RunningScriptOptions } from 'node:vm';

import { platform, type VirtualMemory } from '@guardstripe/mmap';

/**
 * - `'termination'`: the script is terminated, as when its time is over: neither `catch` nor `finally` runs.
 * - `'error'`: an error of a kind that nobody expects.
 */
export type Cut = 'termination' | 'error';

class Interruption extends Error {}

/** The real system, in which one call does not come back. */
export class InterruptedMemory {
  readonly virtualMemory: VirtualMemory;
  /** Calls since the last {@link InterruptedMemory.cut}. */
  numCalls = 0;
  /** How many were cut off, at their place or, on a busy machine, before. */
  numCuts = 0;
  #place = -1;
  #how: Cut = 'error';

  constructor() {
    this.virtualMemory = new Proxy(platform(), {
      get: (target, name: keyof VirtualMemory) => {
        const value = target[name];
        if (typeof value !== 'function') return value;
        return (...args: never[]): unknown => {
          const number = this.numCalls++;
          this.#meet(2 * number);
          const result: unknown = Reflect.apply(value, target, args);
          this.#meet(2 * number + 1);
          return result;
        };
      },
    });
  }

  /** Runs something that does not get beyond a place: before (even) or after (odd) one of its calls. Returns false if it came to its end. */
  cut(place: number, how: Cut, run: () => void): boolean {
    this.numCalls = 0;
    this.#place = place;
    this.#how = how;
    const before = this.numCuts;
    try {
      runCut(run, { breakOnSigint: how === 'termination' });
      return this.numCuts > before;
    } catch (error) {
      if (this.numCuts === before) throw error;
      return true;
    } finally {
      this.#place = -1;
    }
  }

  #meet(place: number): void {
    if (place !== this.#place) return;
    this.#place = -1;
    this.numCuts += 1;
    if (this.#how === 'error') throw new Interruption();
    // Terminates the script as the end of its time does, but at once: nothing has to be waited for, and no clock decides where.
    process.kill(process.pid, 'SIGINT');
    for (;;);
  }
}

/** Runs something for so many milliseconds at most. */
export function inTime(run: () => void, timeout: number): void {
  runCut(run, { timeout });
}

function runCut(run: () => void, options: RunningScriptOptions): void {
  const name = 'guardstripeRunsCut';
  Object.assign(globalThis, { [name]: run });
  try {
    runInThisContext(`${name}()`, options);
  } finally {
    Reflect.deleteProperty(globalThis, name);
  }
}

export function isTimeout(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
