/** Which images the pool's slots have mapped, so that a reset finds the bytes to write back by the id in a record. */
import { PoolCorruptedError } from '../errors.js';
import type { ImageHolder, PoolImage } from '../module/image.js';

/** Which images slots have mapped. */
export interface Images {
  /** Bytes of the images, each counted once. */
  readonly byteLength: number;
  retain(image: PoolImage): void;
  release(imageId: number): void;
  clear(): void;
  get(imageId: number): PoolImage | undefined;
}

/** The images in use, each counted once for every slot that has it mapped. */
export class ImageTable implements Images {
  readonly #entries = new Map<number, { readonly image: PoolImage; slots: number }>();
  readonly #holder: WeakRef<ImageHolder>;

  /**
   * Bytes of the images, each counted once, and what several share for each of them: they stay in memory until the last slot that has
   * them mapped lets go.
   */
  byteLength = 0;

  /** @param holder - told when the module of one of the images is closed */
  constructor(holder: ImageHolder) {
    this.#holder = new WeakRef(holder);
  }

  /** A slot maps the image. */
  retain(image: PoolImage): void {
    const entry = this.#entries.get(image.id);
    if (entry === undefined) {
      this.#entries.set(image.id, { image, slots: 1 });
      this.byteLength += image.partBytes;
      image.addHolder(this.#holder);
    } else {
      assertSame(entry.image, image);
      entry.slots++;
    }
  }

  /** A slot no longer maps it; 0 for a slot that had none. */
  release(imageId: number): void {
    if (imageId === 0) return;
    const entry = this.#entries.get(imageId);
    if (entry === undefined)
      throw new PoolCorruptedError(`image ${imageId} is unmapped more often than mapped`);
    if (--entry.slots > 0) return;
    this.#entries.delete(imageId);
    this.byteLength -= entry.image.partBytes;
    entry.image.removeHolder(this.#holder);
  }

  /** The slab is gone, and every image with it. */
  clear(): void {
    for (const { image } of this.#entries.values()) image.removeHolder(this.#holder);
    this.#entries.clear();
    this.byteLength = 0;
  }

  /** An image that slots have mapped; nothing for 0. @throws {@link PoolCorruptedError} for one that none has */
  get(imageId: number): PoolImage | undefined {
    if (imageId === 0) return undefined;
    const entry = this.#entries.get(imageId);
    if (entry === undefined) throw new PoolCorruptedError(`image ${imageId} is mapped nowhere`);
    return entry.image;
  }
}

/**
 * Two images of one number: a slot that has the one would be given out as having the other.
 *
 * @throws {@link PoolCorruptedError}
 */
export function assertSame(known: PoolImage, image: PoolImage): void {
  const isSame =
    known.offsetBytes === image.offsetBytes &&
    known.byteLength === image.byteLength &&
    known.partBytes === image.partBytes;
  if (!isSame) throw new PoolCorruptedError(`image ${image.id} is another one than that of the same number`);
}
