/** What a WebAssembly module says of its memories, and the images its data segments make. */
import type { MemoryKey } from '@guardstripe/index-allocator';
import { host, memoryImage, platform, type VirtualMemory } from '@guardstripe/mmap';
import {
  forEachDespiteErrors,
  InvalidTypeError,
  ModuleClosedError,
  ModuleNotPoolableError,
  OutOfRangeError,
  size,
} from '../errors.js';
import { PoolImage } from './image.js';
import type { InitialBytes, MemoryTemplate } from './template.js';
import { parseModule, planImages, type ImagePlan, type MemoryDescriptor } from '../wasm/index.js';

/** Where a memory's first bytes come from. */
export type Initialization =
  /** Zeros only. */
  | 'zeros'
  /** A copy-on-write image of the data segments. */
  | 'image'
  /** The data segments are written at each allocation: they are too far apart for an image, or end inside the last page. */
  | 'copy'
  /** A segment's offset is known only to the instance: the guest writes its data itself, onto zeros. */
  | 'guest';

/** One memory of a module, as its type and its data segments say. Sizes in pages are of `pageBytes` bytes. */
export interface ModuleMemory {
  /** Index among all the module's memories, imported ones first. */
  readonly index: number;
  readonly kind: 'defined' | 'imported';
  readonly shared: boolean;
  readonly address: 'i32' | 'i64';
  /** 65,536, or 1 with custom page sizes. */
  readonly pageBytes: number;
  /** Minimum size in pages. */
  readonly initialPages: bigint;
  /** Maximum size in pages, if there is one. */
  readonly maximumPages: bigint | undefined;
  readonly initialization: Initialization;
  /** Where the image lies in the memory, in bytes, whole host pages. */
  readonly image: { readonly offsetBytes: number; readonly byteLength: number } | undefined;
  /** Why no pool can hold the memory; `undefined` if one can. */
  readonly obstacle: string | undefined;
}

/** What {@link describeModule} and {@link describeMemory} take beside the description. */
export interface DescribeOptions {
  /** The primitives that make the images. @defaultValue this platform's */
  readonly virtualMemory?: VirtualMemory;
}

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

/** Ids are never used twice in a process: a slot may remember a module long after it was closed. */
let nextModuleId = 0;

/**
 * A module's memories, ready to be allocated. Owns the sealed memory files of its images: close it when no new memory of
 * it is wanted. Memories that live on are not affected.
 */
export class PoolModule implements Disposable {
  /** Unique in the process; the module half of the affinity key. */
  readonly id: number;
  /** All memories of the module, by index. */
  readonly memories: readonly ModuleMemory[];
  /** How many memories the module defines itself. */
  readonly numDefinedMemories: number;
  /** The index of the first memory that the module defines itself, if any: the one meant where none is named. */
  readonly firstDefinedMemory: number | undefined;
  readonly #templates: readonly (MemoryTemplate | undefined)[];
  readonly #images: readonly PoolImage[];
  #closed = false;

  /** @internal Modules come from {@link describeModule} and {@link describeMemory}. */
  constructor(id: number, entries: readonly ModuleEntry[]) {
    this.id = id;
    this.memories = entries.map((entry) => entry.memory);
    this.numDefinedMemories = this.memories.filter((memory) => memory.kind === 'defined').length;
    const first = this.memories.findIndex((memory) => memory.kind === 'defined');
    this.firstDefinedMemory = first === -1 ? undefined : first;
    this.#templates = entries.map((entry) => entry.template);
    this.#images = entries.flatMap((entry) => entry.template?.image ?? []);
  }

  /** Whether the module was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * @internal
   * @throws {@link ModuleClosedError}, {@link ModuleNotPoolableError}
   */
  template(memoryIndex: number | undefined): MemoryTemplate {
    if (this.#closed) throw new ModuleClosedError('allocate a memory');
    const index = memoryIndex ?? this.firstDefinedMemory;
    if (index === undefined) throw new ModuleNotPoolableError('defines no memory');
    if (typeof index !== 'number') {
      throw new InvalidTypeError(
        `Cannot allocate a memory: memoryIndex must be a number, received ${String(index)}`,
      );
    }
    const template = this.#templates[index];
    if (template !== undefined) return template;
    const obstacle =
      this.memories[index]?.obstacle ?? `does not exist: it has ${this.memories.length} memories`;
    throw new ModuleNotPoolableError(obstacle, index);
  }

  /** Closes the images' files. Slots that have an image mapped keep it. Closing again does nothing. */
  close(): void {
    this.#closed = true;
    forEachDespiteErrors(this.#images, (image) => image.close());
  }

  /** The same as {@link PoolModule.close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

interface ModuleEntry {
  readonly memory: ModuleMemory;
  readonly template: MemoryTemplate | undefined;
}

/**
 * Reads a WebAssembly module: its memories, and the image that its active data segments make of each, page-aligned, as one
 * sealed memory file.
 *
 * @throws {@link InvalidModuleError} if the bytes are not a module; a `SystemError` if an image cannot be made
 */
export function describeModule(bytes: Uint8Array, options: DescribeOptions = {}): PoolModule {
  const virtualMemory = options.virtualMemory ?? platform();
  const parsed = parseModule(bytes);
  const plans = new Map(planImages(parsed, virtualMemory.pageSize).map((plan) => [plan.memoryIndex, plan]));
  const id = nextModuleId++;
  const entries: ModuleEntry[] = [];
  try {
    for (const [index, descriptor] of parsed.memories.entries()) {
      entries.push(describe(id, index, descriptor, plans.get(index), virtualMemory));
    }
  } catch (error) {
    new PoolModule(id, entries).close();
    throw error;
  }
  return new PoolModule(id, entries);
}

/**
 * Describes a memory without a module: a size, and the bytes it starts with, for guests and working sets that are not
 * WebAssembly. The result is a module with one memory.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE` if the sizes do not fit each other; a `SystemError` if the image cannot be made
 */
export function describeMemory(description: MemoryDescription, options: DescribeOptions = {}): PoolModule {
  const virtualMemory = options.virtualMemory ?? platform();
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
  const id = nextModuleId++;
  const descriptor: MemoryDescriptor = {
    kind: 'defined',
    minimumPages: BigInt(initial),
    maximumPages: BigInt(maximum),
    shared: false,
    index: 'i32',
    pageSize: WASM_PAGE_BYTES,
  };
  const plan = contentsPlan(contents, contentsOffset, virtualMemory.pageSize);
  return new PoolModule(id, [describe(id, 0, descriptor, plan, virtualMemory)]);
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

function contentsPlan(contents: Uint8Array | undefined, offset: number, hostPageBytes: number): ImagePlan {
  const where = { memoryIndex: 0, definedIndex: 0 };
  if (contents === undefined || contents.byteLength === 0) return { ...where, kind: 'none' };
  const lead = offset % hostPageBytes;
  const padded = new Uint8Array(Math.ceil((lead + contents.byteLength) / hostPageBytes) * hostPageBytes);
  padded.set(contents, lead);
  return { ...where, kind: 'image', offsetBytes: offset - lead, bytes: padded };
}

function describe(
  moduleId: number,
  index: number,
  descriptor: MemoryDescriptor,
  plan: ImagePlan | undefined,
  virtualMemory: VirtualMemory,
): ModuleEntry {
  const obstacle = findObstacle(descriptor, plan);
  const memory = (initialization: Initialization, image?: PoolImage): ModuleMemory => ({
    index,
    kind: descriptor.kind,
    shared: descriptor.shared,
    address: descriptor.index,
    pageBytes: descriptor.pageSize,
    initialPages: descriptor.minimumPages,
    maximumPages: descriptor.maximumPages,
    initialization,
    image: image && { offsetBytes: image.offsetBytes, byteLength: image.byteLength },
    obstacle,
  });
  if (obstacle !== undefined || plan === undefined) return { memory: memory('zeros'), template: undefined };
  const { initialization, image, writes } = initialize(plan, virtualMemory);
  const template = memoryTemplate({ moduleId, memoryIndex: index }, descriptor, image, writes);
  return { memory: memory(initialization, image), template };
}

function findObstacle(descriptor: MemoryDescriptor, plan: ImagePlan | undefined): string | undefined {
  if (descriptor.kind === 'imported') return 'is imported: its exporter owns it';
  if (descriptor.shared) return 'is shared between threads: a pool cannot move or reset it under them';
  if (plan?.kind === 'out-of-bounds') {
    return `cannot be instantiated: data segment ${plan.segmentIndex} lies out of bounds`;
  }
  const initialBytes = descriptor.minimumPages * BigInt(descriptor.pageSize);
  if (initialBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    return `has a minimum size of ${initialBytes} bytes, more than any memory can have`;
  }
  return undefined;
}

interface Contents {
  readonly initialization: Initialization;
  readonly image: PoolImage | undefined;
  readonly writes: readonly InitialBytes[];
}

function initialize(plan: ImagePlan, virtualMemory: VirtualMemory): Contents {
  switch (plan.kind) {
    case 'image': {
      if (!host().features.memfd) {
        return {
          initialization: 'copy',
          image: undefined,
          writes: [{ offset: plan.offsetBytes, data: plan.bytes }],
        };
      }
      const image = memoryImage(plan.bytes, { name: 'guardstripe-image', virtualMemory });
      return {
        initialization: 'image',
        image: new PoolImage(image, plan.offsetBytes, virtualMemory),
        writes: [],
      };
    }
    case 'segments':
      return { initialization: 'copy', image: undefined, writes: plan.segments };
    case 'unsupported':
      return { initialization: 'guest', image: undefined, writes: [] };
    case 'none':
    case 'out-of-bounds':
      return { initialization: 'zeros', image: undefined, writes: [] };
  }
}

function memoryTemplate(
  key: MemoryKey,
  descriptor: MemoryDescriptor,
  image: PoolImage | undefined,
  writes: readonly InitialBytes[],
): MemoryTemplate {
  const pageBytes = descriptor.pageSize;
  const typeMaximum = descriptor.index === 'i32' ? 2n ** 32n : BigInt(Number.MAX_SAFE_INTEGER);
  const declared =
    descriptor.maximumPages === undefined ? typeMaximum : descriptor.maximumPages * BigInt(pageBytes);
  return {
    key,
    initialBytes: Number(descriptor.minimumPages) * pageBytes,
    maximumBytes: Number(declared < typeMaximum ? declared : typeMaximum),
    pageBytes,
    image,
    writes,
  };
}
