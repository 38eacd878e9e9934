/**
 * A sealed memory file: bytes that nobody can change any more, ready to be mapped copy-on-write any number of times.
 */

import {
  bytesOf,
  bytesOutOfRange,
  checkByteRange,
  checkBytes,
  checkFunction,
  checkInteger,
  checkObject,
  checkPages,
  hex,
  invalidArgType,
  invalidArgValue,
  isBytes,
  isInstance,
  isReadable,
  readOptions,
  size,
  showAs,
} from '@guardstripe/common';
import { checkMemoryName, checkVirtualMemory } from './checks.js';
import { jointThingGone, MemoryImageClosedError } from './errors.js';
import { forgetLeak, watchForLeak } from './leak-net.js';
import { platform } from './platform/platform.js';
import type { ImageSource, VirtualMemory } from './platform/virtual-memory.js';
import type { JointHold } from './process/joint/things.js';
import { KIND_DESCRIPTOR } from './process/ledger.js';
import { jointState } from './process/process-state.js';

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

/** Has several threads hold the file of an image: its attachment, the same one each time. */
let holdJointly: (image: MemoryImage) => JointHold;

/** What an image has of the process; the leak net holds it. */
interface ImageFile {
  readonly virtualMemory: VirtualMemory;
  fd: number;
  /** The thread's attachment, where several threads may hold the file. */
  hold: JointHold | undefined;
}

function giveBack({ virtualMemory, fd, hold }: ImageFile): void {
  if (hold === undefined) virtualMemory.closeFile(fd);
  else hold.leave();
}

/** Made by {@link memoryImage}. Owns a file descriptor until it is closed. */
export class MemoryImage implements Disposable {
  readonly #byteLength: number;
  readonly #file: ImageFile;
  #closed = false;

  static {
    readImage = (image) => {
      const isOurs = typeof image === 'object' && image !== null && #file in image;
      if (!isOurs) throw invalidArgType('image', 'an instance of MemoryImage', image);
      if (image.#closed) throw new MemoryImageClosedError();
      return { fd: image.#file.fd, byteLength: image.#byteLength };
    };
    holdJointly = (image) => {
      const { fd, byteLength } = readImage(image);
      const file = image.#file;
      if (file.hold === undefined) {
        const hold = jointState().holdFileOf(fd, byteLength);
        // From here on the descriptor is the process's; the image's own is not needed any more.
        file.fd = hold.what - 1;
        file.hold = hold;
        file.virtualMemory.closeFile(fd);
      }
      return file.hold;
    };
    showAs(this.prototype, ({ byteLength, closed }) =>
      closed ? 'MemoryImage { closed }' : `MemoryImage { ${size(byteLength)} }`,
    );
  }

  /** @internal */
  constructor(
    token: typeof TOKEN,
    virtualMemory: VirtualMemory,
    fd: number,
    byteLength: number,
    hold?: JointHold,
  ) {
    if (token !== TOKEN) throw invalidArgType('token', 'that of this class: use memoryImage()', token);
    const file = { virtualMemory, fd, hold };
    this.#file = file;
    this.#byteLength = byteLength;
    watchForLeak(
      this,
      () => `MemoryImage with descriptor ${fd}`,
      () => giveBack(file),
    );
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
    return this.#file.fd;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Closes the descriptor, or, where other threads hold it, this thread's attachment to it. Mappings of the image live on, for the
   * kernel keeps the file while they do. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    // Closed first: close(2) frees the number even when it reports an error, so it must not be tried twice.
    this.#closed = true;
    forgetLeak(this);
    giveBack(this.#file);
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

/** Where threads of this process find an image that others of them hold: plain data that `workerData` and `postMessage` carry. */
export interface JointImageHandle {
  readonly pid: number;
  /** Which of the process's joint things it is, and the number that was drawn for it: stale and made-up handles are found out. */
  readonly entry: number;
  readonly token: number;
  readonly byteLength: number;
}

/**
 * Has several threads hold an image's file, by one descriptor: the last of them that closes its image, or ends, closes it.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws {@link MemoryImageClosedError}; {@link SystemError} if no descriptor is left; `Error` `ERR_MMAP_THREADS_UNAVAILABLE`,
 * `ERR_MMAP_TOO_MANY_SHARED`
 */
export function shareImage(image: MemoryImage): JointImageHandle {
  const { place, howMuch } = holdJointly(image);
  return { pid: process.pid, ...place, byteLength: howMuch };
}

/**
 * An image that another thread holds.
 *
 * For the other packages of Guardstripe; it changes whenever they need it to.
 *
 * @throws `Error` `ERR_MMAP_SHARED_GONE` if no thread holds it any more, or the handle is made up, or another process's
 */
export function openImage(handle: JointImageHandle): MemoryImage {
  checkObject(handle, 'handle');
  // Each field once: reading it may run the caller's code.
  const { pid, entry, token, byteLength } = handle as Partial<JointImageHandle>;
  checkInteger(pid, 'handle.pid', 1);
  checkInteger(entry, 'handle.entry');
  checkInteger(token, 'handle.token', 1);
  checkBytes(byteLength, 'handle.byteLength');
  const hold = pid === process.pid ? jointState().joint.attach({ entry, token }, KIND_DESCRIPTOR) : undefined;
  if (hold === undefined) throw jointThingGone('image');
  if (hold.howMuch !== byteLength) {
    hold.leave();
    throw jointThingGone('image');
  }
  return new MemoryImage(TOKEN, platform(), hold.what - 1, byteLength, hold);
}

function checkSource(source: unknown): ImageSource {
  if (isBytes(source) || isInstance(source, Uint8Array)) {
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
