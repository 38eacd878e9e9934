/** Calls that are cut off at any of the places where they meet the system. */
import { runInThisContext } from 'node:vm';

import { platform, type VirtualMemory } from '@guardstripe/mmap';

/**
 * - `'time'`: the time of a script is over: neither `catch` nor `finally` runs.
 * - `'error'`: an error of a kind that nobody expects.
 */
export type Cut = 'time' | 'error';

/** Milliseconds; long enough to get to the place, on a machine at rest. Wherever it gets, the same has to hold. */
const TIMEOUT = 10;

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
      inTime(run, how === 'time' ? TIMEOUT : undefined);
      return this.numCuts > before;
    } catch (error) {
      if (this.numCuts > before) return true;
      if (!isTimeout(error)) throw error;
      this.numCuts += 1;
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
    for (;;);
  }
}

/** Runs something for so many milliseconds at most. */
export function inTime(run: () => void, timeout: number | undefined): void {
  const name = 'guardstripeRunsInTime';
  Object.assign(globalThis, { [name]: run });
  try {
    runInThisContext(`${name}()`, { ...(timeout !== undefined && { timeout }) });
  } finally {
    Reflect.deleteProperty(globalThis, name);
  }
}

export function isTimeout(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

/** Runs something so many frames from the end of the stack. Rethrows what it throws. */
export function nearTheEnd(run: () => void, framesLeft: number): void {
  let unwound = 0;
  let isDone = false;
  const descend = (): void => {
    try {
      descend();
    } catch (error) {
      if (isDone || !(error instanceof RangeError) || ++unwound < framesLeft) throw error;
      isDone = true;
      run();
    }
  };
  descend();
}
