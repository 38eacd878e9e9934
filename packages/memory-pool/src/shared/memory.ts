/** The pages of a pool's slots where several threads take turns with them. */
import { PoolCorruptedError } from '../errors.js';
import type { PoolImage } from '../module/image.js';
import { SlotMemory, type SlotMemoryParts } from '../slots/memory.js';
import { MAPPINGS_WORD, type SharedState } from './state.js';

/** Counts mappings for all threads, and knows the image of a slot that another thread has mapped. */
export class SharedSlotMemory extends SlotMemory {
  readonly #parts: SlotMemoryParts;
  readonly #words: Int32Array;

  constructor(parts: SlotMemoryParts, pageBytes: number, { words }: Pick<SharedState, 'words'>) {
    super(parts, pageBytes);
    this.#parts = parts;
    this.#words = words;
  }

  override get mappings(): number {
    return Atomics.load(this.#words, MAPPINGS_WORD);
  }

  override occupy(slot: number, byteLength: number, image: PoolImage | undefined): void {
    if (image !== undefined) this.#parts.images.retain(image);
    super.occupy(slot, byteLength, image);
  }

  protected override note(mappings: number): void {
    const before = Atomics.add(this.#words, MAPPINGS_WORD, mappings);
    if (before + mappings < 0) throw new PoolCorruptedError(`${-mappings} mappings go, of ${before}`);
  }
}
