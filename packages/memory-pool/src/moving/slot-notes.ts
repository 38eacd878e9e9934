/** What a store remembers of its memories beside what the pool does: where they were allocated, and what it takes to move them. */
import type { MemoryTemplate } from '../module/template.js';

/** Somebody who counts the memories of a module. */
export interface ModuleUse {
  end(): void;
}

interface Note {
  readonly template: MemoryTemplate;
  readonly trace: string | undefined;
  readonly use: ModuleUse | undefined;
}

/** Notes by slot. */
export class SlotNotes {
  readonly #notes = new Map<number, Note>();
  readonly #traces: boolean;

  /** @param traces - whether to note where each memory was allocated */
  constructor(traces: boolean) {
    this.#traces = traces;
  }

  /** @param use - ended with the memory, or when it moves */
  add(slot: number, template: MemoryTemplate, use?: ModuleUse): void {
    const trace = this.#traces ? (new Error('Allocated here').stack ?? '') : undefined;
    this.#notes.set(slot, { template, trace, use });
  }

  delete(slot: number): void {
    const note = this.#notes.get(slot);
    this.#notes.delete(slot);
    note?.use?.end();
  }

  template(slot: number): MemoryTemplate | undefined {
    return this.#notes.get(slot)?.template;
  }

  trace(slot: number): string | undefined {
    return this.#notes.get(slot)?.trace;
  }
}
