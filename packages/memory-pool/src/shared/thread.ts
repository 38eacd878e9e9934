/** The calling thread, as a shared pool asks about threads. */
import type { Threads } from '@guardstripe/index-allocator';
import { processState, type ProcessState } from '@guardstripe/mmap';

/** The process's registry of threads, and what the index allocator wants to know of it. */
export interface ThisThread {
  readonly state: ProcessState;
  readonly threads: Threads;
}

/** Nothing where threads share nothing. */
export function thisThread(): ThisThread | undefined {
  const state = processState();
  if (state === undefined) return undefined;
  return { state, threads: { self: state.thread, isAlive: (thread) => !state.isGone(thread) } };
}
