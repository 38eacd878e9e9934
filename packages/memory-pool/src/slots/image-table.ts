/** Which images the pool's slots have mapped, so that a reset finds the bytes to write back by the id in a record. */
import type { PoolImage } from '../module/image.js';

/** The images in use, each counted once for every slot that has it mapped. */
export class ImageTable {
  readonly #entries = new Map<number, { readonly image: PoolImage; slots: number }>();

  /** Bytes of the images, each counted once: they stay in memory until the last slot that has them mapped lets go. */
  byteLength = 0;

  /** A slot maps the image. */
  retain(image: PoolImage): void {
    const entry = this.#entries.get(image.id);
    if (entry === undefined) {
      this.#entries.set(image.id, { image, slots: 1 });
      this.byteLength += image.byteLength;
    } else entry.slots++;
  }

  /** A slot no longer maps it. */
  release(imageId: number): void {
    const entry = this.#entries.get(imageId);
    if (entry === undefined || --entry.slots > 0) return;
    this.#entries.delete(imageId);
    this.byteLength -= entry.image.byteLength;
  }

  /** The slab is gone, and every image with it. */
  clear(): void {
    this.#entries.clear();
    this.byteLength = 0;
  }

  get(imageId: number): PoolImage | undefined {
    return this.#entries.get(imageId)?.image;
  }
}
