/**
 * Modules of memories that came from other threads: opened for the first of them, and kept, a few, when the last has ended, for the next
 * store mostly brings the same.
 */
import { PoolCorruptedError } from '../errors.js';
import type { ModuleHandle } from '../module/handle.js';
import { openModule } from '../module/open-module.js';
import type { PoolModule } from '../module/module.js';
import type { ModuleUse } from './slot-notes.js';

/** Each has a descriptor and may have a mapping. */
const MAX_IDLE = 16;

interface Opened {
  readonly module: PoolModule;
  users: number;
}

/** By the pool's number for the module, which no other content has. */
export class AdoptedModules {
  /** Those that are used last come last. */
  readonly #opened = new Map<number, Opened>();
  #idle = 0;

  /**
   * The module of a handle, with one user more; nothing if no thread has it any more.
   *
   * @throws `TypeError` for what is no handle; a `SystemError` if the system refuses
   */
  use(moduleId: number, handle: ModuleHandle): { module: PoolModule; use: ModuleUse } | undefined {
    let opened = this.#opened.get(moduleId);
    if (opened === undefined) {
      const module = tryOpen(handle);
      if (module === undefined) return undefined;
      opened = { module, users: 0 };
      this.#idle++;
    } else this.#opened.delete(moduleId);
    this.#opened.set(moduleId, opened);
    if (opened.users++ === 0) this.#idle--;
    return { module: opened.module, use: { end: () => this.#leave(opened) } };
  }

  /** Closes all: the thread leaves the pool. */
  close(): void {
    for (const { module } of this.#opened.values()) module.close();
    this.#opened.clear();
  }

  #leave(opened: Opened): void {
    // The module would be closed under memories that still start from it.
    if (opened.users <= 0)
      throw new PoolCorruptedError(`module ${opened.module.id} is let go of more often than it was used`);
    if (--opened.users > 0 || ++this.#idle <= MAX_IDLE) return;
    for (const [moduleId, { module, users }] of this.#opened) {
      if (users > 0) continue;
      this.#opened.delete(moduleId);
      this.#idle--;
      module.close();
      return;
    }
  }
}

function tryOpen(handle: ModuleHandle): PoolModule | undefined {
  try {
    return openModule(handle);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_MMAP_SHARED_GONE') return undefined;
    throw error;
  }
}
