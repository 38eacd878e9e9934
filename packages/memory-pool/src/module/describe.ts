/** What {@link describeModule} and {@link describeMemory} share: from a memory's type and plan to what a pool makes of it. */
import { checkObject, readOptions } from '@guardstripe/common';
import type { MemoryKey } from '@guardstripe/index-allocator';
import {
  FfiUnavailableError,
  platform,
  UnsupportedPlatformError,
  type VirtualMemory,
} from '@guardstripe/mmap';
import type { ImageFile, PoolImage } from './image.js';
import type { Initialization, ModuleEntry, ModuleMemory } from './module.js';
import type { InitialBytes, MemoryTemplate } from './template.js';
import type { ImagePlan, MemoryDescriptor } from '../wasm/index.js';

/** What {@link describeModule} and {@link describeMemory} take beside the description. */
export interface DescribeOptions {
  /** The primitives that make the images. @defaultValue this platform's */
  readonly virtualMemory?: VirtualMemory;
}

/** The options, each read once. @throws `TypeError` `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` */
export function readDescribeOptions<More extends string = never>(
  options: unknown,
  more: readonly More[] = [],
): DescribeOptions & { readonly [Name in More]?: unknown } {
  const { virtualMemory, ...others } = readOptions(options, ['virtualMemory', ...more]);
  if (virtualMemory === undefined) return others as { readonly [Name in More]?: unknown };
  checkObject(virtualMemory, 'options.virtualMemory');
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

/** A memory as the module says, and as a pool makes it. `file` holds the images of all the module's plans. */
export function describeEntry(
  key: MemoryKey,
  descriptor: MemoryDescriptor,
  plan: ImagePlan | undefined,
  file: ImageFile,
): ModuleEntry {
  const obstacle = findObstacle(descriptor, plan);
  const memory = (initialization: Initialization, image?: PoolImage): ModuleMemory => ({
    index: key.memoryIndex,
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
  const { initialization, image, writes } = initialize(key, plan, file);
  const template = memoryTemplate(key, descriptor, image, writes);
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

function initialize(key: MemoryKey, plan: ImagePlan, file: ImageFile): Contents {
  switch (plan.kind) {
    case 'image': {
      const image = file.addImage(key, plan.contentsOffset, plan.offsetBytes, plan.byteLength);
      return { initialization: 'image', image, writes: [] };
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
    address: descriptor.index,
    image,
    writes,
  };
}
