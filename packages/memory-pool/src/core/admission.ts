/** Which modules a pool takes. */
import { invalidArgType, size } from '@guardstripe/common';
import { ModuleNotPoolableError } from '../errors.js';
import { hintOfModule } from '../hints.js';
import { isAdmitted, isModule, noteAdmission, type PoolModule } from '../module/module.js';

/** Looks at a module once, and remembers the good ones. */
export class Admission {
  readonly #admitted = new WeakSet<PoolModule>();
  readonly #maxMemoriesPerModule: number;
  readonly #maxMemoryBytes: number;

  constructor(maxMemoriesPerModule: number, maxMemoryBytes: number) {
    this.#maxMemoriesPerModule = maxMemoriesPerModule;
    this.#maxMemoryBytes = maxMemoryBytes;
  }

  /**
   * Lets a module in: not more memories of its own than a module may have, none that no pool can hold, none larger at its
   * start than a slot.
   *
   * @throws {@link ModuleNotPoolableError} naming the memory; `TypeError` `ERR_INVALID_ARG_TYPE`
   */
  check(module: PoolModule): void {
    if (isAdmitted(module, this)) return;
    if (!this.#admitted.has(module)) this.#examine(module);
    noteAdmission(module, this);
  }

  #examine(module: PoolModule): void {
    if (!isModule(module)) {
      const expected = 'a module from describeModule or describeMemory';
      throw invalidArgType('module', expected, module, hintOfModule(module));
    }
    if (module.numDefinedMemories > this.#maxMemoriesPerModule) {
      throw new ModuleNotPoolableError(
        `defines ${module.numDefinedMemories} memories, more than maxMemoriesPerModule, ${this.#maxMemoriesPerModule}`,
      );
    }
    for (const memory of module.memories) {
      if (memory.kind === 'imported') continue;
      if (memory.obstacle !== undefined) throw new ModuleNotPoolableError(memory.obstacle, memory.index);
      const initialBytes = memory.initialPages * BigInt(memory.pageBytes);
      if (initialBytes > BigInt(this.#maxMemoryBytes)) {
        throw new ModuleNotPoolableError(
          `has a minimum size of ${size(Number(initialBytes))}, more than maxMemorySize, ${size(this.#maxMemoryBytes)}`,
          memory.index,
        );
      }
    }
    this.#admitted.add(module);
  }
}
