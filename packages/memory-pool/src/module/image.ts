/**
 * The copy-on-write images of a module's memories, all in one sealed memory file, which is made when the first of them is
 * wanted:
 *
 *     file    [ image of memory 0 ][ image of memory 2 ][ ... )
 *                                  fileOffset, byteLength
 *     memory  0 .......... offsetBytes [ image of memory 2 ) .......... initial size
 */
import type { MemoryKey } from '@guardstripe/index-allocator';
import {
  memoryImage,
  Mmap,
  platform,
  SystemError,
  type MemoryImage,
  type RestorerImage,
  type VirtualMemory,
} from '@guardstripe/mmap';
import { forEachDespiteErrors, ModuleClosedError } from '../errors.js';

/** As it is called in `/proc/self/maps`. */
export const IMAGE_NAME = 'guardstripe-image';

/** Whoever has images mapped: told when nobody will start from one any more. */
export interface ImageHolder {
  letGo(image: PoolImage): void;
}

/**
 * The memory file of a module, with the one descriptor and the one mapping that its images need together. It is *unmade* while
 * `contents` has the bytes, then *made*, and *closed* from either.
 */
export class ImageFile {
  /** The images' bytes as long as no file was made of them. */
  contents: Uint8Array | undefined;
  readonly #virtualMemory: VirtualMemory | undefined;
  readonly #images: PoolImage[] = [];
  #image: MemoryImage | undefined;
  #mapping: Mmap | undefined;
  #bytes: Uint8Array | undefined;
  #closed = false;

  /** @param contents - the images one behind another, whole host pages; or a file that holds them already */
  constructor(contents: Uint8Array | MemoryImage, virtualMemory: VirtualMemory | undefined) {
    this.#virtualMemory = virtualMemory;
    if (contents instanceof Uint8Array) this.contents = contents;
    else this.#image = contents;
  }

  /** An image that lies in the file from `fileOffset` on, and in memories with the key from `offsetBytes` on. */
  addImage(key: MemoryKey, fileOffset: number, offsetBytes: number, byteLength: number): PoolImage {
    const image = new PoolImage(this, key, fileOffset, offsetBytes, byteLength);
    this.#images.push(image);
    return image;
  }

  /** Makes the file. If the system refuses, it can be tried again. @throws `SystemError` */
  make(): void {
    if (this.contents === undefined) return;
    const virtualMemory = this.#virtualMemory ?? platform();
    this.#image = memoryImage(this.contents, { name: IMAGE_NAME, virtualMemory });
    this.contents = undefined;
  }

  /** The file's descriptor. @throws {@link ModuleClosedError} */
  get fd(): number {
    // It was open when the allocation was asked for; the slot was waited for since.
    if (this.#image === undefined || this.#closed) throw new ModuleClosedError('allocate a memory');
    return this.#image.fd;
  }

  /**
   * All of the file, from a read-only mapping of it: never from a guest's memory, which the guest has written.
   * `undefined` once the file was closed, or where the system has no mapping left to give.
   */
  get bytes(): Uint8Array | undefined {
    if (this.#bytes === undefined && this.#image !== undefined && !this.#closed)
      this.#bytes = this.#map(this.#image);
    return this.#bytes;
  }

  /** Closes the file. Live memories keep their images until they are freed; free slots let go of theirs now. */
  close(): void {
    this.#closed = true;
    this.contents = undefined;
    this.#bytes = undefined;
    for (const image of this.#images) image.closed = true;
    try {
      this.#mapping?.close();
    } finally {
      this.#image?.close();
      forEachDespiteErrors(this.#images, (image) => image.callHolders());
    }
  }

  #map(image: MemoryImage): Uint8Array | undefined {
    try {
      this.#mapping = Mmap.fromFile(image.fd, {
        access: 'read',
        // Linux before 6.7 refuses shared mappings of a file that is sealed against writing, even for reading.
        sharing: 'private',
        byteLength: image.byteLength,
        ...(this.#virtualMemory && { virtualMemory: this.#virtualMemory }),
      });
      return new Uint8Array(this.#mapping.view());
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return undefined;
    }
  }
}

/** Ids are never used twice in a process: a slot may remember an image long after its module was closed. */
let nextImageId = 1;

/** An image, and where in a memory it lies. All sizes are whole host pages. Two images are equal only if their ids are. */
export class PoolImage {
  /** Never 0. */
  readonly id: number;
  /** What free slots that have it mapped are found by. */
  readonly key: MemoryKey;
  /** Bytes from the start of the memory. */
  readonly offsetBytes: number;
  readonly byteLength: number;
  /** Whether its module was closed: no memory will start from it any more. Set by its file alone. */
  closed = false;
  readonly #file: ImageFile;
  /** Where it starts in the file. */
  readonly fileOffset: number;
  /** Weakly: a module does not keep a pool that nobody has. */
  readonly #holders = new Set<WeakRef<ImageHolder>>();
  #toRestore: readonly RestorerImage[] | undefined;

  constructor(file: ImageFile, key: MemoryKey, fileOffset: number, offsetBytes: number, byteLength: number) {
    this.id = nextImageId++;
    this.key = key;
    this.offsetBytes = offsetBytes;
    this.byteLength = byteLength;
    this.#file = file;
    this.fileOffset = fileOffset;
  }

  /** The descriptor of the file that it lies in. @throws {@link ModuleClosedError} */
  get fd(): number {
    return this.#file.fd;
  }

  /**
   * The image as restorers of slots are told of it, to write its bytes back: the same array each time. `undefined` once the module was
   * closed, or where the bytes cannot be had.
   */
  get toRestore(): readonly RestorerImage[] | undefined {
    if (this.closed) return undefined;
    const bytes = this.#toRestore === undefined ? this.#part(this.#file.bytes) : undefined;
    if (bytes !== undefined) this.#toRestore = [{ offset: this.offsetBytes, bytes, mapped: true }];
    return this.#toRestore;
  }

  /** The image's bytes as long as no file was made of them. */
  get unmadeBytes(): Uint8Array | undefined {
    return this.#part(this.#file.contents);
  }

  /** Somebody has it mapped from now on, until {@link PoolImage.removeHolder}. */
  addHolder(holder: WeakRef<ImageHolder>): void {
    this.#holders.add(holder);
  }

  removeHolder(holder: WeakRef<ImageHolder>): void {
    this.#holders.delete(holder);
  }

  /** Tells those that have it mapped. For its file. */
  callHolders(): void {
    forEachDespiteErrors(this.#holders, (holder) => holder.deref()?.letGo(this));
  }

  #part(bytes: Uint8Array | undefined): Uint8Array | undefined {
    return bytes?.subarray(this.fileOffset, this.fileOffset + this.byteLength);
  }
}
