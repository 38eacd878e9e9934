/** A module as other threads are told of it. */
import type { JointImageHandle } from '@guardstripe/mmap';
import type { ImagePlan, MemoryType } from '../wasm/index.js';
import type { ModuleOrigin } from './content.js';

/**
 * What {@link openModule} makes the same module of, in another thread of the process: plain data for `workerData` and `postMessage`.
 */
export interface ModuleHandle {
  /** No API: it may be anything in the next version. */
  readonly poolModule: object;
}

/** What is in a handle. */
export interface ModuleParts {
  readonly types: readonly MemoryType[];
  readonly plans: readonly ImagePlan[];
  /** SHA-256 of the images' bytes. */
  readonly contentHash: Uint8Array;
  /** The images' file, which the process's threads hold jointly; nothing where there are no images. */
  readonly image: JointImageHandle | undefined;
}

/** The handle of a module that is open. Makes the memory file, if there is none yet. @throws `SystemError` */
export function handleOf({ types, plans, file }: ModuleOrigin): ModuleHandle {
  const { contentHash } = file;
  const parts: ModuleParts = {
    types,
    plans,
    contentHash,
    image: file.byteLength === 0 ? undefined : file.share(),
  };
  return { poolModule: parts };
}
