/**
 * The images that a thread of a shared pool has used, by id. What is mapped in the slots is in their records; no thread counts what
 * others map.
 */
import type { ImageHolder, PoolImage } from '../module/image.js';
import { assertSame, type Images } from '../slots/image-table.js';

/** An image that this thread never had, or whose module is gone: a slot that has it is laid over, not reset. */
const GONE = Object.freeze({ closed: true, extraMappings: 0, toRestore: undefined }) as PoolImage;

/** From ids to images. */
export class SharedImageTable implements Images {
  readonly #images = new Map<number, PoolImage>();
  readonly #holder: WeakRef<ImageHolder>;
  readonly #sumBytes: () => number;
  /** The image that was used last, which is mostly the next one, too. */
  #last: PoolImage | undefined;

  /**
   * @param holder - told when the module of one of the images is closed
   * @param sumBytes - adds up what the slots' records say
   */
  constructor(holder: ImageHolder, sumBytes: () => number) {
    this.#holder = new WeakRef(holder);
    this.#sumBytes = sumBytes;
  }

  get byteLength(): number {
    return this.#sumBytes();
  }

  /** The thread is about to use the image, which another one may have mapped. */
  retain(image: PoolImage): void {
    if (image === this.#last || this.#images.get(image.id) === image) return;
    for (const [id, each] of this.#images) if (each.closed) this.#images.delete(id);
    const known = this.#images.get(image.id);
    if (known !== undefined) {
      assertSame(known, image);
      known.removeHolder(this.#holder);
    }
    this.#images.set(image.id, image);
    image.addHolder(this.#holder);
    this.#last = image;
  }

  /** Others may have it mapped. */
  release(): void {}

  clear(): void {
    for (const image of this.#images.values()) image.removeHolder(this.#holder);
    this.#images.clear();
    this.#last = undefined;
  }

  get(imageId: number): PoolImage | undefined {
    return imageId === 0 ? undefined : (this.#images.get(imageId) ?? GONE);
  }
}
