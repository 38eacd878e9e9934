/** Which images the pool's slots have mapped, so that a reset finds the bytes to write back by the id in a record. */
import type { PoolImage } from '../module/image.js';

/** The images in use, each counted once for every slot that has it mapped. */
export class ImageTable {
  readonly #entries = new Map<number, { readonly image: PoolImage; slots: number }>();

  /** A slot maps the image. */
  retain(image: PoolImage): void {
    const entry = this.#entries.get(image.id);
    if (entry === undefined) this.#entries.set(image.id, { image, slots: 1 });
    else entry.slots++;
  }

  /** A slot no longer maps it. */
  release(imageId: number): void {
    const entry = this.#entries.get(imageId);
    if (entry !== undefined && --entry.slots === 0) this.#entries.delete(imageId);
  }

  get(imageId: number): PoolImage | undefined {
    return this.#entries.get(imageId)?.image;
  }
}
