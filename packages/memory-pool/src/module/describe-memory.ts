/** Memories that are described directly, for guests and working sets that are not WebAssembly. */
import { InvalidTypeError, OutOfRangeError, size } from '../errors.js';
import { describeEntry, hostPageBytes, type DescribeOptions } from './describe.js';
import { ImageFile } from './image.js';
import { PoolModule, takeModuleId } from './module.js';
import type { ImagePlan, MemoryDescriptor } from '../wasm/index.js';

/** A memory that is described directly rather than by a module. */
export interface MemoryDescription {
  /** First size in pages of 64 KiB. */
  readonly initial: number;
  /** Largest size in pages. @defaultValue 65,536, which is 4 GiB */
  readonly maximum?: number;
  /** The bytes that the memory starts with. @defaultValue zeros */
  readonly contents?: Uint8Array;
  /** Where `contents` lie, in bytes from the start. @defaultValue 0 */
  readonly contentsOffset?: number;
}

const WASM_PAGE_BYTES = 65_536;
const MAX_PAGES_I32 = 65_536n;

/**
 * Describes a memory without a module: a size, and the bytes it starts with, for guests and working sets that are not
 * WebAssembly. The result is a module with one memory.
 *
 * @throws `TypeError` `ERR_INVALID_ARG_TYPE`; `RangeError` `ERR_OUT_OF_RANGE` if the sizes do not fit each other
 */
export function describeMemory(description: MemoryDescription, options: DescribeOptions = {}): PoolModule {
  const { virtualMemory } = options;
  const { initial, maximum = Number(MAX_PAGES_I32), contents, contentsOffset = 0 } = description;
  if (contents !== undefined && !(contents instanceof Uint8Array)) {
    throw new InvalidTypeError(
      `Cannot describe a memory: contents must be a Uint8Array, received ${String(contents)}`,
    );
  }
  pages('initial', initial, 0, Number(MAX_PAGES_I32));
  pages('maximum', maximum, initial, Number(MAX_PAGES_I32));
  const initialBytes = initial * WASM_PAGE_BYTES;
  const contentsBytes = contents?.byteLength ?? 0;
  if (
    !Number.isSafeInteger(contentsOffset) ||
    contentsOffset < 0 ||
    contentsOffset + contentsBytes > initialBytes
  ) {
    throw new OutOfRangeError(
      `Cannot describe a memory: contents of ${size(contentsBytes)} at contentsOffset ${contentsOffset} must lie ` +
        `inside the initial ${size(initialBytes)}`,
    );
  }
  const moduleId = takeModuleId();
  const descriptor: MemoryDescriptor = {
    kind: 'defined',
    minimumPages: BigInt(initial),
    maximumPages: BigInt(maximum),
    shared: false,
    index: 'i32',
    pageSize: WASM_PAGE_BYTES,
  };
  const { plan, image } = planContents(contents, contentsOffset, hostPageBytes(virtualMemory));
  const file = new ImageFile(image, virtualMemory);
  return new PoolModule(
    moduleId,
    [describeEntry({ moduleId, memoryIndex: 0 }, descriptor, plan, file)],
    file,
  );
}

function pages(name: string, value: unknown, minimum: number, maximum: number): void {
  if (typeof value !== 'number') {
    throw new InvalidTypeError(
      `Cannot describe a memory: ${name} must be a number, received ${String(value)}`,
    );
  }
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  throw new OutOfRangeError(
    `Cannot describe a memory: ${name} must be whole pages from ${minimum} to ${maximum}, received ${value}`,
  );
}

/** A copy of the contents in whole host pages, and where it lies. */
function planContents(
  contents: Uint8Array | undefined,
  offset: number,
  pageBytes: number,
): { readonly plan: ImagePlan; readonly image: Uint8Array } {
  const place = { memoryIndex: 0, definedIndex: 0 };
  if (contents === undefined || contents.byteLength === 0)
    return { plan: { ...place, kind: 'none' }, image: new Uint8Array(0) };
  const leadBytes = offset % pageBytes;
  const image = new Uint8Array(Math.ceil((leadBytes + contents.byteLength) / pageBytes) * pageBytes);
  image.set(contents, leadBytes);
  const { byteLength } = image;
  return {
    plan: { ...place, kind: 'image', offsetBytes: offset - leadBytes, byteLength, contentsOffset: 0 },
    image,
  };
}
