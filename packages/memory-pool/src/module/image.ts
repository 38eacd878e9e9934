/** A copy-on-write image of a memory's first bytes, and the bytes themselves for writing them back. */
import { Mmap, SystemError, type MemoryImage, type VirtualMemory } from '@guardstripe/mmap';

/** Ids are never used twice in a process: a slot may remember an image long after its module was closed. */
let nextImageId = 1;

/** An image, and where in a memory it lies. All sizes are whole host pages. Two images are equal only if their ids are. */
export class PoolImage {
  /** Never 0. */
  readonly id: number;
  readonly image: MemoryImage;
  /** Bytes from the start of the memory. */
  readonly offsetBytes: number;
  readonly byteLength: number;
  readonly #virtualMemory: VirtualMemory;
  #mapping: Mmap | undefined;
  #bytes: Uint8Array | undefined;

  constructor(image: MemoryImage, offsetBytes: number, virtualMemory: VirtualMemory) {
    this.#virtualMemory = virtualMemory;
    this.id = nextImageId++;
    this.image = image;
    this.offsetBytes = offsetBytes;
    this.byteLength = image.byteLength;
  }

  /**
   * The image's bytes, from a read-only mapping of its file: never from a guest's memory, which the guest has written.
   * `undefined` once the image was closed, or where the system has no mapping left to give.
   */
  get bytes(): Uint8Array | undefined {
    if (this.#bytes === undefined && !this.image.closed) this.#bytes = this.#map();
    return this.#bytes;
  }

  /** Closes the file. Slots that have the image mapped keep it. */
  close(): void {
    this.#bytes = undefined;
    try {
      this.#mapping?.close();
    } finally {
      this.image.close();
    }
  }

  #map(): Uint8Array | undefined {
    try {
      this.#mapping = Mmap.fromFile(this.image.fd, {
        access: 'read',
        sharing: 'shared',
        byteLength: this.byteLength,
        virtualMemory: this.#virtualMemory,
      });
      return new Uint8Array(this.#mapping.view());
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return undefined;
    }
  }
}
