/** Memories that are described directly, for guests and working sets that are not WebAssembly. */
import { checkBytes, checkInstance, checkInteger, invalidArgValue, readOptions } from '@guardstripe/common';
import { host, memoryImage, type MemoryImage, type VirtualMemory } from '@guardstripe/mmap';
import { describeEntry, hostPageBytes, readDescribeOptions, type DescribeOptions } from './describe.js';
import { readFile, withFile, type FileSource, type OpenFile } from './file-contents.js';
import { IMAGE_NAME, ImageFile } from './image.js';
import { PoolModule, takeModuleId } from './module.js';
import type { ImagePlan, MemoryDescriptor } from '../wasm/index.js';

/**
 * A memory that is described directly rather than by a module: its size, and the bytes it starts with, from `contents` or
 * from a `file`.
 */
export interface MemoryDescription {
  /** First size in pages of 64 KiB. @defaultValue as many as the contents reach; to be said where there are none */
  readonly initial?: number;
  /** Largest size in pages. @defaultValue 65,536, which is 4 GiB */
  readonly maximum?: number;
  /** The bytes that the memory starts with. @defaultValue zeros */
  readonly contents?: Uint8Array;
  /** A regular file that holds them instead. Read once, at the description; a descriptor stays the caller's. */
  readonly file?: FileSource;
  /** The file's first byte that is wanted. @defaultValue 0 */
  readonly offset?: number;
  /** How many bytes of the file are wanted. @defaultValue all behind `offset` */
  readonly byteLength?: number;
  /** Where the contents lie in the memory, in bytes from its start. @defaultValue 0 */
  readonly contentsOffset?: number;
}

const NAMES = ['initial', 'maximum', 'contents', 'file', 'offset', 'byteLength', 'contentsOffset'] as const;
type Given = { readonly [Name in (typeof NAMES)[number]]?: unknown };

const WASM_PAGE_BYTES = 65_536;
const MAX_PAGES = 65_536;

/**
 * Describes a memory without a module: a size, and the bytes it starts with, for guests and working sets that are not
 * WebAssembly. The result is a module with one memory.
 *
 * Contents are copied, so what they came from may be changed, cut or deleted afterwards. A file is copied at once, into the
 * memory file of the image and never into the heap; its pages of zeros, and holes, take no memory.
 *
 * ```ts
 * const module = describeMemory({ file: 'heap.bin', offset: 4096, byteLength: 2 ** 20, maximum: 64 });
 * ```
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; `RangeError` `ERR_OUT_OF_RANGE` if the sizes do not
 * fit each other, or the file; {@link FileChangedError} if the file changes while it is read; what `node:fs` throws; a
 * `SystemError` if the image cannot be made
 */
export function describeMemory(description: MemoryDescription, options: DescribeOptions = {}): PoolModule {
  const { virtualMemory } = readDescribeOptions(options);
  const given: Given = readOptions(description ?? null, NAMES, 'description');
  const { contents, file, offset, byteLength } = given;
  if (file === undefined) {
    for (const [name, value] of Object.entries({ offset, byteLength })) {
      if (value !== undefined)
        throw invalidArgValue(`description.${name}`, 'is of a file, and there is none', value);
    }
    return describeContents(given, virtualMemory);
  }
  if (contents !== undefined)
    throw invalidArgValue('description.contents', 'cannot be given together with a file', contents);
  return withFile(file, offset ?? 0, byteLength, (open) => describeFile(given, open, virtualMemory));
}

function describeContents(given: Given, virtualMemory: VirtualMemory | undefined): PoolModule {
  const { contents } = given;
  if (contents !== undefined) checkInstance(contents, 'description.contents', Uint8Array);
  const shape = shapeOf(given, contents?.byteLength, virtualMemory);
  const image = new Uint8Array(shape.imageBytes);
  if (contents !== undefined) image.set(contents, shape.leadBytes);
  return moduleOf(shape, image, virtualMemory);
}

function describeFile(given: Given, open: OpenFile, virtualMemory: VirtualMemory | undefined): PoolModule {
  const shape = shapeOf(given, open.byteLength, virtualMemory);
  const { leadBytes, imageBytes } = shape;
  const copyTo = (write: (bytes: Uint8Array, position: number) => void): void =>
    readFile(open, (bytes, position) => write(bytes, leadBytes + position));
  if (imageBytes > 0 && hasMemoryFiles()) {
    const source = { byteLength: imageBytes, fill: copyTo };
    const image = memoryImage(source, { name: IMAGE_NAME, ...(virtualMemory && { virtualMemory }) });
    return moduleOf(shape, image, virtualMemory);
  }
  const image = new Uint8Array(imageBytes);
  copyTo((bytes, position) => image.set(bytes, position));
  return moduleOf(shape, image, virtualMemory);
}

/** Not where no pool can be made either, and a description can. */
function hasMemoryFiles(): boolean {
  try {
    return host().features.memfd;
  } catch {
    return false;
  }
}

/** A memory, and where its contents lie in it. */
interface Shape {
  readonly initialPages: number;
  readonly maximumPages: number;
  /** Start of the image in the memory, whole host pages. */
  readonly imageOffset: number;
  /** Bytes of the image before the contents. */
  readonly leadBytes: number;
  /** Whole host pages; 0 for no contents. */
  readonly imageBytes: number;
}

function shapeOf(
  { initial, maximum = MAX_PAGES, contentsOffset = 0 }: Given,
  contentsBytes: number | undefined,
  virtualMemory: VirtualMemory | undefined,
): Shape {
  checkBytes(contentsOffset, 'description.contentsOffset', 0, MAX_PAGES * WASM_PAGE_BYTES);
  const end = contentsOffset + (contentsBytes ?? 0);
  const initialPages =
    initial ?? (contentsBytes === undefined ? undefined : Math.ceil(end / WASM_PAGE_BYTES));
  checkInteger(initialPages, 'description.initial', 0, MAX_PAGES);
  checkInteger(maximum, 'description.maximum', initialPages, MAX_PAGES);
  // Where the contents end, not where they start: it is the end that must be inside.
  checkBytes(end, 'description.contentsOffset + byteLength', 0, initialPages * WASM_PAGE_BYTES);
  const pageBytes = hostPageBytes(virtualMemory);
  const leadBytes = contentsOffset % pageBytes;
  return {
    initialPages,
    maximumPages: maximum,
    imageOffset: contentsOffset - leadBytes,
    leadBytes,
    imageBytes: contentsBytes ? Math.ceil((leadBytes + contentsBytes) / pageBytes) * pageBytes : 0,
  };
}

function moduleOf(
  { initialPages, maximumPages, imageOffset, imageBytes }: Shape,
  image: Uint8Array | MemoryImage,
  virtualMemory: VirtualMemory | undefined,
): PoolModule {
  const moduleId = takeModuleId();
  const descriptor: MemoryDescriptor = {
    kind: 'defined',
    minimumPages: BigInt(initialPages),
    maximumPages: BigInt(maximumPages),
    shared: false,
    index: 'i32',
    pageSize: WASM_PAGE_BYTES,
  };
  const place = { memoryIndex: 0, definedIndex: 0 };
  const plan: ImagePlan =
    imageBytes === 0
      ? { ...place, kind: 'none' }
      : { ...place, kind: 'image', offsetBytes: imageOffset, byteLength: imageBytes, contentsOffset: 0 };
  const file = new ImageFile(image, virtualMemory);
  return new PoolModule(
    moduleId,
    [describeEntry({ moduleId, memoryIndex: 0 }, descriptor, plan, file)],
    file,
  );
}
