/** Memories that are described directly, for guests and working sets that are not WebAssembly. */
import {
  bytesOf,
  checkBytes,
  checkInteger,
  checkObject,
  invalidArgType,
  invalidArgValue,
  readOptions,
} from '@guardstripe/common';
import { host, memoryImage, type VirtualMemory } from '@guardstripe/mmap';
import { hostPageBytes, makeModule, readDescribeOptions, type DescribeOptions } from './describe.js';
import { readFile, withFile, type FileSource, type OpenFile } from './file-contents.js';
import { IMAGE_NAME } from './image.js';
import { DESCRIPTION_SLIPS, hintOfDescription, hintOfPages } from '../hints.js';
import { areGone } from '../slots/host-bytes.js';
import type { PoolModule } from './module.js';
import type { ImagePlan, MemoryType } from '../wasm/index.js';

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
  checkDescription(description);
  const given: Given = readOptions(description, NAMES, 'description', DESCRIPTION_SLIPS);
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
  return withFile(file, offset, byteLength, (open) => describeFile(given, open, virtualMemory));
}

function checkDescription(description: unknown): void {
  const hint = hintOfDescription(description);
  if (hint !== undefined) throw invalidArgType('description', 'of type object', description, hint);
  checkObject(description, 'description');
}

function describeContents(given: Given, virtualMemory: VirtualMemory | undefined): PoolModule {
  const contents = given.contents === undefined ? undefined : readContents(given.contents);
  const { type, plan, leadBytes, imageBytes } = planMemory(given, contents?.byteLength, virtualMemory);
  const image = new Uint8Array(imageBytes);
  if (contents !== undefined) image.set(contents, leadBytes);
  return makeModule([type], { plans: [plan], contents: image }, virtualMemory);
}

/** As many bytes as there are, whatever a property says; and some: a memory of zeros is not what somebody meant who gave them away. */
function readContents(contents: unknown): Uint8Array {
  const bytes = bytesOf(contents, 'description.contents');
  if (bytes.byteLength === 0 && areGone(contents as Uint8Array))
    throw invalidArgValue('description.contents', 'must not be detached', contents);
  return bytes;
}

function describeFile(given: Given, open: OpenFile, virtualMemory: VirtualMemory | undefined): PoolModule {
  const { type, plan, leadBytes, imageBytes } = planMemory(given, open.byteLength, virtualMemory);
  const copyTo = (write: (bytes: Uint8Array, position: number) => void): void =>
    readFile(open, (bytes, position) => write(bytes, leadBytes + position));
  if (imageBytes > 0 && hasMemoryFiles()) {
    const source = { byteLength: imageBytes, fill: copyTo };
    const image = memoryImage(source, { name: IMAGE_NAME, ...(virtualMemory && { virtualMemory }) });
    return makeModule([type], { plans: [plan], contents: image }, virtualMemory);
  }
  const image = new Uint8Array(imageBytes);
  copyTo((bytes, position) => image.set(bytes, position));
  return makeModule([type], { plans: [plan], contents: image }, virtualMemory);
}

/** Not where no pool can be made either, and a description can. */
function hasMemoryFiles(): boolean {
  try {
    return host().features.memfd;
  } catch {
    return false;
  }
}

/** The memory, and where the contents lie in its image. */
interface Planned {
  readonly type: MemoryType;
  readonly plan: ImagePlan;
  /** Bytes of the image before the contents. */
  readonly leadBytes: number;
  /** Whole host pages; 0 for no contents. */
  readonly imageBytes: number;
}

/** A size as text has its pages counted for whoever gave it. */
function checkPageCount(pages: unknown, name: string): void {
  const hint = hintOfPages(pages);
  if (hint !== undefined) throw invalidArgType(name, 'of type number', pages, hint);
}

function planMemory(
  { initial, maximum = MAX_PAGES, contentsOffset = 0 }: Given,
  contentsBytes: number | undefined,
  virtualMemory: VirtualMemory | undefined,
): Planned {
  checkBytes(contentsOffset, 'description.contentsOffset', 0, MAX_PAGES * WASM_PAGE_BYTES);
  const end = contentsOffset + (contentsBytes ?? 0);
  const reachedPages = contentsBytes === undefined ? undefined : Math.ceil(end / WASM_PAGE_BYTES);
  const initialPages = initial === undefined ? reachedPages : initial;
  checkPageCount(initialPages, 'description.initial');
  checkPageCount(maximum, 'description.maximum');
  checkInteger(initialPages, 'description.initial', 0, MAX_PAGES);
  checkInteger(maximum, 'description.maximum', initialPages, MAX_PAGES);
  // Where the contents end, not where they start: it is the end that must be inside.
  checkBytes(end, 'description.contentsOffset + byteLength', 0, initialPages * WASM_PAGE_BYTES);
  const type: MemoryType = {
    minimumPages: BigInt(initialPages),
    maximumPages: BigInt(maximum),
    shared: false,
    index: 'i32',
    pageSize: WASM_PAGE_BYTES,
    imported: undefined,
  };
  if (!contentsBytes) return { type, plan: { kind: 'none' }, leadBytes: 0, imageBytes: 0 };
  const pageBytes = hostPageBytes(virtualMemory);
  const leadBytes = contentsOffset % pageBytes;
  const imageBytes = Math.ceil((leadBytes + contentsBytes) / pageBytes) * pageBytes;
  const offsetBytes = contentsOffset - leadBytes;
  const plan = { kind: 'image', offsetBytes, byteLength: imageBytes, contentsOffset: 0 } as const;
  return { type, plan, leadBytes, imageBytes };
}
