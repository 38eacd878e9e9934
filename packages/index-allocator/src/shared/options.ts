/** What the shared allocator is told, and how it is read. */
import { checkFunction, checkInteger, checkObject, readOptions } from '@guardstripe/common';
import type { AbortSignalLike } from '@guardstripe/common';
import { THREAD_MASK } from './holders.js';
import type { Me, Threads } from '../threads/threads.js';

/** As many looks at a taken lock take about as long as what is done with it in hand. */
const SPINS = 100;

/** What another thread attaches with: plain data that `workerData` and `postMessage` carry. */
export interface SharedAllocatorHandle {
  /** The whole state. Writing into it breaks the allocator. */
  readonly indexAllocator: SharedArrayBuffer;
}

/** How a shared allocator is made. */
export interface SharedAllocatorOptions {
  /** Who the calling thread is, and who else lives. */
  readonly threads: Threads;
  /**
   * Parts with a lock of their own, from 1 to 16. Each thread has a home shard and turns to the others when that one is full. With
   * one shard the choice of slots is exactly that of {@link ModuleAffinityIndexAllocator}.
   *
   * @defaultValue the number of cores, at most 16; 1 below 128 slots
   */
  readonly numShards?: number;
}

/** How a thread attaches. */
export interface AttachOptions {
  /** Who the calling thread is, and who else lives. */
  readonly threads: Threads;
}

/** How {@link SharedIndexAllocator.allocAsync} waits. */
export interface WaitOptions {
  /** Ends the wait: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignalLike;
  /**
   * Told of the slot in the moment in which it is taken, some turns before the promise tells: for who has to know at any time which
   * slots the thread holds. If it throws, the slot is given back, and the promise rejects with what it threw.
   */
  readonly onTaken?: (slot: number) => void;
}

/** Reads what is said of the threads. */
export function readThreads(threads: unknown): Me {
  checkObject(threads, 'options.threads');
  const { self, isAlive } = threads as Partial<Threads>;
  checkInteger(self, 'options.threads.self', 1, THREAD_MASK);
  checkFunction(isAlive, 'options.threads.isAlive');
  const locks = { waits: 0, takeovers: 0 };
  return { self, isAlive: (thread) => (threads as Threads).isAlive(thread), spins: SPINS, locks };
}

/** Reads how a call waits. */
export function readWait(options: WaitOptions | undefined): {
  readonly signal: WaitOptions['signal'] | undefined;
  readonly onTaken: WaitOptions['onTaken'] | undefined;
} {
  const { signal, onTaken } = readOptions(options, ['signal', 'onTaken']);
  if (onTaken !== undefined) checkFunction(onTaken, 'options.onTaken');
  if (signal !== undefined) checkSignal(signal);
  return { signal, onTaken };
}

/** Tells of a slot that was taken, if any was; gives it back if that throws. */
export function tellTaken<T extends number | undefined>(
  allocator: { free(slot: number, bytesResident: number): void },
  slot: T,
  onTaken: WaitOptions['onTaken'] | undefined,
): T {
  if (onTaken === undefined || slot === undefined || slot === -1) return slot;
  try {
    onTaken(slot);
  } catch (error) {
    allocator.free(slot, 0);
    throw error;
  }
  return slot;
}

function checkSignal(signal: AbortSignalLike): void {
  checkObject(signal, 'options.signal');
  for (const method of ['throwIfAborted', 'addEventListener', 'removeEventListener'] as const) {
    checkFunction(signal[method], `options.signal.${method}`);
  }
}

/** Node has a navigator since 21; without one, as many as a small server has. */
export function numCores(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return navigator?.hardwareConcurrency ?? 4;
}
