/** Events on `node:diagnostics_channel`. A channel that nobody listens to costs one property read. */
import { channel } from 'node:diagnostics_channel';
import { SystemError } from '@guardstripe/mmap';

/** Published on `guardstripe.memory-pool.allocate`. */
export interface AllocateEvent {
  readonly slot: number;
  readonly stripe: number;
  readonly byteLength: number;
}

/** Published on `guardstripe.memory-pool.free`. */
export interface FreeEvent {
  readonly slot: number;
  readonly stripe: number;
}

/**
 * Published on `guardstripe.memory-pool.cool`: a memory was freed whose `buffer` was handed out. The slot goes to nobody before the
 * engine has collected it.
 */
export interface CoolEvent {
  readonly slot: number;
  readonly stripe: number;
}

/**
 * Published on `guardstripe.memory-pool.retire`: a memory was freed of which somebody has transferred a view away. The slot goes to
 * nobody any more.
 */
export interface RetireEvent {
  readonly slot: number;
  readonly stripe: number;
}

/** Published on `guardstripe.memory-pool.grow`. */
export interface GrowEvent {
  readonly slot: number;
  readonly oldByteLength: number;
  readonly newByteLength: number;
}

/** Published on `guardstripe.memory-pool.reset`: a live memory was put back to its start. */
export interface ResetEvent {
  readonly slot: number;
  readonly oldByteLength: number;
  readonly newByteLength: number;
}

/** Published on `guardstripe.memory-pool.trim`: free slots gave back what they kept in RAM, because the program asked for it. */
export interface TrimEvent {
  readonly byteLength: number;
}

/** Published on `guardstripe.memory-pool.exhausted`: an allocation found its stripe full, also after a flush. */
export interface ExhaustedEvent {
  readonly stripe: number;
  readonly capacity: number;
  /** Slots of the stripe that would be free but for views that are not collected yet. */
  readonly coolingMemories: number;
}

/** Published on `guardstripe.memory-pool.attach`, in the thread that attached to a pool. Channels are a thread's own, as all of these are. */
export interface AttachEvent {
  /** The thread's number in `node:worker_threads`. */
  readonly threadId: number;
  /** Threads that have the pool now, this one included. */
  readonly attachedThreads: number;
}

/** Published on `guardstripe.memory-pool.leave`, in a thread whose part in a shared pool is over. */
export interface LeaveEvent {
  readonly threadId: number;
  /** Whether no other thread had the pool: its slab is given back, or stays taken for views that are out. */
  readonly isLast: boolean;
}

/**
 * Published on `guardstripe.memory-pool.recover`: a thread ended without closing a shared pool. Its slots are free now, and its place in
 * line is the next one's. It is told of once, in the thread that found it: as a rule the one that had started it.
 */
export interface RecoverEvent {
  /** The ended thread's number in `node:worker_threads`. */
  readonly threadId: number;
  /** Memories that it had. */
  readonly liveMemories: number;
}

/** Published on `guardstripe.memory-pool.failure`: a system call failed where nobody could be told by a throw. */
export interface FailureEvent {
  readonly slot: number;
  readonly error: unknown;
}

export const onAllocate = channel('guardstripe.memory-pool.allocate');
export const onFree = channel('guardstripe.memory-pool.free');
export const onCool = channel('guardstripe.memory-pool.cool');
export const onRetire = channel('guardstripe.memory-pool.retire');
export const onGrow = channel('guardstripe.memory-pool.grow');
export const onReset = channel('guardstripe.memory-pool.reset');
export const onTrim = channel('guardstripe.memory-pool.trim');
export const onExhausted = channel('guardstripe.memory-pool.exhausted');
export const onAttach = channel('guardstripe.memory-pool.attach');
export const onLeave = channel('guardstripe.memory-pool.leave');
export const onRecover = channel('guardstripe.memory-pool.recover');
export const onFailure = channel('guardstripe.memory-pool.failure');

/** Publishes a system call's failure. Everything else is a mistake of ours, and thrown. */
export function reportFailure(slot: number, error: unknown): void {
  if (!(error instanceof SystemError)) throw error;
  if (onFailure.hasSubscribers) onFailure.publish({ slot, error } satisfies FailureEvent);
}
