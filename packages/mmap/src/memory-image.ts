/**
 * A sealed memory file: bytes that nobody can change any more, ready to be mapped copy-on-write any number of times.
 */

import {
  bytesOf,
  bytesOutOfRange,
  checkByteRange,
  checkBytes,
  checkFunction,
  checkPages,
  hex,
  invalidArgType,
  invalidArgValue,
  isInstance,
  isReadable,
  readOptions,
  size,
  showAs,
} from '@guardstripe/common';
import { checkMemoryName, checkVirtualMemory } from './checks.js';
import { MemoryImageClosedError } from './errors.js';
import { forgetLeak, watchForLeak } from './leak-net.js';
import { platform } from './platform/platform.js';
import type { ImageSource, VirtualMemory } from './platform/virtual-memory.js';

/** Options of {@link memoryImage}. */
export interface MemoryImageOptions {
  /** Shown in `/proc/self/maps` as `/memfd:NAME`; at most 249 bytes. Default `'guardstripe'`. */
  readonly name?: string;
  /** The platform to use. Default {@link platform}. */
  readonly virtualMemory?: VirtualMemory;
}

/** A part of a {@link MemoryImage}, in whole pages. */
export interface MemoryImagePart {
  /** Bytes from the image's start. Default 0. */
  readonly imageOffset?: number;
  /** Default all behind `imageOffset`. */
  readonly byteLength?: number;
}

const TOKEN = Symbol('memoryImage');

/** What an image is, whatever properties a caller put over it: past its end lies SIGBUS. */
let readImage: (image: unknown) => { readonly fd: number; readonly byteLength: number };

/** Made by {@link memoryImage}. Owns a file descriptor until it is closed. */
export class MemoryImage implements Disposable {
  readonly #byteLength: number;
  readonly #virtualMemory: VirtualMemory;
  readonly #fd: number;
  #closed = false;

  static {
    readImage = (image) => {
      const isOurs = typeof image === 'object' && image !== null && #fd in image;
      if (!isOurs) throw invalidArgType('image', 'an instance of MemoryImage', image);
      if (image.#closed) throw new MemoryImageClosedError();
      return { fd: image.#fd, byteLength: image.#byteLength };
    };
    showAs(this.prototype, ({ byteLength, closed }) =>
      closed ? 'MemoryImage { closed }' : `MemoryImage { ${size(byteLength)} }`,
    );
  }

  /** @internal */
  constructor(token: typeof TOKEN, virtualMemory: VirtualMemory, fd: number, byteLength: number) {
    if (token !== TOKEN) throw invalidArgType('token', 'that of this class: use memoryImage()', token);
    this.#virtualMemory = virtualMemory;
    this.#fd = fd;
    this.#byteLength = byteLength;
    watchForLeak(this, `MemoryImage with descriptor ${fd}`, () => virtualMemory.closeFile(fd));
  }

  /** Bytes of the image: those it was made of, filled up with zeros to whole pages. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /**
   * The descriptor of the sealed file. It belongs to the image: do not close it.
   *
   * @throws {@link MemoryImageClosedError} after {@link close}; the number may be somebody else's by then.
   */
  get fd(): number {
    if (this.#closed) throw new MemoryImageClosedError();
    return this.#fd;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closes the descriptor. Mappings of the image live on, for the kernel keeps the file while they do. Idempotent. */
  close(): void {
    if (this.#closed) return;
    // Closed first: close(2) frees the number even when it reports an error, so it must not be tried twice.
    this.#closed = true;
    forgetLeak(this);
    this.#virtualMemory.closeFile(this.#fd);
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Copies bytes into a memory file, fills it up with zeros to whole pages, and seals it against growing, shrinking,
 * writing and further sealing (`F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL`). Pages of zeros are holes and take
 * no memory. No bytes, no pages: an empty image is allowed, and mapping it does nothing.
 *
 * ```ts
 * using image = memoryImage({ byteLength: 2 ** 30, fill: (write) => write(Buffer.from('far away'), 2 ** 29) });
 * ```
 *
 * @param source the bytes, or something that writes them piece by piece.
 * @throws {@link SystemError} when the kernel has no memory files, no descriptor or no memory left.
 */
export function memoryImage(source: Uint8Array | ImageSource, options: MemoryImageOptions = {}): MemoryImage {
  const pieces = checkSource(source);
  const { name = 'guardstripe', virtualMemory = platform() } = readOptions(options, [
    'name',
    'virtualMemory',
  ]);
  checkVirtualMemory(virtualMemory);
  checkMemoryName(name);
  const { pageSize } = virtualMemory;
  const byteLength = Math.ceil(pieces.byteLength / pageSize) * pageSize;
  return new MemoryImage(TOKEN, virtualMemory, virtualMemory.createImage(pieces, name), byteLength);
}

function checkSource(source: unknown): ImageSource {
  if (isInstance(source, Uint8Array)) {
    const bytes = bytesOf(source, 'source');
    return { byteLength: bytes.byteLength, fill: (write) => write(bytes, 0) };
  }
  if (typeof source !== 'object' || source === null || !isReadable(source) || ArrayBuffer.isView(source))
    throw invalidArgType('source', 'an instance of Uint8Array or an ImageSource', source);
  const { byteLength, fill } = source as Partial<ImageSource>;
  checkFunction(fill, 'source.fill');
  checkBytes(byteLength, 'source.byteLength');
  return checkedSource(source as ImageSource, byteLength);
}

/** The same source, whose writes stay inside of the image, and end when it is full: the descriptor is somebody else's by then. */
function checkedSource(source: ImageSource, byteLength: number): ImageSource {
  return {
    byteLength,
    fill(write) {
      let filling = true;
      try {
        source.fill((piece, position) => {
          if (!filling)
            throw invalidArgValue('source', 'must be one that writes before fill() returns', source);
          const bytes = bytesOf(piece, 'bytes');
          checkByteRange(position, bytes.byteLength, byteLength, 'position', 'bytes.byteLength');
          write(bytes, position);
        });
      } finally {
        filling = false;
      }
    },
  };
}

/** The part with its defaults filled in: whole pages inside of the image, past whose end a touch is a SIGBUS. */
export function checkImagePart(
  image: unknown,
  part: MemoryImagePart,
  pageSize: number,
): Required<MemoryImagePart> & { readonly fd: number } {
  // Options first: reading them may run the caller's code, which may close the image.
  const { imageOffset = 0, byteLength: asked } = readOptions(part, ['imageOffset', 'byteLength'], 'part');
  const { fd, byteLength: imageBytes } = readImage(image);
  checkPages(imageOffset, 'part.imageOffset', pageSize, 0);
  if (imageOffset > imageBytes) {
    throw bytesOutOfRange('part.imageOffset', `at most the image's length, ${size(imageBytes)}`, imageOffset);
  }
  const restBytes = imageBytes - imageOffset;
  const byteLength = asked === undefined ? restBytes : asked;
  checkPages(byteLength, 'part.byteLength', pageSize, 0);
  if (byteLength > restBytes) {
    throw bytesOutOfRange(
      'part.byteLength',
      `at most ${size(restBytes)} behind ${hex(imageOffset)}`,
      byteLength,
    );
  }
  return { fd, imageOffset, byteLength };
}
