/** What a thread remembers of its memories beside what the pool does: where they were allocated, and what it takes to move them. */
import type { MemoryTemplate } from '../module/template.js';

/** Somebody who counts the memories of a module. */
export interface ModuleUse {
  end(): void;
}

/** Slots of one array: as many as a pool mostly has, and few enough for one of a million slots to begin with next to nothing. */
const CHUNK_SHIFT = 10;
const CHUNK_MASK = (1 << CHUNK_SHIFT) - 1;

/**
 * Notes by slot, of all stores of a thread. The templates alone are what every memory of a shared pool pays for: in arrays, for an entry
 * that comes into a `Map` and goes again leaves garbage each time.
 */
export class SlotNotes {
  readonly #templates: (MemoryTemplate | undefined)[][] = [];
  readonly #traces: Map<number, string> | undefined;
  /** Of memories that came from other threads. */
  readonly #uses = new Map<number, ModuleUse>();

  /** @param traces - whether to note where each memory was allocated */
  constructor(traces: boolean) {
    this.#traces = traces ? new Map() : undefined;
  }

  /** @param use - ended with the memory, or when it moves */
  add(slot: number, template: MemoryTemplate, use?: ModuleUse): void {
    const chunk = this.#templates[slot >>> CHUNK_SHIFT] ?? this.#newChunk(slot);
    chunk[slot & CHUNK_MASK] = template;
    this.#traces?.set(slot, new Error('Allocated here').stack ?? '');
    if (use !== undefined) this.#uses.set(slot, use);
  }

  /** Forgets a memory, and ends its use. */
  delete(slot: number): void {
    this.remove(slot)?.end();
  }

  /** Forgets a memory; returns its use, which the caller ends. */
  remove(slot: number): ModuleUse | undefined {
    const chunk = this.#templates[slot >>> CHUNK_SHIFT];
    if (chunk !== undefined) chunk[slot & CHUNK_MASK] = undefined;
    this.#traces?.delete(slot);
    if (this.#uses.size === 0) return undefined;
    const use = this.#uses.get(slot);
    this.#uses.delete(slot);
    return use;
  }

  template(slot: number): MemoryTemplate | undefined {
    return this.#templates[slot >>> CHUNK_SHIFT]?.[slot & CHUNK_MASK];
  }

  trace(slot: number): string | undefined {
    return this.#traces?.get(slot);
  }

  #newChunk(slot: number): (MemoryTemplate | undefined)[] {
    const index = slot >>> CHUNK_SHIFT;
    // Without holes, wherever the thread's slots lie.
    while (this.#templates.length <= index) this.#templates.push([]);
    const chunk = Array.from({ length: CHUNK_MASK + 1 }, (): MemoryTemplate | undefined => undefined);
    this.#templates[index] = chunk;
    return chunk;
  }
}
