/** What a store remembers of its memories beside what the pool does: where they were allocated, and what it takes to move them. */
import type { MemoryTemplate } from '../module/template.js';

/** Somebody who counts the memories of a module. */
export interface ModuleUse {
  end(): void;
}

/** Notes by slot. The templates alone are what every memory of a shared pool pays for. */
export class SlotNotes {
  readonly #templates = new Map<number, MemoryTemplate>();
  readonly #traces: Map<number, string> | undefined;
  /** Of memories that came from other threads. */
  #uses: Map<number, ModuleUse> | undefined;

  /** @param traces - whether to note where each memory was allocated */
  constructor(traces: boolean) {
    this.#traces = traces ? new Map() : undefined;
  }

  /** @param use - ended with the memory, or when it moves */
  add(slot: number, template: MemoryTemplate, use?: ModuleUse): void {
    this.#templates.set(slot, template);
    this.#traces?.set(slot, new Error('Allocated here').stack ?? '');
    if (use !== undefined) (this.#uses ??= new Map<number, ModuleUse>()).set(slot, use);
  }

  delete(slot: number): void {
    this.#templates.delete(slot);
    this.#traces?.delete(slot);
    if (this.#uses === undefined) return;
    const use = this.#uses.get(slot);
    this.#uses.delete(slot);
    use?.end();
  }

  template(slot: number): MemoryTemplate | undefined {
    return this.#templates.get(slot);
  }

  trace(slot: number): string | undefined {
    return this.#traces?.get(slot);
  }
}
