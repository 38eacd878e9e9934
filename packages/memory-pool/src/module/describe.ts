/**
 * What {@link describeModule} and {@link describeMemory} share: from what was read to what a pool makes of it. A memory is described
 * anew in each state that it comes to, and never by two types in one state:
 *
 *     MemoryType ────▶ ImagePlan ─────▶ ModuleMemory ──▶ MemoryTemplate ──▶ Lease
 *     declared         its first bytes   told to users    made by pools      live in a slot
 *                      are known                          (if they can)
 */
import { checkPageSize, checkVirtualMemory, readOptions } from '@guardstripe/common';
import type { MemoryKey } from '@guardstripe/index-allocator';
import {
  FfiUnavailableError,
  platform,
  UnsupportedPlatformError,
  type MemoryImage,
  type VirtualMemory,
} from '@guardstripe/mmap';
import { PoolCorruptedError } from '../errors.js';
import type { ModuleOrigin } from './content.js';
import { ImageFile } from './image.js';
import { PoolModule, takeModuleId, type Initialization, type ModuleMemory } from './module.js';
import type { MemoryTemplate } from './template.js';
import { DEFAULT_LIMITS } from '../wasm/limits.js';
import type { ImagePlan, ImagePlans, MemoryType } from '../wasm/index.js';

/** What {@link describeModule} and {@link describeMemory} take beside the description. */
export interface DescribeOptions {
  /** The primitives that make the images. @defaultValue this platform's */
  readonly virtualMemory?: VirtualMemory;
}

/** Limits that stand beside `limits`. */
const LIMIT_SLIPS = Object.fromEntries(
  Object.keys(DEFAULT_LIMITS).map((name) => [name, `{ limits: { ${name} } }`]),
);

/** The options, each read once. @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` */
export function readDescribeOptions<More extends string = never>(
  options: unknown,
  more: readonly More[] = [],
): DescribeOptions & { readonly [Name in More]?: unknown } {
  const { virtualMemory, ...others } = readOptions(
    options,
    ['virtualMemory', ...more],
    'options',
    LIMIT_SLIPS,
  );
  if (virtualMemory === undefined) return others as { readonly [Name in More]?: unknown };
  checkVirtualMemory(virtualMemory);
  // Images are laid out in pages of it: of any other size, their ends would be the neighbours' bytes.
  checkPageSize(virtualMemory.pageSize, 'options.virtualMemory.pageSize');
  return {
    ...(others as { readonly [Name in More]?: unknown }),
    virtualMemory: virtualMemory as VirtualMemory,
  };
}

/** Where no pool can be made, modules can be described all the same; this is what most hosts have. */
const USUAL_PAGE_BYTES = 4096;

/** The size of the pages that images are made of. */
export function hostPageBytes(virtualMemory: VirtualMemory | undefined): number {
  try {
    return (virtualMemory ?? platform()).pageSize;
  } catch (error) {
    if (error instanceof UnsupportedPlatformError || error instanceof FfiUnavailableError)
      return USUAL_PAGE_BYTES;
    throw error;
  }
}

/** How all memories of a module get their first bytes; the images may be in their memory file already. */
export interface Contents {
  readonly plans: ImagePlans['plans'];
  readonly contents: Uint8Array | MemoryImage;
  /** What somebody says the SHA-256 of the contents is. */
  readonly claim?: Uint8Array;
}

/** A module of memories of these types. */
export function makeModule(
  types: readonly MemoryType[],
  { plans, contents, claim }: Contents,
  virtualMemory: VirtualMemory | undefined,
): PoolModule {
  if (plans.length !== types.length) {
    throw new PoolCorruptedError(`${plans.length} plans were made for ${types.length} memories`);
  }
  const moduleId = takeModuleId();
  const file = new ImageFile(contents, virtualMemory);
  const memories = types.map((type, index) => describe(index, type, plans[index]!));
  const origin = { types, plans, file, claim };
  return new PoolModule(moduleId, memories, templatesOf(moduleId, origin, memories), file, origin);
}

/** What pools make the memories of a module of. @param imageIdOf - numbers of images; fresh ones where it says nothing */
export function templatesOf(
  moduleId: number,
  { plans, file }: ModuleOrigin,
  memories: readonly ModuleMemory[],
  imageIdOf?: (memoryIndex: number) => number | undefined,
): (MemoryTemplate | undefined)[] {
  return memories.map((memory, memoryIndex) =>
    memory.obstacle === undefined
      ? memoryTemplate({ moduleId, memoryIndex }, memory, plans[memoryIndex]!, file, imageIdOf?.(memoryIndex))
      : undefined,
  );
}

const INITIALIZATION: Readonly<Record<ImagePlan['kind'], Initialization>> = {
  imported: 'zeros',
  none: 'zeros',
  image: 'image',
  segments: 'copy',
  unsupported: 'guest',
  'out-of-bounds': 'zeros',
};

function describe(index: number, type: MemoryType, plan: ImagePlan): ModuleMemory {
  const obstacle = findObstacle(type, plan);
  const { offsetBytes, byteLength } = plan.kind === 'image' ? plan : { offsetBytes: 0, byteLength: 0 };
  return {
    index,
    kind: type.imported === undefined ? 'defined' : 'imported',
    shared: type.shared,
    address: type.index,
    pageBytes: type.pageSize,
    initialPages: type.minimumPages,
    maximumPages: type.maximumPages,
    initialization: obstacle === undefined ? INITIALIZATION[plan.kind] : 'zeros',
    image: obstacle === undefined && byteLength > 0 ? { offsetBytes, byteLength } : undefined,
    obstacle,
  };
}

function findObstacle(type: MemoryType, plan: ImagePlan): string | undefined {
  if (plan.kind === 'imported') return 'is imported: its exporter owns it';
  if (type.shared) return 'is shared between threads: a pool cannot move or reset it under them';
  if (plan.kind === 'out-of-bounds') {
    return `cannot be instantiated: data segment ${plan.segmentIndex} lies out of bounds`;
  }
  const initialBytes = type.minimumPages * BigInt(type.pageSize);
  if (initialBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    return `has a minimum size of ${initialBytes} bytes, more than any memory can have`;
  }
  return undefined;
}

function memoryTemplate(
  key: MemoryKey,
  { pageBytes, address, initialPages, maximumPages }: ModuleMemory,
  plan: ImagePlan,
  file: ImageFile,
  imageId: number | undefined,
): MemoryTemplate {
  const typeMaximum = address === 'i32' ? 2n ** 32n : BigInt(Number.MAX_SAFE_INTEGER);
  const initialBytes = Number(initialPages) * pageBytes;
  // The pool checks no more: an image behind the memory's end would be mapped over the guard.
  if (plan.kind === 'image' && plan.offsetBytes + plan.byteLength > initialBytes) {
    throw new PoolCorruptedError(`an image ends behind its memory of ${initialBytes} bytes`);
  }
  const declared = maximumPages === undefined ? typeMaximum : maximumPages * BigInt(pageBytes);
  return {
    key,
    initialBytes,
    maximumBytes: Number(declared < typeMaximum ? declared : typeMaximum),
    pageBytes,
    address,
    image:
      plan.kind === 'image'
        ? file.addImage(key, plan.contentsOffset, plan.offsetBytes, plan.byteLength, imageId)
        : undefined,
    writes: plan.kind === 'segments' ? plan.segments : [],
  };
}
