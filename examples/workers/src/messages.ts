/** What the main thread and its workers say to each other. */
import type { ModuleHandle, SharedPoolHandle } from '@guardstripe/memory-pool';

/** Where memories come from: one pool for all workers, a pool for each, or V8. */
export const MODES = ['shared', 'pool-each', 'instances'] as const;
export type Mode = (typeof MODES)[number];

/** What a worker makes memories of: as little as there has to be of the tenants' modules in each. */
export type WorkerData =
  | {
      readonly mode: 'shared';
      readonly pool: SharedPoolHandle;
      readonly modules: readonly ModuleHandle[];
      /** By slot, whose memory lay there last. */
      readonly lastTenants: SharedArrayBuffer;
    }
  | { readonly mode: 'pool-each'; readonly numSlots: number; readonly modules: readonly Uint8Array[] }
  | { readonly mode: 'instances'; readonly modules: readonly WebAssembly.Module[] };

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
