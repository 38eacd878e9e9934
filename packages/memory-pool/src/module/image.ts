/**
 * The copy-on-write images of a module's memories, all in one sealed memory file, which is made when the first of them is
 * wanted:
 *
 *     file    [ image of memory 0 ][ image of memory 2 ][ ... )
 *                                  fileOffset, byteLength
 *     memory  0 .......... offsetBytes [ image of memory 2 ) .......... initial size
 */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import type { MemoryKey } from '@guardstripe/index-allocator';
import {
  memoryImage,
  Mmap,
  platform,
  shareImage,
  SystemError,
  type JointImageHandle,
  type MemoryImage,
  type RestorerImage,
  type VirtualMemory,
} from '@guardstripe/mmap';
import { forEachDespiteErrors, ModuleClosedError, PoolCorruptedError } from '../errors.js';
import { takeId } from './ids.js';

/** As it is called in `/proc/self/maps`. */
export const IMAGE_NAME = 'guardstripe-image';

/** Whoever has images mapped: told when nobody will start from one any more. */
export interface ImageHolder {
  letGo(image: PoolImage): void;
}

/** Pages of a file, and where in a memory they lie. All sizes are whole host pages. */
export interface ImagePart {
  readonly file: ImageFile;
  /** Where it starts in the file. */
  readonly fileOffset: number;
  /** Bytes from the start of the memory. */
  readonly offsetBytes: number;
  readonly byteLength: number;
}

/**
 * The memory file of a module, with the one descriptor and the one mapping that its images need together. It is *unmade* while
 * `contents` has the bytes, then *made*, and *closed* from either. A closed file is there as long as images of other modules
 * lie in it: those of snapshots.
 */
export class ImageFile {
  /** The images' bytes as long as no file was made of them. */
  contents: Uint8Array | undefined;
  /** SHA-256 of them. */
  #contentHash: Uint8Array | undefined;
  /** Somebody has mapped the file, or was told its descriptor. */
  #isSeen = false;
  readonly #virtualMemory: VirtualMemory | undefined;
  readonly #images: PoolImage[] = [];
  #image: MemoryImage | undefined;
  #place: JointImageHandle | undefined;
  #mapping: Mmap | undefined;
  /** Why there is no mapping, if it was tried. */
  #refusal: SystemError | undefined;
  readonly #others: readonly ImageFile[];
  /** Its own module, and files whose images lie in it, too. */
  #users = 1;

  /**
   * @param contents - the images one behind another, whole host pages; or a file that holds them already; or nothing, where all of
   * them lie in others
   * @param others - files in which images of this one's module lie, too; they stay until this one is closed
   */
  constructor(
    contents: Uint8Array | MemoryImage | undefined,
    virtualMemory: VirtualMemory | undefined,
    others: readonly ImageFile[] = [],
  ) {
    this.#virtualMemory = virtualMemory;
    this.#others = others;
    if (contents instanceof Uint8Array) this.contents = contents;
    else this.#image = contents;
    for (const other of others) other.#retain();
  }

  /** An image that lies in the file from `fileOffset` on, and in memories with the key from `offsetBytes` on. */
  addImage(
    key: MemoryKey,
    fileOffset: number,
    offsetBytes: number,
    byteLength: number,
    id?: number,
  ): PoolImage {
    return this.addParts(key, [{ file: this, fileOffset, offsetBytes, byteLength }], id);
  }

  /** An image of several parts, ascending and apart, in this file and its others. */
  addParts(key: MemoryKey, parts: readonly ImagePart[], id?: number): PoolImage {
    let end = 0;
    for (const part of parts) {
      const fileBytes = part.file.byteLength;
      // Pages behind the file's end are mapped without an error, and end the process when they are touched.
      if (!(part.fileOffset >= 0 && part.byteLength > 0 && part.fileOffset + part.byteLength <= fileBytes)) {
        throw new PoolCorruptedError(
          `a file of ${fileBytes} bytes has no ${part.byteLength} at ${part.fileOffset}`,
        );
      }
      if (!(part.offsetBytes >= end))
        throw new PoolCorruptedError(`parts of an image overlap at ${part.offsetBytes}`);
      end = endOf(part);
    }
    const image = new PoolImage(key, parts, id);
    this.#images.push(image);
    return image;
  }

  /** Makes the file. If the system refuses, it can be tried again. @throws `SystemError` */
  make(): void {
    if (this.#users === 0) throw new ModuleClosedError('allocate a memory');
    if (this.contents === undefined) return;
    const virtualMemory = this.#virtualMemory ?? platform();
    this.#image = memoryImage(this.contents, { name: IMAGE_NAME, virtualMemory });
    this.contents = undefined;
  }

  /** Where other threads find the file, which is made if there is none yet. @throws `SystemError`, {@link ModuleClosedError} */
  share(): JointImageHandle {
    this.make();
    if (this.#image === undefined) throw new PoolCorruptedError('a file without images is shared');
    return (this.#place = shareImage(this.#image));
  }

  /** Whether the file is the one that threads find there. */
  isAt({ entry, token }: JointImageHandle): boolean {
    return this.#place?.entry === entry && this.#place.token === token;
  }

  /** Has the images lie in a file of the same bytes instead of their own; `false` if it is too late for that. */
  use(image: MemoryImage): boolean {
    if (this.#isSeen || this.#users === 0 || image.byteLength !== this.byteLength) return false;
    const before = this.#image;
    this.#image = image;
    this.#place = shareImage(image);
    this.contents = undefined;
    before?.close();
    return true;
  }

  /** SHA-256 of all images' bytes. Read from the file where it is made: what is sealed is what counts. */
  get contentHash(): Uint8Array {
    return (this.#contentHash ??= hashOf(this.contents, this.#image));
  }

  /** Bytes of the file, made or not. */
  get byteLength(): number {
    return this.contents?.byteLength ?? this.#image?.byteLength ?? 0;
  }

  /** The file's descriptor. @throws {@link ModuleClosedError} */
  get fd(): number {
    // It was open when the allocation was asked for; the slot was waited for since.
    if (this.#image === undefined || this.#users === 0) throw new ModuleClosedError('allocate a memory');
    this.#isSeen = true;
    return this.#image.fd;
  }

  /**
   * All of the file, in a read-only mapping of it: never from a guest's memory, which the guest has written. Nobody gets a view of it, for
   * koffi ends the process if a worker is terminated while it makes one. `undefined` once the file is gone, or where the system has no
   * mapping left to give.
   */
  get pages(): Mmap | undefined {
    if (this.#mapping === undefined && this.#image !== undefined && this.#users > 0)
      this.#mapping = this.#map(this.#image);
    return this.#mapping;
  }

  /** Why {@link ImageFile.pages} are not to be had of a file that is open. */
  get refusal(): SystemError | undefined {
    return this.pages === undefined ? this.#refusal : undefined;
  }

  /** Closes the file. Live memories keep their images until they are freed; free slots let go of theirs now. */
  close(): void {
    this.contents = undefined;
    for (const image of this.#images) image.closed = true;
    try {
      forEachDespiteErrors([this, ...this.#others], (file) => file.#release());
    } finally {
      forEachDespiteErrors(this.#images, (image) => image.callHolders());
    }
  }

  /** One user more. A file that was closed has a descriptor that may be anything's by now. */
  #retain(): void {
    if (this.#users === 0) throw new PoolCorruptedError('an image is to lie in a file that was closed');
    this.#users += 1;
  }

  /** One user less; the last one closes the file. */
  #release(): void {
    // Those that are left would have their images in a file that is closed.
    if (this.#users === 0)
      throw new PoolCorruptedError('a file of images is closed more often than it was used');
    this.#users -= 1;
    if (this.#users > 0) return;
    const mapping = this.#mapping;
    this.#mapping = undefined;
    try {
      mapping?.close();
    } finally {
      this.#image?.close();
    }
  }

  #map(image: MemoryImage): Mmap | undefined {
    this.#isSeen = true;
    try {
      return Mmap.fromFile(image.fd, {
        access: 'read',
        // Linux before 6.7 refuses shared mappings of a file that is sealed against writing, even for reading.
        sharing: 'private',
        byteLength: image.byteLength,
        ...(this.#virtualMemory && { virtualMemory: this.#virtualMemory }),
      });
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#refusal = error;
      return undefined;
    }
  }
}

/**
 * An image, and where in a memory it lies. All sizes are whole host pages. Two images are equal only if their ids are. Those of
 * snapshots may have several parts, with zeros between them.
 */
export class PoolImage {
  /** Never 0. */
  readonly id: number;
  /** What free slots that have it mapped are found by. */
  readonly key: MemoryKey;
  /** Bytes from the start of the memory. */
  readonly offsetBytes: number;
  /** To the end of the last part. */
  readonly byteLength: number;
  /** Ascending and apart; at least one. */
  readonly parts: readonly ImagePart[];
  /** Bytes of all parts. */
  readonly partBytes: number;
  /** Mappings that it takes more than one that has a single part. */
  readonly extraMappings: number;
  /** Whether its module was closed: no memory will start from it any more. Set by its file alone. */
  closed = false;
  /** Weakly: a module does not keep a pool that nobody has. */
  readonly #holders = new Set<WeakRef<ImageHolder>>();
  #toRestore: readonly RestorerImage[] | undefined;

  /** @param id - one that nobody else has, unless it is the same image */
  constructor(key: MemoryKey, parts: readonly ImagePart[], id = takeId('image')) {
    const [first, last] = [parts[0], parts.at(-1)];
    if (first === undefined || last === undefined) throw new PoolCorruptedError('an image has no parts');
    this.id = id;
    this.key = key;
    this.parts = parts;
    this.offsetBytes = first.offsetBytes;
    this.byteLength = last.offsetBytes + last.byteLength - first.offsetBytes;
    this.partBytes = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const numGaps = parts.filter((part, i) => i > 0 && part.offsetBytes > endOf(parts[i - 1]!)).length;
    this.extraMappings = parts.length - 1 + numGaps;
  }

  /** Whether there are no zeros between its parts. */
  get isSolid(): boolean {
    return this.partBytes === this.byteLength;
  }

  /**
   * The image as restorers of slots are told of it, to write its bytes back: the same array each time. `undefined` once the module was
   * closed, or where the bytes cannot be had.
   */
  get toRestore(): readonly RestorerImage[] | undefined {
    if (this.closed) return undefined;
    if (this.#toRestore !== undefined) return this.#toRestore;
    const images: RestorerImage[] = [];
    for (const { file, fileOffset, offsetBytes, byteLength } of this.parts) {
      const map = file.pages;
      if (map === undefined) return undefined;
      images.push(
        Object.freeze({ offset: offsetBytes, bytes: { map, offset: fileOffset, byteLength }, mapped: true }),
      );
    }
    // Frozen, and so checked once.
    return (this.#toRestore = Object.freeze(images));
  }

  /** Why the system does not give the bytes of an image whose module is open. */
  get refusal(): SystemError | undefined {
    if (this.closed) return undefined;
    for (const { file } of this.parts) if (file.refusal !== undefined) return file.refusal;
    return undefined;
  }

  /** The image's bytes as long as no file was made of them. */
  get unmadeBytes(): Uint8Array | undefined {
    const [part] = this.parts;
    return part?.file.contents?.subarray(part.fileOffset, part.fileOffset + part.byteLength);
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
}

/** Bytes that are read at once. */
const CHUNK_BYTES = 2 ** 20;

function hashOf(contents: Uint8Array | undefined, image: MemoryImage | undefined): Uint8Array {
  const hash = createHash('sha256');
  if (contents !== undefined) return hash.update(contents).digest();
  const byteLength = image?.byteLength ?? 0;
  const chunk = new Uint8Array(Math.min(byteLength, CHUNK_BYTES));
  for (let position = 0; position < byteLength;) {
    const read = readSync(image!.fd, chunk, 0, Math.min(chunk.byteLength, byteLength - position), position);
    if (read === 0) throw new PoolCorruptedError(`a file of ${byteLength} bytes ends at ${position}`);
    hash.update(chunk.subarray(0, read));
    position += read;
  }
  return hash.digest();
}

function endOf({ offsetBytes, byteLength }: ImagePart): number {
  return offsetBytes + byteLength;
}
