/** What the main thread and its workers say to each other. */
import type { ModuleHandle, SharedPoolHandle } from '@guardstripe/memory-pool';

/** Where memories come from: one pool for all workers, a pool for each, or V8. */
export const MODES = ['shared', 'pool-each', 'instances'] as const;
export type Mode = (typeof MODES)[number];

export interface WorkerData {
  readonly mode: Mode;
  /** Of the pool that the worker makes, or of the one that it shares. */
  readonly numSlots: number;
  readonly shared: { readonly pool: SharedPoolHandle; readonly modules: readonly ModuleHandle[] } | undefined;
  /** By slot, whose memory lay there last. */
  readonly lastTenants: SharedArrayBuffer;
}

export interface Request {
  readonly id: number;
  readonly tenant: number;
  readonly request: number;
  /** How it ends: with an answer, an exception that nobody catches, or never. */
  readonly how: 'answer' | 'throw' | 'loop';
}

export interface Answer {
  readonly id: number;
  readonly text: string;
  /** Requests of this worker that came to a slot of the same tenant. */
  readonly reused: number;
}
